// A model of access: random clinics, people, roles and rows; what each user sees and touches in the database must be
// what oracle.ts, written from the design's table of roles, says they may.

import fc from "fast-check";
import type { ReservedSql } from "postgres";
import { describe, expect, it } from "vitest";
import { sql } from "../support/stack.ts";
import { type Access, allowed, type Token, type World } from "./oracle.ts";
import { build, type Labelled, recipes } from "./random-worlds.ts";
import { writeWorld } from "./write-world.ts";

const RUNS = 14;
/** Some ten thousand statements a world, on a machine that others use too. */
const TIMEOUT_MS = 240_000;

/** Every table and view: its key, and the column that the UPDATE of the comparison leaves as it is. */
const TABLES: Record<string, { key: string; column?: string }> = {
  organizations: { key: "id", column: "name" },
  active_organizations: { key: "user_id", column: "organization_id" },
  user_roles: { key: "id", column: "expires_at" },
  therapists: { key: "id", column: "credential" },
  clients: { key: "id", column: "status" },
  rooms: { key: "id", column: "name" },
  services: { key: "id", column: "name" },
  care_team_assignments: { key: "id", column: "ends_on" },
  supervisions: { key: "id", column: "ends_on" },
  client_guardians: { key: "id", column: "ends_on" },
  payers: { key: "id", column: "name" },
  payer_rules: { key: "id", column: "ends_on" },
  payer_modifiers: { key: "id", column: "ends_on" },
  session_charges: { key: "concat_ws(' ', session_id, kind)" },
  billing_profiles: { key: "id", column: "ends_on" },
  payer_rates: { key: "id", column: "ends_on" },
  billing_batches: { key: "id", column: "usage" },
  billing_cases: { key: "id", column: "frequency" },
  billing_lines: { key: "id", column: "units" },
  client_coverages: { key: "id", column: "ends_on" },
  therapist_availability: { key: "id", column: "local_end" },
  client_preferred_hours: { key: "id", column: "local_end" },
  availability_exceptions: { key: "id", column: "status" },
  buffer_rules: { key: "id", column: "minutes_after" },
  cancellation_rules: { key: "id", column: "minimum_notice_hours" },
  consent_forms: { key: "id", column: "title" },
  consent_signatures: { key: "id", column: "form_code" },
  service_consents: { key: "id", column: "ends_on" },
  session_series: { key: "id", column: "status" },
  session_teams: { key: "id", column: "start_time" },
  waitlist_entries: { key: "id", column: "status" },
  waitlist_times: { key: "id", column: "local_end" },
  session_groups: { key: "id", column: "start_time" },
  sessions: { key: "id", column: "status" },
  session_holds: { key: "id", column: "status" },
  referrals: { key: "id", column: "status" },
  access_alerts: { key: "id", column: "status" },
  access_thresholds: { key: "organization_id", column: "denials" },
  service_accounts: { key: "id", column: "name" },
  denied_attempts: { key: "id" },
  family_clients: { key: "client_id" },
  family_sessions: { key: "session_id" },
  referral_summaries: { key: "referral_id" },
  session_attendance: { key: "session_id" },
  unbilled_sessions: { key: "session_id" },
};
/** The same for everybody, or for nobody. */
const NO_TENANTS_ROWS = [
  "cpt_codes",
  "credentials",
  "mue_limits",
  "places_of_service",
  "role_permissions",
  "roles",
];
const CLOSED = [
  "attendance_marks",
  "authorization_codes",
  "authorization_entries",
  "authorization_periods",
  "authorizations",
  "calendar_claims",
  "client_keys",
  "documents",
  "idempotency_keys",
  "service_account_tokens",
  "session_note_versions",
  "session_notes",
];

async function inTransaction<T>(work: (connection: ReservedSql) => Promise<T>): Promise<T> {
  const connection = await sql.reserve();
  try {
    await connection`begin`;
    return await work(connection);
  } finally {
    await connection`rollback`;
    connection.release();
  }
}

/** What came of a statement: the keys of the rows that it gave or touched, or the SQLSTATE that refused it. */
type Outcome = string[] | string;

interface Observed {
  see: Record<string, Outcome>;
  change: Record<string, Outcome>;
  remove: Record<string, Outcome>;
}

/** As PostgREST does it: role authenticated, and the token's claims in a setting. Every write is undone. */
async function observe(connection: ReservedSql, world: World, token: Token): Promise<Observed> {
  const claims = {
    sub: token.user,
    session_id: token.user,
    role: "authenticated",
    aal: token.aal,
    ...(token.organization && { org_id: token.organization }),
  };
  const observed: Observed = { see: {}, change: {}, remove: {} };
  const pending: Promise<unknown>[] = [];
  // Sent without waiting, one behind the other: some ten thousand statements.
  const send = (statement: string) => {
    const answer = connection.unsafe(statement).then(
      (rows) => rows.map((row) => String(Object.values(row)[0])),
      (error: { code: string }) => error.code,
    );
    pending.push(answer);
    return answer;
  };
  const run = (into: Record<string, Outcome>, table: string, statement: string) => {
    send("savepoint before");
    pending.push(
      send(statement).then((outcome) => {
        into[table] = outcome;
      }),
    );
    send("rollback to savepoint before");
  };

  await connection`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
  await connection`set local role authenticated`;
  for (const [table, { key, column }] of Object.entries(TABLES)) {
    run(observed.see, table, `select ${key} from public.${table}`);
    if (!column) continue;
    // The stack is shared: rows of other tests are not to be locked.
    const keys = (world[table as keyof World] as { id: string }[]).map(({ id }) => id);
    const ours = `where ${key} = any ('{${keys}}'::uuid[])`;
    run(observed.change, table, `update public.${table} set ${column} = ${column} ${ours} returning ${key}`);
    run(observed.remove, table, `delete from public.${table} ${ours}`);
  }
  for (const table of CLOSED) run(observed.see, table, `select 1 from public.${table}`);
  await Promise.all(pending);
  await connection`reset role`;
  return observed;
}

/** Each point at which the database and the oracle disagree, in words. */
function disagreements(world: Labelled, token: Token, observed: Observed): string[] {
  const expected = allowed(world, token);
  const found: string[] = [];
  const name = (id: string) => world.labels.get(id) ?? `a stranger's ${id}`;
  const compare = (what: keyof Access, table: string, outcome: Outcome | undefined, wanted: Outcome) => {
    const whole = Array.isArray(outcome) && Array.isArray(wanted);
    if (!whole) {
      if (outcome !== wanted) found.push(`${what} ${table}: database ${outcome}, oracle ${wanted}`);
      return;
    }
    // A super admin sees every tenant, those of other tests too.
    const got = table === "organizations" ? outcome.filter((id) => world.labels.has(id)) : outcome;
    const extra = got.filter((id) => !wanted.includes(id)).map(name);
    const missing = wanted.filter((id) => !got.includes(id)).map(name);
    if (extra.length > 0) found.push(`${what} ${table}: only the database allows ${extra.join(", ")}`);
    if (missing.length > 0) found.push(`${what} ${table}: only the oracle allows ${missing.join(", ")}`);
    if (new Set(got).size < got.length) found.push(`${what} ${table}: the database repeats rows`);
  };
  for (const [table, { column }] of Object.entries(TABLES)) {
    compare("see", table, observed.see[table], expected.see[table] ?? DENIED);
    if (!column) continue;
    compare("change", table, observed.change[table], expected.change[table] ?? DENIED);
    if (observed.remove[table] !== DENIED)
      found.push(`delete ${table}: ${observed.remove[table]}, not ${DENIED}`);
  }
  for (const table of CLOSED) compare("see", table, observed.see[table], DENIED);
  const who = describeToken(world, token);
  return found.map((line) => `${who}: ${line}`);
}

const DENIED = "42501";

function describeToken(world: Labelled, { user, aal, organization }: Token): string {
  const name = (id: string | null) => (id === null ? "the platform" : world.labels.get(id));
  const roles = world.user_roles
    .filter((row) => row.user === user)
    .map((row) => {
      const over = row.revoked ? " revoked" : row.expiresAt && row.expiresAt < world.now ? " expired" : "";
      return `${row.role} of ${name(row.organization)}${over}`;
    });
  const banned = world.users.some((row) => row.id === user && row.banned) ? " banned" : "";
  return `${name(user)}${banned} (${roles.join(", ")}; ${aal}; ${organization ? `org_id ${name(organization)}` : "no org_id"})`;
}

describe("the model", () => {
  it("names every table and view of public", async () => {
    const relations = await sql`
      select relname from pg_class
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
      order by relname`;
    expect(relations.map(({ relname }) => relname)).toEqual(
      [...Object.keys(TABLES), ...NO_TENANTS_ROWS, ...CLOSED].sort(),
    );
  });

  it(
    "agrees with the database on every row that anybody sees, changes or deletes",
    async () => {
      // Whether somebody was allowed something, and somebody nothing: agreement about nothing proves nothing.
      const exercised = new Map<string, Set<boolean>>();
      const runs = fc.asyncProperty(recipes, async (recipe) => {
        const found = await inTransaction(async (connection) => {
          const [clock] = await connection<{ now: Date }[]>`select now()`;
          const world = build(recipe, clock?.now ?? new Date());
          await writeWorld(connection, world, recipe);
          const lines: string[] = [];
          for (const token of world.tokens) {
            lines.push(...disagreements(world, token, await observe(connection, world, token)));
            for (const [what, ids] of permissions(world, token)) {
              exercised.set(what, (exercised.get(what) ?? new Set()).add(ids.length > 0));
            }
          }
          return lines;
        });
        if (found.length > 0) throw new Error(found.join("\n"));
      });
      // A world shrinks for minutes, and the lines say enough. With endOnFailure off, fast-check looks for a small one.
      const { failed, errorInstance, numRuns, seed } = await fc.check(runs, {
        numRuns: RUNS,
        endOnFailure: true,
      });
      if (failed) throw new Error(`in world ${numRuns} of seed ${seed}`, { cause: errorInstance });

      for (const [what, outcomes] of exercised) expect([...outcomes].sort(), what).toEqual([false, true]);
    },
    TIMEOUT_MS,
  );
});

/** The oracle's answers, each by the name of the operation and the table. */
function permissions(world: World, token: Token): [string, string[]][] {
  const { see, change } = allowed(world, token);
  return [
    ...Object.entries(see).map(([table, ids]): [string, string[]] => [`see ${table}`, ids]),
    ...Object.entries(change).map(([table, ids]): [string, string[]] => [`change ${table}`, ids]),
  ];
}
