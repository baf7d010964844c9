/** What went wrong, for the person in front of the page: what it is, about this case, and what to do next. */
import { type HoldfastError, isHoldfastError, type ProblemCode } from "../lib/index.ts";
import { during, h } from "./dom.ts";

// The catalogue's own advice is to developers; these are the problems that people meet here.
const ADVICE: Partial<Record<ProblemCode, string>> = {
  unauthenticated: "Sign in again.",
  forbidden: "Ask an administrator of your clinic for the role that permits it.",
  mfa_required: "Sign in with your second factor in an app that offers it, then come back.",
  not_found: "It may be gone, or not yours to see. Load the week again.",
  therapist_conflict: "Take one of the times below, or choose another.",
  client_conflict: "Take one of the times below, or choose another.",
  therapist_unavailable: "Take one of the times below, or choose another.",
  consent_required: "Have the missing form signed for the client, then try again.",
  authorization_missing: "Enter the payer's authorization first, or choose a day that one covers.",
  authorization_exhausted: "Book less or another week, or have the authorization extended.",
  hold_confirmed: "It is booked: load the week again to see it.",
  hold_expired: "Hold the time again.",
  session_billed: "Void the claim first.",
  validation_failed: "Correct what is named, and send it again.",
  rate_limited: "Wait a moment, then try again.",
  unavailable: "Check your connection, then try again.",
};

/** A problem as it is shown, read out as soon as it stands on the page: under the heading of a dialog, if no other is named. */
export function problemView(error: unknown, heading: "h2" | "h3" = "h3"): HTMLElement {
  if (!isHoldfastError(error)) return unknownProblem(error, heading);
  const { title } = error.problem;
  // Which fields, and what of them, says more than that there are some.
  const detail = error.code === "validation_failed" ? undefined : error.problem.detail;
  return h(
    "div",
    { class: "problem", role: "alert" },
    h(heading, {}, title),
    detail !== undefined && h("p", {}, detail),
    fieldsOf(error),
    h("p", {}, ADVICE[error.code] ?? error.action),
    error.requestId !== null && h("p", { class: "quiet" }, `Request ${error.requestId}`),
  );
}

/** The problem of something that could not be read, with a way to read it again, which draws what stands here then. */
export function unreadView(error: unknown, readAgain: () => Promise<unknown>): HTMLElement {
  const again = async () => {
    await readAgain();
    // The button is gone: who pressed it is at the next one, or where the page begins.
    const main = document.getElementById("main");
    if (document.activeElement === document.body || document.activeElement === main)
      (document.getElementById("read-again") ?? main)?.focus();
  };
  const button = h(
    "button",
    { type: "button", class: "plain", id: "read-again", click: () => during(button, again) },
    "Try again",
  );
  return h("div", {}, problemView(error, "h2"), h("div", { class: "actions" }, button));
}

function fieldsOf(error: HoldfastError): HTMLElement | null {
  if (!isHoldfastError(error, "validation_failed")) return null;
  const items = error.problem.errors.map(({ field, message }) =>
    h("li", {}, `${fieldName(field)}: ${message}`),
  );
  return h("ul", {}, ...items);
}

/** `startTime` → `Start time`; `occurrences.0.startTime` → `Occurrences 0 start time`. */
function fieldName(path: string): string {
  const words = path.replaceAll(".", " ").replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function unknownProblem(error: unknown, heading: "h2" | "h3"): HTMLElement {
  console.error(error);
  return h(
    "div",
    { class: "problem", role: "alert" },
    h(heading, {}, "That did not work"),
    h("p", {}, "Check your connection, then try again."),
  );
}
