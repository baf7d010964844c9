/** For admins: what happened in the clinic, and what was refused. Newest first, a page at a time. */
import type { AuditEvent } from "../lib/index.ts";
import { holdfast, rows, supabase } from "./backend.ts";
import { announce, during, h } from "./dom.ts";
import { unreadView } from "./problem.ts";
import type { Visitor } from "./visitor.ts";
import { eventName, refusalName, roleName } from "./words.ts";

const PAGE = 50;

type Line = Pick<AuditEvent, "id" | "occurredAt" | "actorId" | "action" | "decision" | "code" | "tableName">;

type View = "all" | "denied";

/** Shows the trail; nothing of it goes on by itself. */
export async function showAudit(visitor: Visitor, main: HTMLElement): Promise<() => void> {
  const actors = await readActors(visitor);
  const body = h("tbody");
  const more = h(
    "button",
    { type: "button", class: "plain", click: () => during(more, () => read(false)) },
    "Older events",
  );
  const end = h("div", { class: "actions" }, more);
  const unread = h("div", { class: "refusal" });
  const filter = (view: View, name: string) =>
    h(
      "button",
      {
        type: "button",
        id: `audit-${view}`,
        "aria-pressed": "false",
        click: (event) => during(event.currentTarget as HTMLElement, () => turnTo(view)),
      },
      name,
    );
  const filters = { all: filter("all", "All events"), denied: filter("denied", "Denied access") };
  const head = ["When", "What", "Who", "Outcome"].map((name) => h("th", { scope: "col" }, name));
  main.replaceChildren(
    h("h1", {}, "Audit"),
    h("p", { class: "quiet" }, `Times are the clinic's: ${visitor.clock.nameAt(new Date())}`),
    h("div", { class: "filters", role: "group", "aria-label": "Which events" }, filters.all, filters.denied),
    h(
      "table",
      { class: "audit" },
      h("caption", { class: "unseen" }, "Events, newest first"),
      h("thead", {}, h("tr", {}, ...head)),
      body,
    ),
    unread,
    end,
  );
  let view: View = "all";
  let before: number | undefined;

  async function turnTo(chosen: View): Promise<void> {
    view = chosen;
    for (const [name, button] of Object.entries(filters)) button.ariaPressed = String(name === view);
    await read(true);
  }

  async function read(anew: boolean): Promise<void> {
    try {
      const events = await (view === "all" ? readEvents : readDenials)(visitor, anew ? undefined : before);
      const lines = events.map((event) => line(event));
      if (anew) body.replaceChildren(...lines);
      else body.append(...lines);
      if (!body.firstChild) body.append(h("tr", {}, h("td", { colspan: 4 }, "Nothing here.")));
      unread.replaceChildren();
      before = events.at(-1)?.id ?? before;
      more.hidden = events.length < PAGE;
      announce(`${events.length} events`);
    } catch (error) {
      // What was read before stays, unless it is of the other view.
      if (anew) body.replaceChildren();
      more.hidden = true;
      unread.replaceChildren(unreadView(error, () => read(anew)));
    }
  }

  function line({ occurredAt, actorId, action, decision, code, tableName }: Line): HTMLElement {
    const denied = decision === "deny";
    return h(
      "tr",
      { class: denied ? "denied" : undefined },
      h("td", {}, h("time", { datetime: occurredAt }, visitor.clock.moment(occurredAt))),
      h("td", {}, eventName(action, tableName)),
      h("td", {}, actorId === null ? "The system" : (actors.get(actorId) ?? "Somebody from elsewhere")),
      h(
        "td",
        {},
        h("span", { class: denied ? "tag refused" : "tag" }, denied ? refusalName(code) : "Allowed"),
      ),
    );
  }

  await turnTo("all");
  return () => {};
}

function readEvents(visitor: Visitor, before: number | undefined): Promise<Line[]> {
  return holdfast.audit.listAuditEvents(pageOf(visitor, before));
}

async function readDenials(visitor: Visitor, before: number | undefined): Promise<Line[]> {
  const denials = await holdfast.audit.listDeniedAttempts(pageOf(visitor, before));
  return denials.map((event) => ({ ...event, decision: "deny" }));
}

function pageOf({ clinic }: Visitor, beforeId: number | undefined) {
  return { organizationId: clinic.id, limit: PAGE, ...(beforeId !== undefined && { beforeId }) };
}

/** Whom the trail names: therapists by their names, everybody else by what they are here. */
async function readActors({ clinic, userId }: Visitor): Promise<Map<string, string>> {
  const [held, therapists] = await Promise.all([
    rows(supabase.from("user_roles").select("user_id, role").eq("organization_id", clinic.id)),
    rows(supabase.from("therapists").select("user_id, display_name").eq("organization_id", clinic.id)),
  ]);
  return new Map([
    ...held.map(({ user_id, role }) => [user_id, roleName(role)] as const),
    ...therapists.flatMap(({ user_id, display_name }) => (user_id ? [[user_id, display_name] as const] : [])),
    [userId, "You"],
  ]);
}
