// Attendance for tests that are about it: sessions of the past, and marking them as a user would.

import { randomUUID } from "node:crypto";
import { type Clinic, TIME_ZONE, type User } from "./clinic.ts";
import { callRest } from "./consents.ts";
import { sql } from "./stack.ts";

const HOUR_MS = 3_600_000;

/** A moment of the day before yesterday, or of some days ago, by the hour UTC. */
export function past(hour: number, daysAgo = 2): string {
  const day = Math.floor(Date.now() / (24 * HOUR_MS)) - daysAgo;
  return new Date(day * 24 * HOUR_MS + hour * HOUR_MS).toISOString();
}

/** A session of Rosa's with Aspen that was booked for an hour of such a day. */
export async function bookPast(
  clinic: Clinic,
  hour: number,
  { client = clinic.aspen, daysAgo = 2 } = {},
): Promise<string> {
  const id = randomUUID();
  await sql`
    insert into public.sessions (id, organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
    select ${id}, ${clinic.id}, ${clinic.rosa.id}, ${client}, service.id, ${past(hour, daysAgo)}, ${past(hour + 1, daysAgo)}, ${TIME_ZONE}
    from public.services service
    where service.organization_id = ${clinic.id} and service.service_code = '97153'`;
  return id;
}

/** What an operation came to: the status of the session, or the code of the field or problem. */
export async function mark(user: User, operation: string, request: object): Promise<string> {
  const { body } = await callRest(operation, user, { request });
  const { problem, data } = body;
  if (problem) return problem.errors?.[0]?.code ?? problem.code;
  return (data as { sessions: { status: string }[] }).sessions[0]?.status ?? "nothing";
}

export async function sessionRow(id: string) {
  const [row] = await sql`
    select status, attendance, actual_start_time, actual_end_time, version from public.sessions where id = ${id}`;
  return row as {
    status: string;
    attendance: string | null;
    actual_start_time: Date | null;
    actual_end_time: Date | null;
    version: number;
  };
}
