/** For which client: one of all, or, where they are many, of those whose name was searched for. */
import { choice, during, field, h } from "./dom.ts";
import { problemView } from "./problem.ts";
import { type NamedClient, searchClients } from "./schedule.ts";
import type { Visitor } from "./visitor.ts";

/** The select, and what stands in the form for it. Without clients they are searched: not a name is read before. */
export function clientChoice(visitor: Visitor, clients: readonly NamedClient[] | undefined) {
  const select = choice("client", clients ?? [["", "Find a client first"]]);
  select.required = true;
  const chosen = field("Client", select);
  if (clients) return { select, view: [chosen] };

  const said = h("p", { class: "quiet", role: "status" });
  const refusal = h("div", { class: "refusal" });
  const search = async () => {
    const words = input.value.trim();
    if (words === "") return;
    refusal.replaceChildren();
    try {
      const { found, more } = await searchClients(visitor, words);
      // Of several none is chosen by itself.
      const options =
        found.length === 1 ? found : [["", found.length > 0 ? "Choose" : "Nobody found"] as const, ...found];
      select.replaceChildren(...options.map(([value, label]) => h("option", { value }, label)));
      said.textContent = sentence(found.length, more);
    } catch (error) {
      said.textContent = "";
      refusal.replaceChildren(problemView(error));
    }
  };
  const button = h("button", { type: "button", class: "plain", click: () => during(button, search) }, "Find");
  const input = h("input", {
    type: "search",
    name: "search",
    maxlength: 100,
    // Names are nothing for the browser to remember.
    autocomplete: "off",
    keydown: (event) => {
      const { key, isComposing } = event as KeyboardEvent;
      if (key !== "Enter" || isComposing) return;
      // Enter searches, and holds nothing.
      event.preventDefault();
      during(button, search);
    },
  });
  const line = h("div", { class: "search" }, field("Find a client", input, "How a name begins"), button);
  return { select, view: [line, said, refusal, chosen] };
}

function sentence(found: number, more: boolean): string {
  if (found === 0) return "Nobody found whose name begins so.";
  if (found === 1) return "1 client found.";
  return `${found} clients found: choose one.${more ? " There are more: write more of the name." : ""}`;
}
