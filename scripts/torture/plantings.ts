// Bugs planted on purpose, one after the other: a check that finds nothing is worth something only if it would have
// found these.

import postgres from "postgres";
import type { Stack } from "../stack/index.ts";
import type { AnomalyKind } from "./anomalies.ts";
import { type Report, type RunOptions, torture } from "./run.ts";

export interface Planting {
  name: string;
  /** As superuser, each by itself. */
  plant: string[];
  undo: string[];
  /** Each of these must be found. */
  finds: AnomalyKind[];
  options?: Partial<RunOptions>;
}

const rewritten = (signature: string, from: string, to: string): string =>
  `do $do$ begin
    execute replace(pg_get_functiondef('${signature}'::regprocedure), $from$${from}$from$, $to$${to}$to$);
  end $do$`;

const MOVE = "app.move_session(uuid, jsonb)";
const ANSWER = "app.answer_offer(uuid, jsonb)";
const EDIT = "app.write_series_sessions(app.series_edit, app.series_step[], uuid, public.sessions[])";

const OFF = "app.claims_of_exception(public.availability_exceptions)";
const PLACE = "app.set_place_of_service(uuid, jsonb)";

export const PLANTINGS: readonly Planting[] = [
  {
    // As if somewhere between the database and the caller a commit were taken for granted.
    name: "a commit is swallowed",
    plant: [
      `
      alter function app.run_operation(text, jsonb, text) rename to run_operation_honest;
      create function app.run_operation(operation text, request jsonb, idempotency_key text) returns jsonb
      language plpgsql security definer set search_path = '' as $$
      declare answer jsonb;
      begin
        begin
          answer := app.run_operation_honest(operation, request, idempotency_key);
          if answer ? 'data' and random() < 0.1 then
            raise sqlstate 'HF999';
          end if;
        exception when sqlstate 'HF999' then null;
        end;
        return answer;
      end $$;
      grant execute on function app.run_operation(text, jsonb, text) to authenticated, service_role`,
    ],
    undo: [
      `
      drop function app.run_operation(text, jsonb, text);
      alter function app.run_operation_honest(text, jsonb, text) rename to run_operation`,
    ],
    finds: ["effect_lost"],
  },
  {
    name: "a crash loses what was committed",
    plant: [
      "alter system set synchronous_commit = off",
      "alter system set wal_writer_delay = '10s'",
      "select pg_reload_conf()",
    ],
    undo: [
      "alter system reset synchronous_commit",
      "alter system reset wal_writer_delay",
      "select pg_reload_conf()",
    ],
    finds: ["effect_lost"],
    options: { faultKinds: ["kill_postgres"], faults: 1 },
  },
  {
    name: "a row is leaked",
    plant: [`create policy "a leak" on public.sessions for select to authenticated using (true)`],
    undo: [`drop policy "a leak" on public.sessions`],
    finds: ["leak"],
    options: { weights: { read: 30 } },
  },
  {
    name: "units are not given back",
    plant: ["alter table public.session_holds disable trigger keep_units_after_update"],
    undo: ["alter table public.session_holds enable trigger keep_units_after_update"],
    finds: ["balance_wrong"],
    options: { weights: { release: 40 } },
  },
  {
    name: "an idempotency key is ignored",
    plant: [
      rewritten(
        "app.replay(uuid, text, text, bytea)",
        "  if known.request_hash <> hash then",
        `  delete from public.idempotency_keys
  where organization_id = organization and user_id = auth.uid() and operation = of_operation and key = of_key;
  return null;
  if known.request_hash <> hash then`,
      ),
    ],
    undo: [
      rewritten(
        "app.replay(uuid, text, text, bytea)",
        `  delete from public.idempotency_keys
  where organization_id = organization and user_id = auth.uid() and operation = of_operation and key = of_key;
  return null;
`,
        "",
      ),
    ],
    finds: ["effect_doubled"],
    options: { weights: { repeat: 100 } },
  },
  {
    name: "an event is lost",
    plant: [
      `
      create function audit.lose() returns trigger language plpgsql as 'begin return null; end';
      create trigger lose before insert on audit.events for each row
        when (new.action = 'hold.confirmed' and random() < 0.3) execute function audit.lose()`,
    ],
    undo: ["drop trigger lose on audit.events; drop function audit.lose()"],
    finds: ["audit_incomplete"],
  },
  {
    name: "a revoked role still counts",
    plant: [
      rewritten(
        "app.org_ids_with_role(text[])",
        "membership.revoked_at is null",
        "membership.revoked_at is not distinct from membership.revoked_at",
      ),
    ],
    undo: [
      rewritten(
        "app.org_ids_with_role(text[])",
        "membership.revoked_at is not distinct from membership.revoked_at",
        "membership.revoked_at is null",
      ),
    ],
    finds: ["forbidden_done"],
    options: { weights: { role: 15 } },
  },
  {
    name: "a session that took place is moved",
    plant: [
      rewritten(
        "app.find_own_session(uuid, uuid, integer, text)",
        "session.status <> 'scheduled'",
        "session.status = 'cancelled'",
      ),
      rewritten(MOVE, "session.status <> 'scheduled'", "session.status = 'cancelled'"),
    ],
    undo: [
      rewritten(
        "app.find_own_session(uuid, uuid, integer, text)",
        "session.status = 'cancelled'",
        "session.status <> 'scheduled'",
      ),
      rewritten(MOVE, "session.status = 'cancelled'", "session.status <> 'scheduled'"),
    ],
    finds: ["settled_changed"],
    options: { overdue: 60, weights: { complete: 40, move: 200 } },
  },
  {
    name: "a session that took place is not charged, and its units are not used",
    plant: [
      "alter table public.sessions disable trigger keep_charges_of_changed",
      "alter table public.sessions disable trigger keep_units_after_update",
    ],
    undo: [
      "alter table public.sessions enable trigger keep_charges_of_changed",
      "alter table public.sessions enable trigger keep_units_after_update",
    ],
    finds: ["charge_wrong", "balance_wrong"],
    options: { overdue: 60, operations: 60, weights: { complete: 60 } },
  },
  {
    // Who comes second is told what who came first was told.
    name: "an offer is taken by two",
    plant: [
      rewritten(
        ANSWER,
        "app.book_holds(organization, offer.id, jsonb_build_object('session', request -> 'session'))",
        `case when exists (select from public.session_holds it where it.id = offer.id and it.status = 'confirmed')
        then jsonb_build_object('sessions', app.sessions_json(organization, array[offer.id]))
        else app.book_holds(organization, offer.id, jsonb_build_object()) end`,
      ),
    ],
    undo: [
      rewritten(
        ANSWER,
        `case when exists (select from public.session_holds it where it.id = offer.id and it.status = 'confirmed')
        then jsonb_build_object('sessions', app.sessions_json(organization, array[offer.id]))
        else app.book_holds(organization, offer.id, jsonb_build_object()) end`,
        "app.book_holds(organization, offer.id, jsonb_build_object('session', request -> 'session'))",
      ),
    ],
    finds: ["effect_doubled"],
    options: {
      weights: { wait: 40, confirm: 60, cancel: 60, read_offers: 15, answer_offer: 150 },
      operations: 240,
    },
  },
  {
    name: "a substitute gets no session, and an edit of a series leaves its sessions where they were",
    plant: [
      rewritten(
        "app.substitute_therapist(uuid, jsonb)",
        "app.write_changes(organization, changes)",
        "app.sessions_json(organization, ids)",
      ),
      rewritten(EDIT, "step.kind = 'move' and", "step.kind = 'nothing' and"),
    ],
    undo: [
      rewritten(
        "app.substitute_therapist(uuid, jsonb)",
        "app.sessions_json(organization, ids)",
        "app.write_changes(organization, changes)",
      ),
      rewritten(EDIT, "step.kind = 'nothing' and", "step.kind = 'move' and"),
    ],
    finds: ["effect_doubled", "effect_lost"],
    options: {
      weights: { hold: 10, hold_batch: 40, confirm: 60, substitute: 20, read_series: 20, edit_series: 60 },
      operations: 200,
    },
  },
  {
    name: "time off is booked over, and where a session takes place is not written",
    plant: [
      rewritten(OFF, "exception.status <> 'active'", "exception.status = 'active'"),
      rewritten(PLACE, "set place_of_service = place", "set place_of_service = it.place_of_service"),
    ],
    undo: [
      rewritten(OFF, "exception.status = 'active'", "exception.status <> 'active'"),
      rewritten(PLACE, "set place_of_service = it.place_of_service", "set place_of_service = place"),
    ],
    finds: ["overlap_visible", "effect_lost"],
    options: { weights: { hold: 60, confirm: 60, place: 60, time_off: 60 }, lookEveryMs: 50 },
  },
  {
    name: "a session is billed twice",
    plant: [
      "drop index public.billing_lines_one_live_per_session_idx",
      rewritten("app.is_billed(uuid)", "line.status = 'billed'", "line.status = 'nothing'"),
    ],
    undo: [rewritten("app.is_billed(uuid)", "line.status = 'nothing'", "line.status = 'billed'")],
    finds: ["charge_wrong", "effect_doubled"],
    options: { overdue: 60, weights: { complete: 60, bill: 120 } },
  },
  {
    // And nobody queues: between looking and booking others do the same. What is there afterwards the constraint would
    // not take again, so it comes last.
    name: "the constraint is dropped",
    plant: [
      `
      alter table public.calendar_claims drop constraint calendar_claims_no_overlap;
      alter table public.sessions drop constraint sessions_no_overlap;
      create or replace function app.lock_subjects(subject_ids uuid[]) returns void
      language plpgsql set search_path = '' as 'begin perform pg_sleep(0.02); end';
      create or replace function app.lock_bookings(bookings app.booking[]) returns void
      language plpgsql set search_path = '' as 'begin perform pg_sleep(0.02); end'`,
    ],
    undo: [],
    finds: ["overlap_visible"],
    options: { slots: 6, lookEveryMs: 50 },
  },
];

/** Small and hot: what is planted shows within a few seconds. */
const SMALL: RunOptions = {
  seed: 1,
  clinics: 2,
  slots: 60,
  overdue: 6,
  operations: 120,
  faults: 0,
  sqlUsers: 8,
  httpUsers: 0,
};

/** Chance may spare a small run what was planted: then there is another one, of the next seed. */
const RUNS = 4;

export interface Planted {
  name: string;
  found: Report["anomalies"];
  /** Of what must be found, what was not. */
  missed: AnomalyKind[];
}

/** Plants each bug in a stack that nobody else uses, and says what the checker found. */
export async function plantAll(
  stack: Stack,
  seed: number,
  log: (line: string) => void = () => {},
): Promise<Planted[]> {
  const planted: Planted[] = [];
  for (const { name, plant, undo, finds, options } of PLANTINGS) {
    const admin = postgres(stack.adminDatabaseUrl, { max: 1, onnotice: () => {} });
    try {
      for (const statement of plant) await admin.unsafe(statement);
      let found: Report["anomalies"] = {};
      for (let run = 0; run < RUNS && finds.some((kind) => !found[kind]); run++) {
        const { anomalies } = await torture(stack, { ...SMALL, seed: seed + run, ...options });
        found = { ...found, ...anomalies };
      }
      for (const statement of undo) await admin.unsafe(statement);
      planted.push({ name, found, missed: finds.filter((kind) => !found[kind]) });
      log(`${name}: ${JSON.stringify(found)}`);
    } finally {
      await admin.end();
    }
  }
  return planted;
}
