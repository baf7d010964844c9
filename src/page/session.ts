/** A session, or somebody's hold: what it is, and cancelling it. */
import { holdfast } from "./backend.ts";
import type { Place } from "./book.ts";
import { openDialog } from "./dialog.ts";
import { announce, choice, during, field, h } from "./dom.ts";
import { problemView } from "./problem.ts";
import type { Entry } from "./schedule.ts";
import { statusName } from "./words.ts";

const CANCELLED_BY = [
  ["clinic", "The clinic"],
  ["therapist", "The therapist"],
  ["client", "The client"],
] as const;

export function showSession(place: Place, entry: Entry, canCancel: boolean): void {
  const dialog = openDialog();
  const cancellable = canCancel && entry.kind === "session" && entry.status === "scheduled";
  const { visitor, therapist, changed } = place;
  const facts = h("dl", { class: "facts" });
  for (const [name, value] of [
    ["When", visitor.clock.dayAndTimes(entry.start, entry.end)],
    ["Therapist", therapist.name],
    [entry.clientNames.length > 1 ? "Clients" : "Client", entry.clientNames.join(", ")],
    ["Status", statusName(entry.status)],
  ] as const) {
    facts.append(h("div", {}, h("dt", {}, name), h("dd", {}, value)));
  }
  const contents: HTMLElement[] = [facts];
  if (entry.kind === "hold")
    contents.push(
      h(
        "p",
        { class: "quiet" },
        "Somebody is booking this time. If they do not confirm, it comes free by itself.",
      ),
    );
  if (cancellable) contents.push(cancelForm());
  dialog.show(entry.serviceName, ...contents);

  function cancelForm(): HTMLElement {
    const own = visitor.permissions.includes("book_any_session") ? "clinic" : "therapist";
    const by = choice("cancelled-by", CANCELLED_BY, own);
    const reason = h("input", { name: "reason", maxlength: 200, autocomplete: "off" });
    const button = h("button", { type: "submit", class: "danger" }, "Cancel this session");
    const refusal = h("div", { class: "refusal" });
    const submit = (event: Event) => {
      event.preventDefault();
      during(button, async () => {
        try {
          const answer = await holdfast.sessions.cancelSessions({
            sessionIds: entry.ids,
            cancelledBy: by.value as (typeof CANCELLED_BY)[number][0],
            ...(reason.value.trim() && { reason: reason.value.trim() }),
          });
          await changed();
          const left = answer.notCancellable.length;
          dialog.close(`book-${visitor.clock.dayOf(entry.start)}`);
          announce(left > 0 ? `Not cancelled: ${left}, because they have begun or are over.` : "Cancelled.");
        } catch (error) {
          refusal.replaceChildren(problemView(error));
        }
      });
    };
    return h(
      "details",
      {},
      h("summary", {}, "Cancel…"),
      h(
        "form",
        { submit },
        field("Who cancels", by),
        field("Reason", reason, "Optional; read only by those who see the session."),
        refusal,
        h("div", { class: "actions" }, button),
      ),
    );
  }
}
