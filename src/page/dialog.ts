/** A modal dialog: focus goes in, stays in, and comes back, which the browser's own element sees to. */
import { h } from "./dom.ts";

export interface Dialog {
  body: HTMLElement;
  /** Puts other contents in, and the focus on their beginning. */
  show(title: string, ...contents: Node[]): void;
  /** Closes, and puts the focus on the element with this id, or on what opened the dialog. */
  close(focusId?: string): void;
}

/** Opens an empty dialog. `onClose` runs once, whoever closed it: a button, Escape, or the page behind. */
export function openDialog(onClose: () => void = () => {}): Dialog {
  let focusId = document.activeElement?.id;
  const heading = h("h2", { id: "dialog-title", tabindex: "-1" });
  const body = h("div", { class: "dialog-body" });
  const dismiss = h(
    "button",
    { class: "dismiss", type: "button", "aria-label": "Close", click: () => element.close() },
    "×",
  );
  const element = h("dialog", { "aria-labelledby": "dialog-title" }, h("header", {}, heading, dismiss), body);
  element.addEventListener("close", () => {
    element.remove();
    // What opened the dialog may have been drawn anew behind it: its id is what stays, or else the page.
    const opener = focusId ? document.getElementById(focusId) : null;
    (opener ?? document.getElementById("main"))?.focus();
    onClose();
  });
  document.body.append(element);
  element.showModal();
  return {
    body,
    show: (title, ...contents) => {
      heading.textContent = title;
      body.replaceChildren(...contents);
      heading.focus();
    },
    close: (id) => {
      focusId = id ?? focusId;
      element.close();
    },
  };
}
