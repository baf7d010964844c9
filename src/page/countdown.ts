/** The time that a hold still has, by the server's clock: seen each second, said only when it matters. */
import { holdfast } from "./backend.ts";
import { announce, h } from "./dom.ts";

/** Seconds left that are said aloud. Each second would drown everything else. */
const SAID = [60, 30, 10];

export function countdownView(hold: { expiresAt: string }, onExpired: () => void) {
  const total = Math.max(1, (Date.parse(hold.expiresAt) - holdfast.now()) / 1000);
  const digits = h("span", { class: "digits" });
  const bar = h("progress", { max: Math.ceil(total), "aria-hidden": "true" });
  const view = h(
    "div",
    { class: "countdown", role: "timer", "aria-label": "Time left to confirm" },
    digits,
    bar,
  );
  let words = "";
  const stop = holdfast.countdown(hold, (seconds) => {
    digits.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    bar.value = seconds;
    view.classList.toggle("short", seconds <= 30);
    words ||= `${inWords(seconds)} to confirm`;
    if (SAID.includes(seconds)) announce(`${inWords(seconds)} left`);
    // Not within the first tick: there would be nothing to stop yet.
    if (seconds === 0) queueMicrotask(onExpired);
  });
  return { view, stop, words };
}

function inWords(seconds: number): string {
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  const parts = [
    minutes > 0 && `${minutes} ${minutes === 1 ? "minute" : "minutes"}`,
    rest > 0 && `${rest} seconds`,
  ];
  return parts.filter(Boolean).join(" ") || "No time";
}
