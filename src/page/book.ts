/** Booking: choose, hold with a countdown, confirm. The dialog is always in one of these states. */
import { isHoldfastError, type SessionHold, type SessionHoldRequest } from "../lib/index.ts";
import { holdfast } from "./backend.ts";
import { clientChoice } from "./client-choice.ts";
import { countdownView } from "./countdown.ts";
import { type Dialog, openDialog } from "./dialog.ts";
import { announce, choice, during, field, h } from "./dom.ts";
import { problemView } from "./problem.ts";
import { type Entry, type NamedClient, readClients, readServices, type Therapist } from "./schedule.ts";
import type { Visitor } from "./visitor.ts";
import { entryId } from "./week-grid.ts";

/** Where something is booked, and what to do when it was. */
export interface Place {
  visitor: Visitor;
  therapist: Therapist;
  changed: () => Promise<void>;
}

/** What is about to be held: enough to ask for another time of the same. */
interface Wish {
  clientId: string;
  clientName: string;
  serviceCode: string;
  start: Date;
  end: Date;
}

type Held = Pick<SessionHold, "holdKey" | "expiresAt">;

const LENGTHS = [30, 60, 90, 120, 180, 240];
const MINUTE_MS = 60_000;

/** Opens the dialog to book on a day. */
export async function bookTime(place: Place, day: string): Promise<void> {
  const booking = new Booking(place);
  try {
    const [clients, services] = await Promise.all([readClients(place.visitor), readServices(place.visitor)]);
    booking.choose(day, clients, services);
  } catch (error) {
    booking.fail(error);
  }
}

/** Opens the dialog on a hold that stands in the week: one that outlived its dialog, by a reload of the page. */
export function resumeHold(place: Place, entry: Entry, hold: Held): void {
  new Booking(place).count(
    hold,
    `${entry.clientNames[0]}, ${place.visitor.clock.dayAndTimes(entry.start, entry.end)}`,
  );
}

type Services = Awaited<ReturnType<typeof readServices>>;

class Booking {
  private readonly dialog: Dialog;
  private held: Held | undefined;
  private stopCountdown = () => {};

  constructor(private readonly place: Place) {
    this.dialog = openDialog(() => this.leave());
  }

  /** State 1: what, for whom, when. */
  choose(day: string, clients: readonly NamedClient[] | undefined, services: Services): void {
    const single = services.filter((service) => !service.is_group && !service.is_team);
    const { visitor } = this.place;
    const { clock } = visitor;
    const today = clock.dayOf(new Date(holdfast.now()));
    const { select: client, view: clientView } = clientChoice(visitor, clients);
    const service = choice(
      "service",
      single.map(({ service_code, name }) => [service_code, `${name} (${service_code})`] as const),
    );
    const date = h("input", { type: "date", name: "day", value: day, min: today, required: true });
    const time = h("input", { type: "time", name: "time", value: "09:00", step: 300, required: true });
    const length = choice(
      "length",
      LENGTHS.map((minutes) => [String(minutes), lengthName(minutes)] as const),
      "120",
    );
    const button = h("button", { type: "submit", class: "primary" }, "Hold this time");
    const form = h(
      "form",
      {
        submit: (event) => {
          event.preventDefault();
          const start = clock.instantOf(date.value, time.value);
          const wish = {
            clientId: client.value,
            clientName: client.selectedOptions[0]?.text ?? "",
            serviceCode: service.value,
            start,
            end: new Date(start.getTime() + Number(length.value) * MINUTE_MS),
          };
          during(button, () => this.hold(wish));
        },
      },
      ...clientView,
      field("Service", service),
      h("div", { class: "row" }, field("Day", date), field("Starts", time), field("Length", length)),
      h(
        "p",
        { class: "quiet" },
        `The time is ${clock.zone.replace(/_/g, " ")} time. Nobody else can take it while you hold it.`,
      ),
      h("div", { class: "actions" }, button),
    );
    this.again = () => this.dialog.show(`Book with ${this.place.therapist.name}`, form);
    this.again();
  }

  /** Back to choosing, with what was chosen; a resumed hold was not chosen here. */
  private again: (() => void) | undefined;

  /** State 2, on the way: the time is asked for. */
  private async hold(wish: Wish): Promise<void> {
    const { visitor, therapist } = this.place;
    const request: SessionHoldRequest = {
      therapistId: therapist.id,
      clientId: wish.clientId,
      serviceCode: wish.serviceCode,
      timeZone: visitor.clock.zone,
      startTime: wish.start,
      endTime: wish.end,
    };
    try {
      const hold = await holdfast.sessions.requestSessionHold(request);
      this.count(hold, this.sentence(wish), wish);
      await this.place.changed();
    } catch (error) {
      this.refused(error, wish);
    }
  }

  /** State 2: the time is held, and runs. */
  count(held: Held, what: string, wish?: Wish): void {
    this.held = held;
    const confirm = h(
      "button",
      { type: "button", class: "primary", click: () => during(confirm, () => this.confirm(held, wish)) },
      "Confirm booking",
    );
    const release = h(
      "button",
      { type: "button", class: "plain", click: () => this.dialog.close() },
      "Let it go",
    );
    const countdown = countdownView(held, () => this.expired(wish));
    this.stopCountdown = countdown.stop;
    this.dialog.show(
      "This time is yours",
      h("p", { class: "lead" }, what),
      countdown.view,
      h("div", { class: "actions" }, confirm, release),
    );
    announce(`Held: ${what}. ${countdown.words}.`);
  }

  /** State 3: booked. The dialog is gone, and the focus is on the new session. */
  private async confirm({ holdKey }: Held, wish?: Wish): Promise<void> {
    try {
      const { session } = await holdfast.sessions.confirmSessionBooking({ holdKey });
      this.stopCountdown();
      this.held = undefined;
      await this.place.changed();
      this.dialog.close(entryId({ kind: "session", ids: [session.id] }));
      announce("Booked.");
    } catch (error) {
      if (isHoldfastError(error, "hold_expired")) this.expired(wish);
      else this.refused(error, wish);
    }
  }

  /** The hold has run out: whoever is first has the time now. */
  private expired(wish?: Wish): void {
    this.stopCountdown();
    this.held = undefined;
    const again =
      wish &&
      h(
        "button",
        {
          type: "button",
          class: "primary",
          click: () => during(again as HTMLElement, () => this.hold(wish)),
        },
        "Hold it again",
      );
    this.dialog.show(
      "The hold has expired",
      h("p", { role: "alert" }, "The time is open to everybody again. Nothing was booked."),
      h("div", { class: "actions" }, ...(again ? [again] : []), ...this.otherTime()),
    );
    void this.place.changed();
  }

  /** Refused: why, and each open time near the one that was asked for, a click away. */
  private refused(error: unknown, wish?: Wish): void {
    const alternatives =
      wish && isHoldfastError(error) && "alternatives" in error.problem ? error.problem.alternatives : [];
    const { clock } = this.place.visitor;
    const offers = alternatives.map(({ startTime, endTime }) => {
      const other = { ...(wish as Wish), start: new Date(startTime), end: new Date(endTime) };
      const take = h(
        "button",
        { type: "button", class: "offer", click: () => during(take, () => this.hold(other)) },
        clock.dayAndTimes(startTime, endTime),
      );
      return h("li", {}, take);
    });
    this.dialog.show(
      "Not booked",
      ...(wish ? [h("p", { class: "lead" }, this.sentence(wish))] : []),
      problemView(error),
      ...this.heldUntil(error),
      h("ul", { class: "offers", "aria-label": "Open times" }, ...offers),
      h("div", { class: "actions" }, ...this.otherTime()),
    );
  }

  /** Somebody's hold may still come free: when, at the latest. */
  private heldUntil(error: unknown): HTMLElement[] {
    if (!isHoldfastError(error) || !("conflicts" in error.problem)) return [];
    const ends = error.problem.conflicts.flatMap(({ kind, until }) =>
      kind === "hold" && until ? [until] : [],
    );
    const last = ends.sort().at(-1);
    if (!last) return [];
    const words = `Somebody is deciding on it, until ${this.place.visitor.clock.time(last)} at the latest. If they let it go, it is open again.`;
    return [h("p", {}, words)];
  }

  fail(error: unknown): void {
    this.dialog.show("Book a time", problemView(error));
  }

  /** Closing the dialog gives back what it holds: no time is kept from others out of sight. */
  private leave(): void {
    this.stopCountdown();
    const { held } = this;
    if (!held) return;
    this.held = undefined;
    holdfast.sessions
      .cancelSessionHold({ holdKey: held.holdKey })
      .then(() => announce("The time is open again."))
      // It ends by itself: nobody can do anything about it here.
      .catch(console.error)
      .finally(this.place.changed);
  }

  private otherTime(): HTMLElement[] {
    const { again } = this;
    return again
      ? [h("button", { type: "button", class: "plain", click: again }, "Choose another time")]
      : [];
  }

  private sentence({ clientName, start, end }: Wish): string {
    return `${clientName}, ${this.place.visitor.clock.dayAndTimes(start.toISOString(), end.toISOString())}`;
  }
}

function lengthName(minutes: number): string {
  return minutes < 60 ? `${minutes} minutes` : `${minutes / 60} ${minutes === 60 ? "hour" : "hours"}`;
}
