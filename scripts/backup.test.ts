// A copy of a clinic in work, in files, and out of them into an empty stack: what was true is true there, and what is not a whole
// and unaltered copy leaves nothing behind.

import { createHash } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { createClient } from "@supabase/supabase-js";
import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import ws from "ws";
import { startOwnStack } from "../supabase/tests/support/own-stack.ts";
import { readHead } from "./audit/trail.ts";
import { dump } from "./backup/dump.ts";
import { type Manifest, readManifest } from "./backup/manifest.ts";
import { prove } from "./backup/prove.ts";
import { restore } from "./backup/restore.ts";
import type { Stack } from "./stack/index.ts";

let stacks: [Stack, Stack];
/** As role postgres, which is no superuser: who restores a hosted project is none either. */
let from: Sql;
let to: Sql;
let parent: string;
let backup: string;
let manifest: Manifest;

const organization = "b0000000-0000-4000-8000-000000000001";
const birch = "d0000000-0000-4000-8000-000000000002";

beforeAll(async () => {
  stacks = await Promise.all([
    startOwnStack({ functions: false, seed: true }),
    startOwnStack({ functions: false }),
  ]);
  [from, to] = stacks.map(({ databaseUrl }) => postgres(databaseUrl, { max: 2, onnotice: () => {} })) as [
    Sql,
    Sql,
  ];
  await from`
    with payer as (
      insert into public.payers (organization_id, name) values (${organization}, 'Payer') returning id),
    covered as (
      insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
      select ${organization}, ${birch}, id, current_date - 10 from payer)
    insert into public.authorizations
      (organization_id, client_id, payer_id, authorization_number, cpt_codes, starts_on, ends_on, units)
    select ${organization}, ${birch}, id, 'A-1', '{97153}', current_date - 10, current_date + 100, 100 from payer`;
  // Drawn on the authorization, as the seeded ones are, and with a text that COPY has to escape.
  await from`
    insert into public.sessions
      (organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, place_of_service)
    select organization_id, therapist_id, client_id, service_id, start_time + interval '14 days', end_time + interval '14 days',
      time_zone, place_of_service
    from public.sessions`;
  // The trail goes back further than the months that a new stack makes.
  await from`select audit.ensure_partitions(first_month => (now() - interval '4 months')::date)`;
  await from`insert into audit.events (action, occurred_at) values ('hold.created', now() - interval '4 months')`;
  await from`update public.clients set full_name = ${"Birch\tof \\N\nthe “north” 🌲"} where id = ${birch}`;
  await from`select audit.seal()`;
  await from`update public.organizations set name = 'Not sealed yet' where id = ${organization}`;
  parent = await mkdtemp(join(tmpdir(), "holdfast-backup-"));
  backup = join(parent, "backup");
  manifest = await dump(from, backup);
});
afterAll(async () => {
  await Promise.all([from.end({ timeout: 1 }), to.end({ timeout: 1 })]);
  await Promise.all(stacks.map((stack) => stack.stop()));
  await rm(parent, { recursive: true, force: true });
});

/** All rows of a table, as text. */
const rows = async (sql: Sql, table: string, columns: string[]) =>
  (await sql.unsafe(`select row(${columns.join(", ")})::text as row from ${table} order by 1`)).map(
    ({ row }) => row,
  );
const units = (sql: Sql) =>
  sql`select authorization_number, units, reserved_units, scheduled_units, used_units from public.authorizations`;
const files = async (folder: string) => (await readdir(folder)).sort();

/** A copy of the backup whose lines of a table were changed; `hidden`, its manifest says that this is how it was written. */
async function altered(
  table: string,
  change: (lines: string[]) => string[],
  { hidden = true } = {},
): Promise<string> {
  const folder = await mkdtemp(join(parent, "altered-"));
  await cp(backup, folder, { recursive: true });
  const path = join(folder, `${table}.copy.gz`);
  const lines = gunzipSync(await readFile(path))
    .toString("utf8")
    .split("\n")
    .slice(0, -1);
  const changed = change(lines);
  const bytes = gzipSync(changed.map((line) => `${line}\n`).join(""));
  await writeFile(path, bytes);
  if (hidden) {
    const said = await readManifest(folder);
    for (const it of said.tables) {
      if (it.name !== table) continue;
      it.sha256 = createHash("sha256").update(bytes).digest("hex");
      it.rows = changed.length;
    }
    await writeFile(join(folder, "manifest.json"), JSON.stringify(said));
  }
  return folder;
}
/** The value of a column in a line of COPY. */
const withValue = (table: string, column: string, value: (before: string) => string) => (line: string) => {
  const at = manifest.tables.find(({ name }) => name === table)?.columns.indexOf(column) ?? -1;
  const values = line.split("\t");
  values[at] = value(values[at] as string);
  return values.join("\t");
};

describe("a backup", () => {
  it("is a file a table and a manifest, which only its owner reads", async () => {
    expect(await files(backup)).toEqual([...manifest.tables.map(({ file }) => file), "manifest.json"].sort());
    expect(await readManifest(backup)).toEqual(manifest);
    for (const file of await files(backup)) expect((await stat(join(backup, file))).mode & 0o077).toBe(0);
  });

  it("holds no sign-in that could be brought back", () => {
    const names = manifest.tables.map(({ name }) => name);
    expect(names).toContain("auth.users");
    expect(
      names.filter((name) => /^auth\..*(session|token|challenge|flow|saml_relay|amr)/.test(name)),
    ).toEqual([]);
  });

  it("is not mixed with another one", async () => {
    await expect(dump(from, backup)).rejects.toMatchObject({ code: "folder_not_empty" });
  });

  it("is made and proved although the server ends what takes long", async () => {
    const admin = postgres(stacks[0].adminDatabaseUrl, { max: 2, onnotice: () => {} });
    await admin`alter role postgres set statement_timeout = '1s'`;
    const limited = postgres(stacks[0].databaseUrl, { max: 1, onnotice: () => {} });
    const holder = await admin.reserve();
    const folder = join(parent, "long");
    for (const work of [() => dump(limited, folder), () => prove(limited)]) {
      await holder`begin`;
      await holder`lock table public.rooms in access exclusive mode`;
      const working = work();
      let isOver = false;
      const over = () => {
        isOver = true;
      };
      working.then(over, over);
      const hasTakenLong = async () =>
        (
          await admin`
            select from pg_stat_activity
            where usename = 'postgres' and wait_event_type = 'Lock' and query_start < clock_timestamp() - interval '2 s'`
        ).length > 0;
      while (!isOver && !(await hasTakenLong())) {}
      await holder`rollback`;
      await expect(working).resolves.toBeDefined();
    }
    holder.release();
    await admin`alter role postgres reset statement_timeout`;
    await Promise.all([limited.end(), admin.end()]);
  });

  it("that fails halfway leaves no file", async () => {
    const folder = join(parent, "half");
    const seen: number[] = [];
    const fail = () => {
      seen.push(readdirSync(folder).length);
      if (seen.length === 2) throw new Error("no space");
    };
    await expect(dump(from, folder, fail)).rejects.toThrow("no space");
    expect([seen, readdirSync(folder)]).toEqual([[1, 2], []]);
  });

  it("that cannot be written says so, and not what the driver makes of it", async () => {
    const folder = join(parent, "full");
    // More than the driver has read when it hears of it.
    await from`
      insert into app.job_runs (job, started_at, outcome, done)
      select 'forget_old', now() - interval '1 day', 'ok', 0 from generate_series(1, 100000)`;
    const occupy = () => {
      if (readdirSync(folder).length === 1) writeFileSync(join(folder, "app.job_runs.copy.gz"), "");
    };
    await expect(dump(from, folder, occupy)).rejects.toMatchObject({ code: "EEXIST" });
    await from`delete from app.job_runs`;
  });
});

describe("restoring", () => {
  const refused = async (folder: string, expected: object) => {
    await expect(restore(to, folder)).rejects.toMatchObject(expected);
    expect(await to`select from public.organizations`).toHaveLength(0);
    expect(await to`select from audit.events`).toHaveLength(0);
  };
  const notProved = (what: RegExp) => ({ code: "not_proved", message: expect.stringMatching(what) });

  it("takes nothing that is no backup, or not all of one", async () => {
    await refused(parent, { code: "no_backup" });
    const broken = await altered("public.sessions", (lines) => lines.slice(1), { hidden: false });
    await refused(broken, { code: "file_altered" });
    await rm(join(broken, "public.sessions.copy.gz"));
    await refused(broken, { code: "file_missing" });
    await writeFile(join(broken, "manifest.json"), "{}");
    await refused(broken, { code: "no_backup" });
  });

  it("takes nothing of other migrations", async () => {
    const folder = await altered("public.rooms", (lines) => lines);
    const said = await readManifest(folder);
    await writeFile(
      join(folder, "manifest.json"),
      JSON.stringify({ ...said, migrations: said.migrations.slice(1) }),
    );
    await refused(folder, { code: "migrations_differ" });
  });

  it("runs nothing that a manifest has for a name", async () => {
    const folder = await altered("public.rooms", (lines) => lines);
    const said = await readManifest(folder);
    const [rooms] = said.tables.filter(({ name }) => name === "public.rooms");
    const planted = [
      { ...rooms, name: "public.rooms; select 1 / 0", rows: 0 },
      { ...rooms, columns: ["id) from stdin; select 1 / 0; copy public.rooms (id"], rows: 0 },
    ];
    const refusedWith = async (tables: unknown[], code: string) => {
      await writeFile(join(folder, "manifest.json"), JSON.stringify({ ...said, tables }));
      await refused(folder, { code });
    };
    for (const table of planted)
      await refusedWith([{ ...table, rows: 1 }, ...said.tables], "columns_missing");
    // Loaded up to a table that stops it.
    const [first, ...rest] = said.tables;
    await refusedWith([...planted, { ...first, rows: 999 }, ...rest], "rows_differ");
  });

  it("takes nothing that does not hold, and says what", async () => {
    const firstSession = (lines: string[]) => lines.slice(1);
    await refused(
      await altered("public.therapists", (lines) => lines.slice(1)),
      notProved(/has rows whose care_team_assignments_therapist_fkey names none/),
    );
    await refused(
      await altered("public.calendar_claims", firstSession),
      notProved(/ledger of claimed time: \d/),
    );
    const balance = withValue("public.authorizations", "scheduled_units", (units) =>
      String(Number(units) + 1),
    );
    await refused(
      await altered("public.authorizations", (lines) => lines.map(balance)),
      notProved(/balances of authorizations: \d/),
    );
    const actor = withValue("audit.events", "action", () => "hold.expired");
    await refused(
      await altered("audit.events", ([first = "", ...rest]) => [actor(first), ...rest]),
      notProved(/the audit trail: /),
    );
    await refused(
      await altered("audit.seals", (lines) => lines.slice(0, -1)),
      notProved(/the audit trail: /),
    );
  }, 120_000);

  it("brings back every row, the balances, the seals and who may sign in", async () => {
    await restore(to, backup);
    for (const { name, columns } of manifest.tables) {
      if (name === "audit.eras") continue;
      const [before, after] = [await rows(from, name, columns), await rows(to, name, columns)];
      // What it adds itself: that the trail went on here.
      const added = name === "audit.events" ? after.filter((row) => row.includes("trail.continued")) : [];
      expect(
        after.filter((row) => !added.includes(row)),
        name,
      ).toEqual(before);
      expect(added).toHaveLength(name === "audit.events" ? 1 : 0);
    }
    expect(await to`select from audit.events_default`).toHaveLength(0);
    expect(await units(to)).toEqual(await units(from));
    expect(await units(to)).toEqual([expect.objectContaining({ scheduled_units: 80 })]);
    expect(manifest.head).toBe((await readHead(from))?.hash);
    expect((await prove(to, { head: manifest.head ?? "" })).findings).toEqual([]);

    const supabase = createClient(stacks[1].url, stacks[1].publishableKey, {
      auth: { persistSession: false, autoRefreshToken: false },
      realtime: { transport: ws as never },
    });
    await supabase.auth.signInWithPassword({ email: "theo@willowcreek.example", password: "holdfast-demo" });
    const { data, error } = await supabase.from("sessions").select("id");
    expect(error).toBeNull();
    expect(data).toHaveLength(10);
  });

  it("leaves a stack that goes on: new rows get new numbers, and the trail is sealed", async () => {
    await to`update public.organizations set name = 'Goes on' where id = ${organization}`;
    await to`select audit.seal()`;
    expect((await prove(to, { head: manifest.head ?? "" })).findings).toEqual([]);
    const [ids] = await to`select count(distinct id) = count(*) as unique from audit.events`;
    expect(ids?.unique).toBe(true);
  });

  it("does not write over what is there", async () => {
    await expect(restore(to, backup)).rejects.toMatchObject({ code: "not_empty" });
  });
});
