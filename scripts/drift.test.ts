import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startOwnStack } from "../supabase/tests/support/own-stack.ts";
import { type Ran, runScript } from "../supabase/tests/support/run-script.ts";
import { compare, type Difference } from "./drift/compare.ts";
import { fixture, nextPartition, plants, table } from "./drift/planted.ts";
import { changedLines, report } from "./drift/report.ts";
import { readSnapshot, type Snapshot } from "./drift/snapshot.ts";
import { CommandError, connectionError, parseRemote } from "./remote.ts";
import type { Stack } from "./stack/index.ts";
import { freePort } from "./stack/ports.ts";

let stack: Stack;
let admin: Sql;
let reference: Snapshot;

beforeAll(async () => {
  stack = await startOwnStack({ functions: false });
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

  it("no drift in a trail that goes on after a restore, however often", async () => {
    expect(await driftAfter("select audit.continue_trail()")).toEqual([]);
    const restored = (added: string) =>
      `alter table audit.events alter written_in set default ((pg_current_xact_id()::text::bigint + ${added})::text::xid8)`;
    expect(await driftAfter(restored("5000000000"))).toEqual([]);
    expect(await driftAfter(restored("-5"))).not.toEqual([]);
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

/** Runs the command; `whenRead` is called once it has read the live database and goes on to the reference. */
function drift(args: string[], whenRead: () => void = () => {}): Promise<Ran> {
  return runScript("drift", args, {
    watch: ({ stderr }) => {
      if (stderr.includes("making the reference")) whenRead();
    },
  });
}

describe("npm run drift", () => {
  it("exits with 0 where nothing differs and with 1 where something does, in words or JSON", async () => {
    let equal: Promise<Ran> | undefined;
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
      drift([`--postgres://postgres:${secret}@${nowhere}/postgres`]),
      drift(["--remote", "--json"]),
      drift([]),
    ]);
    const messages = [
      `drift: Cannot read ${nowhere}/postgres as postgres: nothing listens there. (ECONNREFUSED)`,
      `drift: Cannot read 127.0.0.1:${port}/postgres as postgres: the password is wrong. (28P01)`,
      "drift: the database's address is not a URL like postgres://",
      "drift: there is no option --remotely.",
      "drift: there is an argument too many.",
      "drift: --remote is without its value.",
      "drift: --remote is missing.",
    ];
    for (const [index, { code, stdout, stderr }] of failures.entries()) {
      expect(code, stderr).toBe(2);
      expect(stderr).toContain(messages[index]);
      expect(stdout + stderr).not.toContain("hunter2");
    }
    expect(JSON.parse(failures[0]?.stdout ?? "").error.code).toBe("ECONNREFUSED");
  });

  it.each(["postgres://someone:100%@db.example/postgres", "http://db.example", "db.example", ""])(
    "says of the address %j that it is none",
    (address) => {
      expect(() => parseRemote(address)).toThrow(/^the database's address is not a URL like (?!.*100)/);
    },
  );

  it("keeps the password out of what it has no sentence for", () => {
    const remote = parseRemote("postgres://someone:a%2Fb-secret@db.example/postgres");
    const error = connectionError(new Error("no a/b-secret, no a%2Fb-secret"), remote);
    expect(error).toBeInstanceOf(CommandError);
    expect(error.message).toBe("Cannot read db.example:5432/postgres as someone: no ***, no ***");
  });
});
