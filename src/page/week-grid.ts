/** The seven days: columns of hours where there is room, a list of days where there is not. The styles decide which. */
import { holdfast } from "./backend.ts";
import { addDays, type Clock, dayName } from "./clock.ts";
import { h } from "./dom.ts";
import type { Entry } from "./schedule.ts";

export interface WeekActions {
  open: (entry: Entry) => void;
  /** From today on. Left out: this visitor books nothing. */
  book: ((day: string) => void) | undefined;
}

/** Hours that are shown even when nothing is in them. */
const USUAL = { first: 8, last: 18 };

export function weekGrid(clock: Clock, monday: string, entries: Entry[], actions: WeekActions): HTMLElement {
  const days = [0, 1, 2, 3, 4, 5, 6].map((offset) => addDays(monday, offset));
  const placed = entries.map((entry) => ({ entry, ...placeOf(clock, entry) }));
  const shown = placed.filter(({ day }) => days.includes(day));
  const first = Math.min(USUAL.first, ...shown.map(({ from }) => Math.floor(from)));
  const last = Math.max(USUAL.last, ...shown.map(({ to }) => Math.ceil(to)));
  const today = clock.dayOf(new Date(holdfast.now()));

  const columns = days.map((day) =>
    dayColumn(
      clock,
      day,
      today,
      shown.filter((one) => one.day === day),
      actions,
    ),
  );
  const grid = h("div", { class: "week-grid" }, hours(first, last), ...columns);
  // By CSSOM: a style attribute is what the content security policy refuses.
  grid.style.setProperty("--first", String(first));
  grid.style.setProperty("--hours", String(last - first));
  return grid;
}

interface Placed {
  entry: Entry;
  day: string;
  from: number;
  to: number;
}

/** Where on the wall clock an entry is; one that goes past midnight ends with its day. */
function placeOf(clock: Clock, { start, end }: Entry): Omit<Placed, "entry"> {
  const day = clock.dayOf(start);
  return { day, from: clock.hourOf(start), to: clock.dayOf(end) === day ? clock.hourOf(end) : 24 };
}

function hours(first: number, last: number): HTMLElement {
  const marks = Array.from({ length: last - first }, (_, index) => {
    const hour = first + index;
    return h("span", {}, `${hour % 12 || 12} ${hour % 24 < 12 ? "AM" : "PM"}`);
  });
  return h("div", { class: "hours", "aria-hidden": "true" }, ...marks);
}

function dayColumn(
  clock: Clock,
  day: string,
  today: string,
  placed: Placed[],
  actions: WeekActions,
): HTMLElement {
  const name = dayName(day, { weekday: "long", month: "long", day: "numeric" });
  const isToday = day === today;
  const book = day < today ? undefined : actions.book;
  return h(
    "section",
    { class: isToday ? "day today" : "day" },
    h(
      "header",
      {},
      h(
        "h2",
        { "aria-label": isToday ? `${name}, today` : name },
        h("span", {}, dayName(day, { weekday: "short" })),
        h("b", {}, dayName(day, { day: "numeric" })),
        h("span", { class: "month" }, dayName(day, { month: "short" })),
      ),
      book &&
        h(
          "button",
          {
            type: "button",
            class: "add",
            id: `book-${day}`,
            "aria-label": `Book on ${name}`,
            click: () => book(day),
          },
          "+",
        ),
    ),
    placed.length > 0
      ? h("ul", { class: "entries" }, ...placed.map((one) => h("li", {}, entryButton(clock, one, actions))))
      : h("p", { class: "entries empty" }, h("span", {}, "Nothing booked")),
  );
}

function entryButton(clock: Clock, { entry, from, to }: Placed, { open }: WeekActions): HTMLElement {
  const [only = "", ...others] = entry.clientNames;
  const who = others.length > 0 ? `Group of ${others.length + 1}` : only;
  const button = h(
    "button",
    {
      type: "button",
      class: `entry ${entry.kind} ${entry.status}`,
      id: entryId(entry),
      click: () => open(entry),
    },
    h("span", { class: "when" }, clock.times(entry.start, entry.end)),
    h("span", { class: "who" }, who),
    h("span", { class: "what" }, entry.kind === "hold" ? `On hold: ${entry.serviceName}` : entry.serviceName),
  );
  button.style.setProperty("--from", String(from));
  button.style.setProperty("--to", String(to));
  return button;
}

/** The id of an entry's button: focus finds it again after the week was drawn anew. */
export function entryId({ kind, ids }: Pick<Entry, "kind" | "ids">): string {
  return `${kind}-${ids[0]}`;
}
