/** Elements without a framework. Text is only ever text: nothing here parses HTML, so Trusted Types have nothing to guard. */
type Child = Node | string | false | null | undefined;
type Attribute = string | number | boolean | ((event: Event) => void) | undefined;

/** An element: a function is a listener for its event, true or false an attribute that is there or not. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, Attribute> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== false && child !== null && child !== undefined));
  return element;
}

/** A labelled control. */
export function field(label: string, control: HTMLElement, hint?: string): HTMLElement {
  return h(
    "label",
    { class: "field" },
    h("span", {}, label),
    control,
    hint !== undefined && h("small", {}, hint),
  );
}

/** A select of values and their names. */
export function choice(
  name: string,
  options: readonly (readonly [value: string, label: string])[],
  chosen = "",
) {
  return h(
    "select",
    { name },
    ...options.map(([value, label]) => h("option", { value, selected: value === chosen }, label)),
  );
}

/**
 * Runs what a button starts, one at a time. The button can be focused meanwhile: disabled, it would throw a keyboard's user
 * back to the top of the page.
 */
export async function during(button: HTMLElement, work: () => Promise<unknown>): Promise<void> {
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true";
  try {
    await work();
  } finally {
    button.ariaDisabled = null;
  }
}

/** Says something to who does not see the page change. */
export function announce(sentence: string): void {
  const region = document.getElementById("announcements");
  // The same words again are news too: a change of the text is what is read out.
  if (region) region.textContent = region.textContent === sentence ? `${sentence} ` : sentence;
}
