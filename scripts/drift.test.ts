import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compare, type Difference } from "./drift/compare.ts";
import { changedLines, report } from "./drift/report.ts";
import { readSnapshot, type Snapshot } from "./drift/snapshot.ts";
import { connectionError, parseRemote, RemoteError } from "./remote.ts";
import { type Stack, startStack } from "./stack/index.ts";
import { freePort } from "./stack/ports.ts";

// One thing of every kind, so that the tests hold whatever the migrations come to declare.
const fixture = `
  create table public.probe_parents (id uuid primary key);
  create table public.probes (
    id uuid primary key,
    parent_id uuid references public.probe_parents (id),
    state text not null default 'new',
    note text,
    constraint probes_state_known check (state in ('new', 'old'))
  );
  comment on column public.probes.note is 'PHI: free text.';
  create index probes_parent_id_idx on public.probes (parent_id);
  alter table public.probes enable row level security;
  create policy "probes are seen by their parent" on public.probes
    for select to authenticated using (parent_id = (select auth.uid()));
  grant select, insert (id, state) on public.probes to authenticated;

  create function app.probe_state(wanted text) returns text language plpgsql stable set search_path = '' as $$
begin
  if wanted = 'new' then
    return 'new';
  end if;
  return 'old';
end
$$;
  create function app.stamp_probe() returns trigger language plpgsql set search_path = '' as $$
begin
  return new;
end
$$;
  create trigger stamp_probe before insert on public.probes for each row execute function app.stamp_probe();
  create view public.probe_list with (security_invoker = true) as select id, state from public.probes;
  create type app.probe_kind as enum ('a', 'b');
  create domain app.probe_code as text constraint probe_code_form check (value ~ '^[a-z]+$');
  create sequence app.probe_numbers;

  create table audit.probe_events (at timestamptz not null, what text) partition by range (at);
  create table audit.probe_events_1 partition of audit.probe_events for values from ('2026-01-01') to ('2026-02-01');
  create index on audit.probe_events (at);
  alter table audit.probe_events enable row level security;
  alter table audit.probe_events_1 enable row level security;
  create trigger stamp_probe before insert on audit.probe_events for each row execute function app.stamp_probe();

  create policy "probes are kept apart" on storage.objects for select to authenticated using (bucket_id = 'probes');
`;
const nextPartition = `
  create table audit.probe_events_2 partition of audit.probe_events for values from ('2026-02-01') to ('2026-03-01');
`;
const table = "public.probes";

let stack: Stack;
let admin: Sql;
let reference: Snapshot;

beforeAll(async () => {
  stack = await startStack({ functions: false });
  admin = postgres(stack.adminDatabaseUrl, { max: 1, onnotice: () => {} });
  reference = await snapshotAfter("");
});
afterAll(async () => {
  await admin.end();
  await stack.stop();
});

/** The database with the fixture and a change, neither of which stays. */
async function snapshotAfter(change: string): Promise<Snapshot> {
  let snapshot: Snapshot | undefined;
  const undo = new Error("undo");
  await admin
    .begin(async (transaction) => {
      await transaction.unsafe(`set local role postgres; ${fixture}; ${change}`);
      snapshot = await readSnapshot(transaction);
      throw undo;
    })
    .catch((error) => {
      if (error !== undo) throw error;
    });
  if (!snapshot) throw new Error("no snapshot was taken");
  return snapshot;
}

async function driftAfter(change: string): Promise<Difference[]> {
  return compare(reference, await snapshotAfter(change));
}

/** The report without its heading lines: what is said of each difference. */
async function saidAfter(change: string): Promise<string[]> {
  const lines = report(await driftAfter(change))
    .trimEnd()
    .split("\n")
    .slice(1);
  return lines.filter((line) => line.startsWith("  ")).map((line) => line.slice(2));
}

interface Plant {
  does: string;
  change: string;
  said: string[];
}

const plants: Plant[] = [
  {
    does: "a dropped policy",
    change: `drop policy "probes are seen by their parent" on ${table}`,
    said: [`missing: "probes are seen by their parent" on ${table}`],
  },
  {
    does: "a policy widened to true",
    change: `alter policy "probes are seen by their parent" on ${table} using (true)`,
    said: [
      `changed: "probes are seen by their parent" on ${table}`,
      "  using: expected (parent_id = ( SELECT auth.uid() AS uid)), found true",
    ],
  },
  {
    does: "a policy given to everybody",
    change: `alter policy "probes are seen by their parent" on ${table} to public`,
    said: [
      `changed: "probes are seen by their parent" on ${table}`,
      "  roles: expected authenticated, found PUBLIC",
    ],
  },
  {
    does: "a policy on stored files that nobody wrote into a migration",
    change: "create policy everything on storage.objects for all to anon using (true)",
    said: [
      "unexpected: everything on storage.objects",
      "  command: all",
      "  form: permissive",
      "  roles: anon",
      "  using: true",
    ],
  },
  {
    does: "a dropped policy on stored files",
    change: `drop policy "probes are kept apart" on storage.objects`,
    said: [`missing: "probes are kept apart" on storage.objects`],
  },
  {
    does: "a policy on private channels that nobody wrote into a migration",
    change: "create policy everything on realtime.messages for insert to authenticated with check (true)",
    said: [
      "unexpected: everything on realtime.messages",
      "  command: insert",
      "  form: permissive",
      "  roles: authenticated",
      "  with check: true",
    ],
  },
  {
    does: "stored files without row-level security",
    change: "reset role; alter table storage.objects disable row level security",
    said: ["unexpected: storage.objects without row-level security"],
  },
  {
    does: "a grant of a table",
    change: `grant select, delete on ${table} to anon`,
    said: [`unexpected: table ${table} to anon`, "  privileges: delete, select"],
  },
  {
    does: "a revoked grant of a table",
    change: `revoke select on ${table} from authenticated; grant select (id) on ${table} to authenticated`,
    said: [
      `changed: column ${table}.id to authenticated`,
      "  privileges: expected insert, found insert, select",
      `missing: table ${table} to authenticated`,
    ],
  },
  {
    does: "a grant that may be passed on",
    change: `grant select on ${table} to authenticated with grant option`,
    said: [
      `changed: table ${table} to authenticated`,
      "  privileges: expected select, found select (may grant it on)",
    ],
  },
  {
    does: "a right taken from the owner, on which definer functions stand",
    change: `revoke insert on ${table} from postgres`,
    said: [
      `changed: table ${table} to its owner`,
      "  privileges: expected delete, insert, maintain, references, select, trigger, truncate, update, " +
        "found delete, maintain, references, select, trigger, truncate, update",
    ],
  },
  {
    does: "a function that everybody may call",
    change: "grant execute on function app.probe_state to public",
    said: ["unexpected: function app.probe_state(text) to PUBLIC", "  privileges: execute"],
  },
  {
    does: "a schema that is opened",
    change: "grant usage on schema audit to anon",
    said: ["unexpected: schema audit to anon", "  privileges: usage"],
  },
  {
    does: "default privileges that are given back",
    change: `
      alter default privileges grant execute on functions to public;
      alter default privileges in schema public grant select on tables to anon`,
    said: [
      "unexpected: functions that postgres makes in any schema, to PUBLIC",
      "  privileges: execute",
      "unexpected: tables that postgres makes in schema public, to anon",
      "  privileges: select",
    ],
  },
  {
    does: "a replaced function body, by its changed lines",
    change: `
      create or replace function app.probe_state(wanted text) returns text language plpgsql stable set search_path = '' as $$
begin
  if wanted in ('new', 'fresh') then
    return 'new';
  end if;
  return 'old';
end
$$`,
    said: [
      "changed: app.probe_state(text)",
      "  body: expected (-), found (+)",
      "    -   if wanted = 'new' then",
      "    +   if wanted in ('new', 'fresh') then",
    ],
  },
  {
    does: "a function made definer, volatile and without its settings",
    change: "alter function app.probe_state security definer volatile reset all",
    said: [
      "changed: app.probe_state(text)",
      "  security: expected invoker, found definer",
      '  settings: expected search_path="", found none',
      "  volatility: expected stable, found volatile",
    ],
  },
  {
    does: "a function of another owner",
    change: "reset role; alter function app.probe_state owner to supabase_admin",
    said: ["changed: app.probe_state(text)", "  owner: expected postgres, found supabase_admin"],
  },
  {
    does: "a disabled trigger",
    change: `alter table ${table} disable trigger stamp_probe`,
    said: [`changed: stamp_probe on ${table}`, "  state: expected enabled, found disabled"],
  },
  {
    does: "a dropped trigger",
    change: `drop trigger stamp_probe on ${table}`,
    said: [`missing: stamp_probe on ${table}`],
  },
  {
    does: "a trigger on a table of the platform that runs a function of ours",
    change: `
      reset role;
      create trigger probe after insert on auth.users for each row execute function app.stamp_probe()`,
    said: [
      "unexpected: probe on auth.users",
      "  definition: CREATE TRIGGER probe AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION app.stamp_probe()",
      "  state: enabled",
    ],
  },
  {
    does: "foreign keys that a superuser has switched off",
    change: `reset role; alter table ${table} disable trigger all`,
    said: [
      `changed: stamp_probe on ${table}`,
      "  state: expected enabled, found disabled",
      `changed: probes_parent_id_fkey on ${table}`,
      "  enforced: expected yes, found no",
    ],
  },
  {
    does: "a rule that swallows writes",
    change: `create rule swallow as on insert to ${table} do instead nothing`,
    said: [
      `unexpected: swallow on ${table}`,
      "  definition:",
      "    CREATE RULE swallow AS",
      `        ON INSERT TO ${table} DO INSTEAD NOTHING;`,
      "  state: enabled",
    ],
  },
  {
    does: "an added table, once",
    change: "create table public.strays (id bigint generated always as identity primary key)",
    said: [
      "unexpected: public.strays",
      "  owner: postgres",
      "  row-level security: disabled",
      "  row-level security for the owner: not forced",
    ],
  },
  {
    does: "a table that is gone, once",
    change: `drop table ${table} cascade`,
    said: [`missing: ${table}`, "missing: public.probe_list"],
  },
  {
    does: "row-level security that is off",
    change: `alter table ${table} disable row level security`,
    said: [`changed: ${table}`, "  row-level security: expected enabled, found disabled"],
  },
  {
    does: "a table that is published",
    change: `reset role; alter publication supabase_realtime add table ${table}`,
    said: [`changed: ${table}`, "  published by: expected none, found supabase_realtime"],
  },
  {
    does: "a changed column default, type and nullability",
    change: `alter table ${table} alter state set default 'old', alter state drop not null, alter note type varchar(9)`,
    said: [
      `changed: ${table}.note`,
      "  type: expected text, found character varying(9)",
      `changed: ${table}.state`,
      "  default: expected 'new'::text, found 'old'::text",
      "  null: expected not allowed, found allowed",
    ],
  },
  {
    does: "a column that is no longer marked as PHI",
    change: `comment on column ${table}.note is 'free text'`,
    said: [`changed: ${table}.note`, "  PHI comment: expected PHI: free text., found none"],
  },
  {
    does: "an added column and a dropped one",
    change: `alter table ${table} add extra integer, drop note`,
    said: [`unexpected: ${table}.extra`, "  null: allowed", "  type: integer", `missing: ${table}.note`],
  },
  {
    does: "a dropped constraint",
    change: `alter table ${table} drop constraint probes_state_known`,
    said: [`missing: probes_state_known on ${table}`],
  },
  {
    does: "a constraint that was put back without a look at the rows",
    change: `
      alter table ${table} drop constraint probes_parent_id_fkey;
      alter table ${table} add constraint probes_parent_id_fkey
        foreign key (parent_id) references public.probe_parents (id) not valid`,
    said: [
      `changed: probes_parent_id_fkey on ${table}`,
      "  definition: expected FOREIGN KEY (parent_id) REFERENCES public.probe_parents(id), " +
        "found FOREIGN KEY (parent_id) REFERENCES public.probe_parents(id) NOT VALID",
    ],
  },
  {
    does: "an added index and a dropped one",
    change: `create index probes_state_idx on ${table} (state); drop index public.probes_parent_id_idx`,
    said: [
      `missing: public.probes_parent_id_idx on ${table}`,
      `unexpected: public.probes_state_idx on ${table}`,
      "  definition: CREATE INDEX probes_state_idx ON public.probes USING btree (state)",
      "  valid: yes",
    ],
  },
  {
    does: "a view that reads with its owner's rights",
    change: "alter view public.probe_list reset (security_invoker)",
    said: ["changed: public.probe_list", "  options: expected security_invoker=true, found none"],
  },
  {
    does: "a view with another query",
    change:
      "create or replace view public.probe_list with (security_invoker = true) as select id, note as state from public.probes",
    said: [
      "changed: public.probe_list",
      "  definition: expected (-), found (+)",
      "    -     state",
      "    +     note AS state",
    ],
  },
  {
    does: "a type with another value",
    change: "alter type app.probe_kind add value 'c'",
    said: ["changed: app.probe_kind", "  values: expected 'a', 'b', found 'a', 'b', 'c'"],
  },
  {
    does: "a domain that takes anything",
    change: "alter domain app.probe_code drop constraint probe_code_form",
    said: ["missing: probe_code_form on type app.probe_code"],
  },
  {
    does: "a materialized view, which row-level security does not reach",
    change: "create materialized view public.strays as select 1 as id",
    said: ["unexpected: public.strays", "  definition:  SELECT 1 AS id;", "  owner: postgres"],
  },
  {
    does: "a sequence that counts otherwise",
    change: "alter sequence app.probe_numbers increment by 2",
    said: [
      "changed: app.probe_numbers",
      "  counts: expected bigint from 1 by 1, between 1 and 9223372036854775807, " +
        "found bigint from 1 by 2, between 1 and 9223372036854775807",
    ],
  },
  {
    does: "an API role that passes row-level security",
    change: "reset role; alter role authenticated bypassrls; grant service_role to anon",
    said: [
      "changed: anon",
      "  member of: expected none, found service_role",
      "changed: authenticated",
      "  bypasses row-level security: expected false, found true",
    ],
  },
  {
    does: "a partition that is kept otherwise than those of the migrations",
    change: `${nextPartition}; grant select on audit.probe_events_2 to anon`,
    said: [
      "unexpected: table audit.probe_events_2 to anon",
      "  privileges: select",
      "changed: audit.probe_events_2",
      "  row-level security: expected enabled, found disabled",
    ],
  },
];

describe("drift is found and named:", () => {
  it.each(plants)("$does", async ({ change, said }) => {
    expect(await saidAfter(change)).toEqual(said);
  });

  it("no drift where a change was undone", async () => {
    expect(
      await driftAfter(`alter table ${table} disable trigger stamp_probe, enable trigger stamp_probe`),
    ).toEqual([]);
  });

  it("no drift in what is not the migrations' own", async () => {
    const elsewhere = `
      reset role;
      create schema tests;
      create function tests.helper() returns int language sql as 'select 1';
      grant all on schema auth to anon;
      create extension citext with schema public;
      set local role postgres;
      ${nextPartition};
      alter table audit.probe_events_2 enable row level security`;
    expect(await driftAfter(elsewhere)).toEqual([]);
  });

  it("no drift in what a hosted project has before its first migration", async () => {
    const hosted = `
      reset role;
      grant usage on schema public to postgres;
      alter default privileges for role supabase_admin in schema public grant all on tables
        to postgres, anon, authenticated, service_role;
      alter default privileges for role postgres in schema public grant all on tables to postgres;
      alter default privileges for role postgres in schema public grant all on functions to postgres`;
    expect(await driftAfter(hosted)).toEqual([]);
  });
});

describe("the report", () => {
  it("has the headings of the kinds that differ, those that open doors first", async () => {
    const change = `alter table ${table} disable row level security; grant select on ${table} to anon`;
    expect(report(await driftAfter(change))).toBe(
      [
        "drift: 2 differences",
        "",
        "Grants",
        `  unexpected: table ${table} to anon`,
        "    privileges: select",
        "",
        "Tables",
        `  changed: ${table}`,
        "    row-level security: expected enabled, found disabled",
        "",
      ].join("\n"),
    );
    expect(report([])).toBe("no drift\n");
  });

  it("gives changed lines in the order of the text, and only those", () => {
    expect(changedLines("a\nb\nc\nd", "a\nx\nc\nd\ne")).toEqual(["- b", "+ x", "+ e"]);
    expect(changedLines("", "a")).toEqual(["- ", "+ a"]);
    expect(changedLines("a\nb", "a\nb")).toEqual([]);
  });

  it("shows control characters by their number, so that a name cannot steer the terminal", async () => {
    const said = await saidAfter(`alter table ${table} add "\u001b[2J" integer`);
    expect(said[0]).toBe(`unexpected: ${table}."\\u{1b}[2J"`);
  });
});

interface Run {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the command; `whenRead` is called once it has read the live database and goes on to the reference. */
function drift(args: string[], whenRead: () => void = () => {}): Promise<Run> {
  const path = fileURLToPath(new URL("drift.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", path, ...args]);
  const run: Run = { code: null, stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => (run.stdout += chunk));
  child.stderr.on("data", (chunk) => {
    run.stderr += chunk;
    if (run.stderr.includes("making the reference")) whenRead();
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ ...run, code })));
}

describe("npm run drift", () => {
  it("exits with 0 where nothing differs and with 1 where something does, in words or JSON", async () => {
    let equal: Promise<Run> | undefined;
    await new Promise<void>((resolve) => {
      equal = drift(["--remote", stack.databaseUrl], resolve);
      void equal.then(() => resolve());
    });
    await admin.unsafe("set role postgres; create view public.strays as select 1 as id; reset role");
    const drifted = await drift(["--json", "--remote", stack.databaseUrl]);
    await admin`drop view public.strays`;

    expect(await equal).toMatchObject({ code: 0, stdout: "no drift\n" });
    expect(drifted.code, drifted.stderr).toBe(1);
    expect(JSON.parse(drifted.stdout)).toEqual({
      drift: true,
      differences: [
        {
          kind: "view",
          name: "public.strays",
          change: "unexpected",
          facts: [
            { fact: "definition", expected: null, found: " SELECT 1 AS id;" },
            { fact: "owner", expected: null, found: "postgres" },
          ],
        },
      ],
    });
  });

  it("exits with 2, says why and keeps the password to itself when nothing can be compared", async () => {
    const nowhere = `127.0.0.1:${await freePort()}`;
    const { port } = new URL(stack.databaseUrl);
    const secret = "hunter2%2Fhunter2";
    const failures = await Promise.all([
      drift(["--json", "--remote", `postgres://postgres:${secret}@${nowhere}/postgres`]),
      drift(["--remote", `postgres://postgres:${secret}@127.0.0.1:${port}/postgres`]),
      drift(["--remote", "postgres://postgres:hunter2/hunter2@127.0.0.1:5432/postgres"]),
      drift(["--remotely", `postgres://postgres:${secret}@${nowhere}/postgres`]),
      drift([]),
    ]);
    const messages = [
      `drift: Cannot read ${nowhere}/postgres as postgres: nothing listens there. (ECONNREFUSED)`,
      `drift: Cannot read 127.0.0.1:${port}/postgres as postgres: the password is wrong. (28P01)`,
      "drift: --remote is not a URL like postgres://",
      "drift: there is an argument too many, or one without its value.",
      "drift: --remote is missing.",
    ];
    for (const [index, { code, stdout, stderr }] of failures.entries()) {
      expect(code, stderr).toBe(2);
      expect(stderr).toContain(messages[index]);
      expect(stdout + stderr).not.toContain("hunter2");
    }
    expect(JSON.parse(failures[0]?.stdout ?? "").error.code).toBe("ECONNREFUSED");
  });

  it("keeps the password out of what it has no sentence for", () => {
    const remote = parseRemote("postgres://someone:a%2Fb-secret@db.example/postgres");
    const error = connectionError(new Error("no a/b-secret, no a%2Fb-secret"), remote);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error.message).toBe("Cannot read db.example:5432/postgres as someone: no ***, no ***");
  });
});
