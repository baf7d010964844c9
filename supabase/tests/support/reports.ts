// Random months for tests of reports: what is written, and the same counted by hand, a minute at a time.

import { randomUUID } from "node:crypto";
import fc from "fast-check";
import {
  assign,
  type Clinic,
  createClinic,
  createTherapist,
  createUser,
  type Therapist,
  TIME_ZONE,
  type User,
} from "./clinic.ts";
import { sql } from "./stack.ts";

const MINUTE_MS = 60_000;
const SLOT_MINUTES = 180;
const SLOTS = 44;
/** Some days round a change of the clock, which here is the night in which October ends. */
const BASE = Date.parse("2026-10-29T21:00:00Z");

export type Status = "scheduled" | "completed" | "no_show" | "cancelled";
export interface Stretch {
  start: Date;
  end: Date;
}
export interface BookedSession extends Stretch {
  id: string;
  therapist: string;
  client: string;
  supervises: boolean;
  status: Status;
  cancelledBy: "therapist" | "client" | "clinic" | null;
  actual: Stretch | null;
  note: "none" | "draft" | "signed";
}
export interface ReportsClinic extends Clinic {
  /** Of a higher credential; supervises Rosa. */
  bea: Therapist;
  /** Reviews Aspen. */
  reviewer: User;
}

export async function createReportsClinic(): Promise<ReportsClinic> {
  const clinic = await createClinic();
  const [bea, reviewer] = await Promise.all([createTherapist(clinic.id), createUser()]);
  const reviewerId = randomUUID();
  await sql`update public.therapists set credential = 'BCBA' where id = ${bea.id}`;
  await sql`update public.user_roles set role = 'supervisor' where user_id = ${bea.user.id}`;
  await sql`
    insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on)
    values (${clinic.id}, ${bea.id}, ${clinic.rosa.id}, current_date - 30)`;
  await sql`
    insert into public.user_roles (organization_id, user_id, role) values (${clinic.id}, ${reviewer.id}, 'psychiatrist')`;
  await sql`
    insert into public.therapists (id, organization_id, user_id, display_name, credential)
    values (${reviewerId}, ${clinic.id}, ${reviewer.id}, 'A reviewer', 'MD')`;
  await sql`
    insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
    values (${clinic.id}, ${reviewerId}, ${clinic.aspen}, 'psychiatrist', current_date - 30)`;
  await assign(clinic.id, bea.id, clinic.aspen);
  return { ...clinic, bea, reviewer };
}

const cell = fc.record({
  offset: fc.integer({ min: 0, max: 60 }),
  length: fc.integer({ min: 15, max: 110 }),
  actualOffset: fc.integer({ min: 0, max: 60 }),
  actualLength: fc.integer({ min: 1, max: 115 }),
  status: fc.constantFrom<Status>("scheduled", "completed", "completed", "completed", "no_show", "cancelled"),
  cancelledBy: fc.constantFrom("therapist" as const, "client" as const, "clinic" as const),
  note: fc.constantFrom("none" as const, "draft" as const, "signed" as const),
});
/** Rosa, Theo and Bea side by side: Rosa with one client and Theo with the other, Bea supervising beside either. */
const slot = fc.record({
  rosa: fc.option(cell, { freq: 4 }),
  theo: fc.option(cell, { freq: 4 }),
  bea: cell,
  rosaHasAspen: fc.boolean(),
  beaIsWithAspen: fc.boolean(),
});
export const months = fc.record({
  slots: fc.array(slot, { minLength: SLOTS, maxLength: SLOTS }),
  /** In which slots Bea works: in every second is enough supervision, in every fortieth too little. */
  supervisedEvery: fc.constantFrom(2, 6, 40),
  // Where nothing is booked: at a slot's end.
  timeOff: fc
    .tuple(fc.integer({ min: 1, max: SLOTS }), fc.integer({ min: 1, max: 10 }))
    .map(([index, length]): [number, number] => [index * SLOT_MINUTES - length, length]),
  holiday: fc.tuple(fc.integer({ min: 0, max: 7000 }), fc.integer({ min: 1, max: 600 })),
});
export type Months = typeof months extends fc.Arbitrary<infer T> ? T : never;

const at = (minutes: number): Date => new Date(BASE + minutes * MINUTE_MS);
export const stretch = ([start, length]: [number, number]): Stretch => ({
  start: at(start),
  end: at(start + length),
});

export function sessionsOf(clinic: ReportsClinic, { slots, supervisedEvery }: Months): BookedSession[] {
  return slots.flatMap((it, index) => {
    const other = it.rosaHasAspen ? clinic.birch : clinic.aspen;
    const booked = (
      therapist: Therapist,
      client: string,
      drawn: typeof it.rosa,
      supervises = false,
    ): BookedSession[] => {
      if (!drawn) return [];
      const from = index * SLOT_MINUTES;
      return [
        {
          id: randomUUID(),
          therapist: therapist.id,
          client,
          supervises,
          ...stretch([from + drawn.offset, drawn.length]),
          status: drawn.status,
          cancelledBy: drawn.status === "cancelled" ? drawn.cancelledBy : null,
          actual:
            drawn.status === "completed" ? stretch([from + drawn.actualOffset, drawn.actualLength]) : null,
          note: drawn.status === "completed" ? drawn.note : "none",
        },
      ];
    };
    return [
      ...booked(clinic.rosa, it.rosaHasAspen ? clinic.aspen : clinic.birch, it.rosa),
      ...booked(clinic.theo, other, it.theo),
      ...booked(
        clinic.bea,
        it.beaIsWithAspen ? clinic.aspen : clinic.birch,
        index % supervisedEvery === 0 ? it.bea : null,
        true,
      ),
    ];
  });
}

export async function write(clinic: ReportsClinic, sessions: BookedSession[]): Promise<void> {
  const rows = sessions.map((it) => ({
    id: it.id,
    therapist_id: it.therapist,
    client_id: it.client,
    code: it.supervises ? "97155" : "97153",
    start_time: it.start,
    end_time: it.end,
    status: it.status,
    cancelled_by: it.cancelledBy,
    actual_start_time: it.actual?.start ?? null,
    actual_end_time: it.actual?.end ?? null,
  }));
  await sql`
    insert into public.sessions (
      id, organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, status, cancelled_by,
      actual_start_time, actual_end_time)
    select it.id, service.organization_id, it.therapist_id, it.client_id, service.id, it.start_time, it.end_time,
      ${TIME_ZONE}, it.status, it.cancelled_by, it.actual_start_time, it.actual_end_time
    from jsonb_to_recordset(${sql.json(JSON.parse(JSON.stringify(rows)))}) it (
      id uuid, therapist_id uuid, client_id uuid, code text, start_time timestamptz, end_time timestamptz, status text,
      cancelled_by text, actual_start_time timestamptz, actual_end_time timestamptz)
    join public.services service on service.organization_id = ${clinic.id} and service.service_code = it.code`;
  const noted = sessions.filter(({ note }) => note !== "none").map(({ id }) => id);
  await sql`
    insert into public.session_notes (
      id, organization_id, session_id, client_id, therapist_id, author_id, kind, needs_cosignature)
    select gen_random_uuid(), it.organization_id, it.id, it.client_id, it.therapist_id, therapist.user_id, 'session', false
    from public.sessions it
    join public.therapists therapist on therapist.id = it.therapist_id
    where it.id = any (${noted})`;
  await sql`
    update public.session_notes
    set status = 'signed', signed_by = author_id, signed_at = now(), text_digest = sha256('')
    where session_id = any (${sessions.filter(({ note }) => note === "signed").map(({ id }) => id)})`;
}

/** Time off of Rosa's, and a holiday of everybody's. */
export async function writeExceptions(clinic: ReportsClinic, off: Stretch, holiday: Stretch): Promise<void> {
  await sql`
    insert into public.availability_exceptions (organization_id, therapist_id, kind, start_time, end_time, time_zone)
    values (${clinic.id}, ${clinic.rosa.id}, 'time_off', ${off.start}, ${off.end}, ${TIME_ZONE}),
      (${clinic.id}, null, 'holiday', ${holiday.start}, ${holiday.end}, ${TIME_ZONE})`;
}

const calendar = new Intl.DateTimeFormat("en-CA", { timeZone: TIME_ZONE, dateStyle: "short" });
const days = new Map<number, string>();
/** The clinic's day, which changes at whole hours. */
export function dayOf(moment: Date): string {
  const hour = Math.floor(moment.getTime() / (60 * MINUTE_MS));
  const day = days.get(hour) ?? calendar.format(moment);
  days.set(hour, day);
  return day;
}
export const lasts = ({ start, end }: Stretch): number => (end.getTime() - start.getTime()) / MINUTE_MS;

/** Each minute of some stretches by its start, those of some days of the clinic only. */
export function minutesOf(stretches: Stretch[], isIn: (day: string) => boolean = () => true): Set<number> {
  const minutes = new Set<number>();
  for (const { start, end } of stretches) {
    for (let moment = start.getTime(); moment < end.getTime(); moment += MINUTE_MS) {
      if (isIn(dayOf(new Date(moment)))) minutes.add(moment);
    }
  }
  return minutes;
}

/** When a session was, or is to be. */
export const during = (session: BookedSession): Stretch => session.actual ?? session;
