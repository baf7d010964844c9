/** A therapist's week in the clinic's zone; where it is narrow, a list of days. */
import { holdfast } from "./backend.ts";
import { bookTime, resumeHold } from "./book.ts";
import { addDays, mondayOf, weekName } from "./clock.ts";
import { announce, choice, h } from "./dom.ts";
import { followTherapist } from "./live.ts";
import { unreadView } from "./problem.ts";
import { type Entry, readTherapists, readWeek, type Therapist } from "./schedule.ts";
import { showSession } from "./session.ts";
import type { Visitor } from "./visitor.ts";
import { weekGrid } from "./week-grid.ts";

/** Shows the week, and keeps it up to date until the returned function is called. */
export async function showWeek(visitor: Visitor, main: HTMLElement): Promise<() => void> {
  const therapists = await readTherapists(visitor);
  const [first] = therapists;
  if (!first) {
    main.replaceChildren(h("h1", {}, "Week"), h("p", {}, "No therapist's week is yours to see."));
    return () => {};
  }
  const { clock } = visitor;
  const canBook = visitor.permissions.some(
    (one) => one === "book_any_session" || one === "book_own_sessions",
  );
  const book = canBook ? (day: string) => bookTime({ visitor, therapist, changed: draw }, day) : undefined;
  let therapist: Therapist = first;
  let monday = mondayOf(clock.dayOf(new Date(holdfast.now())));
  let stopFollowing = () => {};
  let readings = 0;
  let drawing = Promise.resolve();
  let drawn = "";

  const heading = h("h1", {});
  const title = h("p", { class: "week-title", id: "week-title" });
  const zone = h("p", { class: "quiet", id: "zone" });
  const live = h("p", { class: "live", id: "live" });
  const days = h("div", { class: "week", role: "group", "aria-labelledby": "week-title" });
  const step = (name: string, label: string, to: () => string) =>
    h(
      "button",
      {
        type: "button",
        class: "plain",
        id: `week-${name.toLowerCase()}`,
        "aria-label": label,
        click: () => turnTo(to()),
      },
      name,
    );
  const whose = choice(
    "therapist",
    therapists.map(({ id, name }) => [id, name] as const),
  );
  whose.setAttribute("aria-label", "Whose week");
  whose.addEventListener("change", () => follow(therapists.find(({ id }) => id === whose.value) ?? first));
  main.replaceChildren(
    h(
      "div",
      { class: "week-head" },
      h("div", {}, heading, title),
      h(
        "div",
        { class: "week-tools" },
        therapists.length > 1 && whose,
        h(
          "div",
          { class: "steps" },
          step("Previous", "Previous week", () => addDays(monday, -7)),
          step("Today", "Today: this week", () => mondayOf(clock.dayOf(new Date(holdfast.now())))),
          step("Next", "Next week", () => addDays(monday, 7)),
        ),
      ),
    ),
    h("div", { class: "week-notes" }, zone, live),
    days,
  );

  async function turnTo(day: string): Promise<void> {
    monday = day;
    await draw();
    announce(weekName(monday));
  }

  async function follow(chosen: Therapist): Promise<void> {
    stopFollowing();
    therapist = chosen;
    stopFollowing = followTherapist(visitor, chosen.id, draw, (words, isLive) => {
      live.textContent = words;
      live.classList.toggle("on", isLive);
    });
    await draw();
  }

  /** Reads the week and draws it. Done when what stands there is the newest reading, whoever asked for that one. */
  function draw(): Promise<void> {
    drawing = read(++readings);
    return drawing;
  }

  async function read(reading: number): Promise<void> {
    heading.textContent = therapist.name;
    title.textContent = weekName(monday);
    zone.textContent = `Times are the clinic's: ${clock.nameAt(clock.instantOf(monday, "12:00"))}`;
    days.ariaBusy = "true";
    // Under the heading of another week or therapist, what stands there must not be taken for it.
    const wanted = `${therapist.id} ${monday}`;
    days.inert = drawn !== wanted;
    const grid = await readWeek(visitor, therapist.id, monday).then(
      (entries) => weekGrid(clock, monday, entries, { open, book }),
      (error: unknown) => unreadView(error, draw),
    );
    if (reading !== readings) return drawing;
    const focused = document.activeElement?.id;
    drawn = wanted;
    days.replaceChildren(grid);
    days.inert = false;
    days.ariaBusy = null;
    if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
  }

  function open(entry: Entry): void {
    const place = { visitor, therapist, changed: draw };
    if (entry.hold?.mine) resumeHold(place, entry, entry.hold);
    else showSession(place, entry, canBook);
  }

  await follow(first);
  return () => {
    readings++;
    drawing = Promise.resolve();
    stopFollowing();
  };
}
