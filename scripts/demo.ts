// `npm run demo`: the main job on a stack of its own. A therapist holds a time, a scheduler is refused with a useful
// answer, the therapist confirms and cancels; the scheduler looks for open times and holds a series across a change of
// the clock; then the audit trail. Progress goes to stderr, the story to stdout.

import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { formatInTimeZone } from "date-fns-tz";
import ws from "ws";
import { localToInstant, offsetMinutes } from "../src/lib/timezone.ts";
import { argumentsOf } from "./arguments.ts";
import { type Stack, startStack } from "./stack/index.ts";

argumentsOf("Usage: npm run demo. Tells the main job on a stack of its own.\n", {});

const timeZone = "America/Los_Angeles";
const rosa = { id: "c0000000-0000-4000-8000-000000000001", email: "rosa@willowcreek.example" };
const aspen = "d0000000-0000-4000-8000-000000000001";
const clinic = "b0000000-0000-4000-8000-000000000001";

const started = performance.now();
const progress = (line: string): void => {
  process.stderr.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${line}\n`);
};

progress("starting Postgres, the API and the Edge Functions");
const stack = await startStack({ seed: true, log: progress });
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void stack.stop().then(() => process.exit(130)));
}
try {
  await tell(stack);
} finally {
  await stack.stop();
  progress("stopped");
}

async function tell({ url, publishableKey }: Stack): Promise<void> {
  const therapist = await signIn(url, publishableKey, rosa.email);
  const scheduler = await signIn(url, publishableKey, "scheduler@willowcreek.example");
  const admin = await signIn(url, publishableKey, "admin@willowcreek.example");
  const slot = nextTuesday("15:00", "17:00");

  say("1. Rosa, a therapist, holds Tuesday 15:00 to 17:00 with a client.");
  const held = await call(therapist, "sessions-hold", {
    therapist_id: rosa.id,
    client_id: aspen,
    service_code: "97153",
    time_zone: timeZone,
    ...slot,
  });

  say(
    "2. The scheduler wants the same time: refused, with the reason, until when, and the nearest open times.",
  );
  await call(scheduler, "sessions-hold", {
    therapist_id: rosa.id,
    client_id: aspen,
    service_code: "97153",
    time_zone: timeZone,
    ...slot,
  });

  say("3. Rosa confirms: the hold becomes a session, with its CPT code and units.");
  const confirmed = await call(therapist, "sessions-confirm", {
    hold_key: held.data.hold_key,
    session: { place_of_service: "12" },
  });

  say("4. The family cancels: the time is free again at once.");
  await call(scheduler, "sessions-cancel", {
    session_ids: [confirmed.data.session.id],
    cancelled_by: "client",
    reason: "Family is travelling",
  });

  say("5. The scheduler looks for two hours on that day, with any therapist who is qualified and assigned.");
  await call(scheduler, "sessions-availability", {
    client_id: aspen,
    service_code: "97153",
    duration_minutes: 120,
    step_minutes: 60,
    time_zone: timeZone,
    range_start: slot.start_time,
    range_end: new Date(Date.parse(slot.end_time) + 3 * 3_600_000).toISOString(),
  });

  say(
    "6. She holds four Tuesdays, except the second: the wall clock stays, the offset is what the zone says each day.",
  );
  await call(scheduler, "sessions-hold", {
    therapist_id: rosa.id,
    client_id: aspen,
    service_code: "97153",
    time_zone: timeZone,
    ...slot,
    recurrence: {
      rule: "FREQ=WEEKLY;COUNT=4",
      exdates: [formatInTimeZone(Date.parse(slot.start_time) + 7 * 86_400_000, timeZone, "yyyy-MM-dd")],
    },
  });

  say("7. The audit trail, as the clinic's admin reads it (the seeded sessions came first).");
  const { data: events, error } = await admin.rpc("list_audit_events", { organization: clinic, max_rows: 8 });
  if (error) throw error;
  for (const event of events.reverse()) {
    const outcome = event.decision === "allow" ? "allow" : `deny (${event.code})`;
    process.stdout.write(`   ${event.occurred_at.slice(11, 19)}  ${event.action.padEnd(21)}  ${outcome}\n`);
  }
}

async function signIn(url: string, key: string, email: string): Promise<SupabaseClient> {
  const client = createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { transport: ws as unknown as typeof WebSocket },
  });
  const { error } = await client.auth.signInWithPassword({ email, password: "holdfast-demo" });
  if (error) throw error;
  return client;
}

/** Calls a function as an app does, and shows both sides. */
async function call(client: SupabaseClient, name: string, body: object) {
  process.stdout.write(`   POST /functions/v1/${name}\n${indent(body)}\n`);
  const { data, error, response } = await client.functions.invoke(name, { body });
  if (!response) throw error;
  const answer = error ? await response.json() : data;
  const retryAfter = response.headers.get("retry-after");
  process.stdout.write(
    `   → ${response.status}${retryAfter ? `, Retry-After: ${retryAfter}` : ""}\n${indent(answer)}\n`,
  );
  return answer;
}

/** JSON for reading: small objects on one line. */
function indent(value: unknown): string {
  return JSON.stringify(value, null, 2)
    .replace(/\{\n\s+([^{}[\]]{1,120}?)\n\s+\}/g, (_, inner: string) => `{ ${inner.replace(/\n\s+/g, " ")} }`)
    .replace(/^/gm, "     ");
}

function say(sentence: string): void {
  process.stdout.write(`\n${sentence}\n\n`);
}

/** Next week's Tuesday in the clinic's zone, as the wire has it. */
function nextTuesday(from: string, to: string) {
  const day = new Date(Date.now() + 7 * 86_400_000);
  day.setUTCDate(day.getUTCDate() + ((2 - day.getUTCDay() + 7) % 7));
  const date = day.toISOString().slice(0, 10);
  const [start, end] = [from, to].map((time) => new Date(localToInstant(`${date}T${time}:00`, timeZone))) as [
    Date,
    Date,
  ];
  return {
    start_time: start.toISOString(),
    end_time: end.toISOString(),
    start_time_offset_minutes: offsetMinutes(start, timeZone),
    end_time_offset_minutes: offsetMinutes(end, timeZone),
  };
}
