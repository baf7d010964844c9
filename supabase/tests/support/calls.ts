import { expect } from "vitest";
import type { CancelData, ConfirmData, HoldData } from "../../../src/lib/contracts.ts";
import { PROBLEMS, type Problem, type ProblemCode, problemSchema } from "../../../src/lib/problems.ts";
import { offsetMinutes } from "../../../src/lib/timezone.ts";
import { type Clinic, TIME_ZONE, type User } from "./clinic.ts";
import { expectAsDocumented } from "./reference.ts";
import { sql, stack } from "./stack.ts";

export type FunctionName =
  | "availability"
  | "calendar-feed"
  | "documents"
  | "health"
  | "insights-send"
  | "session-notes"
  | "sessions-availability"
  | "sessions-cancel"
  | "sessions-confirm"
  | "sessions-hold"
  | "sessions-join"
  | "sessions-preview"
  | "sessions-reschedule"
  | "sessions-series"
  | "waitlist"
  | "webhooks-deliver";

/** A raw call of an Edge Function, as any HTTP client would make it. Its answer is one that docs/openapi.json documents. */
export async function call(
  name: FunctionName,
  user: User | null,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const response = await fetch(`${stack.url}/functions/v1/${name}`, {
    method: "POST",
    headers: {
      apikey: stack.publishableKey,
      "content-type": "application/json",
      ...(user && { authorization: `Bearer ${await user.token()}` }),
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  await expectAsDocumented(name, response);
  return response;
}

const DAY_MS = 86_400_000;

/** A stretch of time in the future, on a whole hour UTC, with the offsets that the clinic's zone has then. */
export function time(dayFromNow: number, hour: number, minutes = 60) {
  const start = new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS + dayFromNow * DAY_MS + hour * 3_600_000);
  const end = new Date(start.getTime() + minutes * 60_000);
  return {
    start_time: start.toISOString(),
    end_time: end.toISOString(),
    start_time_offset_minutes: offsetMinutes(start, TIME_ZONE),
    end_time_offset_minutes: offsetMinutes(end, TIME_ZONE),
  };
}

/** The body of a sessions-hold of Rosa with Aspen. */
export function holdBody(clinic: Clinic, when: object, changes: object = {}): Record<string, unknown> {
  return {
    therapist_id: clinic.rosa.id,
    client_id: clinic.aspen,
    service_code: "97153",
    time_zone: TIME_ZONE,
    ...when,
    ...changes,
  };
}

export async function expectData<Data>(response: Response, status: number): Promise<Data> {
  const body = await response.json();
  expect(body, `expected ${status}, got ${JSON.stringify(body)}`).toHaveProperty("data");
  expect(response.status).toBe(status);
  return (body as { data: Data }).data;
}

/** The answer is this problem, whole: status, media type, shape (RFC 9457), and nothing that should not be said. */
export async function expectProblem<Code extends ProblemCode>(
  response: Response,
  code: Code,
): Promise<Problem<Code>> {
  const text = await response.text();
  const body = JSON.parse(text);
  expect(body.code, text).toBe(code);
  expect(response.status).toBe(PROBLEMS[code].status);
  expect(body.status).toBe(PROBLEMS[code].status);
  expect(response.headers.get("content-type")).toContain("application/problem+json");
  expect(text).not.toMatch(/A client|A therapist|@test\.example|constraint|SQLSTATE|\bat .*\.ts/);
  return problemSchema.parse(body) as Problem<Code>;
}

export async function hold(
  clinic: Clinic,
  when: object,
  changes: object = {},
  user = clinic.rosa.user,
): Promise<HoldData> {
  return expectData(await call("sessions-hold", user, holdBody(clinic, when, changes)), 201);
}

export async function confirm(user: User, hold_key: string, changes: object = {}): Promise<ConfirmData> {
  return expectData(await call("sessions-confirm", user, { hold_key, ...changes }), 200);
}

export async function cancel(user: User, body: object): Promise<CancelData> {
  return expectData(await call("sessions-cancel", user, body), 200);
}

/** Lets a hold's time run out, by the clock of the row. */
export async function letExpire(holdKey: string): Promise<void> {
  await sql`
    update public.session_holds
    set expires_at = clock_timestamp() - interval '1 second'
    where ${holdKey} in (id, batch_key)`;
}

/** How much a clinic has of what a call writes; a refused call must not change it. */
export async function countRows(clinic: Clinic): Promise<Record<string, number>> {
  const [row] = await sql<[Record<string, number>]>`
    select
      (select count(*)::integer from public.session_holds where organization_id = ${clinic.id}) as holds,
      (select count(*)::integer from public.sessions where organization_id = ${clinic.id}) as sessions,
      (select count(*)::integer from public.calendar_claims where organization_id = ${clinic.id}) as claims,
      (select count(*)::integer from public.idempotency_keys where organization_id = ${clinic.id}) as keys`;
  return row;
}
