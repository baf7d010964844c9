import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { HoldfastError, toAppProblem } from "../src/lib/errors.ts";
import { toProblem } from "../src/lib/problems.ts";
import { time } from "../supabase/tests/support/calls.ts";
import { createClinic, PASSWORD, TIME_ZONE } from "../supabase/tests/support/clinic.ts";
import { sql, stack } from "../supabase/tests/support/stack.ts";
import { buildPackage, bundle } from "./build.ts";
import { z as classic } from "./package/zod.ts";
import { projectPath } from "./stack/paths.ts";

const MAX_BYTES = 30_000;

/** Runs a command; a failure carries what it printed. */
async function run(command: string, args: string[], options: object = {}): Promise<string> {
  try {
    return (await promisify(execFile)(command, args, options)).stdout.toString();
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command}\n${stdout}\n${stderr}`);
  }
}

let folder: string;
beforeAll(async () => {
  // Where its dependencies are found, as those of an installed package are.
  folder = await mkdtemp(projectPath("node_modules", ".holdfast-package-"));
  await buildPackage(folder);
});
afterAll(() => rm(folder, { recursive: true }));

const textOf = (file: string) => readFile(join(folder, file), "utf8");

/** What a module imports, at once or when it is needed. */
const importsOf = (code: string) =>
  [...code.matchAll(/(?:^(?:import|export)\b[^"'\n]*\bfrom\s*|^import\s*|\bimport\()["']([^"']+)["']/gm)].map(
    ([, name]) => name,
  );

describe("the package", () => {
  it("is smaller than 30 kB, minified and gzipped, with all that it needs but supabase-js", async () => {
    const modules = await bundle(projectPath("src", "lib", "index.ts"), { minify: true });
    const sizes = modules.map(({ file, lazy, code }) => ({
      file,
      lazy,
      bytes: gzipSync(code, { level: 9 }).length,
    }));
    const bytes = sizes.filter(({ lazy }) => !lazy).reduce((sum, { bytes }) => sum + bytes, 0);
    expect(bytes, JSON.stringify(sizes)).toBeLessThan(MAX_BYTES);
    expect(sizes.map(({ file, lazy }) => [file, lazy])).toEqual([
      ["index.js", false],
      ["database-problems.js", true],
      ["timezone-name.js", false],
      ["timezone.js", true],
    ]);
  });

  it("imports nothing but itself, and zod for the schemas", async () => {
    expect(new Set(importsOf(await textOf("index.js")))).toEqual(
      new Set(["./database-problems.js", "./timezone-name.js", "./timezone.js"]),
    );
    expect(importsOf(await textOf("database-problems.js"))).toEqual([]);
    expect(importsOf(await textOf("timezone.js"))).toEqual(["./timezone-name.js"]);
    expect(importsOf(await textOf("schemas.js"))).toEqual(["zod"]);
  });

  it.each(["index.js", "database-problems.js", "timezone.js", "schemas.js"])(
    "asks in %s for nothing of Node or Deno",
    async (file) => {
      expect(await textOf(file)).not.toMatch(/\bDeno\b|\bprocess\.|\bBuffer\b|\brequire\(|node:/);
    },
  );

  it("lists every file that it has, and what it needs", async () => {
    const manifest = JSON.parse(await textOf("package.json"));
    const files = await readdir(folder, { recursive: true });
    for (const { types, default: module } of Object.values<Record<string, string>>(manifest.exports)) {
      expect(files).toEqual(expect.arrayContaining([types?.slice(2), module?.slice(2)]));
    }
    expect(manifest.dependencies).toEqual({ zod: expect.any(String) });
    expect(Object.keys(manifest.peerDependencies)).toEqual(["@supabase/supabase-js"]);
  });

  it("books a session from plain Node, with typed problems", async () => {
    const clinic = await createClinic();
    const request = {
      therapistId: clinic.rosa.id,
      clientId: clinic.aspen,
      serviceCode: "97153",
      timeZone: TIME_ZONE,
      startTime: time(30, 16).start_time,
      endTime: time(30, 16).end_time,
    };
    const stdout = await run(process.execPath, ["--input-type=module", "--eval", APP], {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        URL_: stack.url,
        KEY: stack.publishableKey,
        TOKEN: await clinic.scheduler.token(),
        REQUEST: JSON.stringify(request),
        ORGANIZATION: clinic.id,
      },
    });
    expect(JSON.parse(stdout)).toEqual({
      ticked: true,
      booked: "scheduled",
      refused: ["therapist_conflict", true],
      listed: 0,
      byDatabase: ["unauthenticated", "forbidden"],
      cancelled: 1,
    });
  });

  it("knows the errors of src/lib/claims-export.ts, which it leaves out", async () => {
    const { isHoldfastError } = await import(pathToFileURL(join(folder, "index.js")).href);
    const error = new HoldfastError(toAppProblem(toProblem("unauthenticated")));
    expect(isHoldfastError(error, "unauthenticated")).toBe(true);
    expect(isHoldfastError(error, "not_found")).toBe(false);
    expect(isHoldfastError(new Error("HoldfastError"))).toBe(false);
  });

  it("throws a HoldfastError also where a module that it loads when needed is not there any more", async () => {
    const stale = await mkdtemp(join(folder, "stale-"));
    for (const file of ["index.js", "timezone-name.js"])
      await writeFile(join(stale, file), await textOf(file));
    const { createHoldfast, HoldfastError } = await import(pathToFileURL(join(stale, "index.js")).href);
    const { sessions } = createHoldfast({});
    const request = { timeZone: TIME_ZONE, startTime: new Date(), endTime: new Date() };
    const error = await sessions.requestSessionHold(request).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: "unavailable" });
  });

  it("runs the samples of docs/client.md as they are written", async () => {
    const clinic = await createClinic();
    const samples = [
      ...(await readFile(projectPath("docs", "client.md"), "utf8")).matchAll(/^```js\n(.*?)^```$/gms),
    ];
    expect(samples).toHaveLength(3);
    const given = {
      url: stack.url,
      publishableKey: stack.publishableKey,
      email: clinic.rosa.user.email,
      password: PASSWORD,
      therapistId: clinic.rosa.id,
      clientId: clinic.aspen,
    };
    const stage = `import ws from "ws"; globalThis.WebSocket ??= ws; const show = (line) => console.log(line);
      const { ${Object.keys(given).join(", ")} } = ${JSON.stringify(given)};`;
    await writeFile(join(folder, "samples.js"), [stage, ...samples.map(([, code]) => code)].join("\n"));
    const shown = await run(process.execPath, ["samples.js"], { cwd: folder });
    expect(shown).toMatch(/^\d+ s left\n(.*\n)*\d{4}-\d\d-\d\dT/);
    const rows = await sql`select status from public.sessions where organization_id = ${clinic.id}`;
    expect([...rows]).toEqual([{ status: "cancelled" }]);
  });

  it("has types that say what is asked and answered", async () => {
    const app = join(folder, "app.ts");
    await writeFile(app, TYPED_APP);
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--skipLibCheck"];
    await run(projectPath("node_modules", ".bin", "tsc"), [...options, "--types", "node", app]);
  });
});

describe("zod, as the package has it", () => {
  it.each<
    [string, (zod: typeof classic) => { safeParse(value: unknown): { success: boolean } }, unknown, unknown]
  >([
    ["a least number", ({ int }) => int().min(2), 2, 1],
    ["a most number", ({ int }) => int().max(2), 2, 3],
    ["a least length", ({ string }) => string().min(2), "ab", "a"],
    ["a most length", ({ string }) => string().max(1), "a", "ab"],
    ["no negative number", ({ number }) => number().nonnegative(), 0, -1],
    ["a pattern", ({ string }) => string().regex(/^a$/), "a", "b"],
  ])("judges %s as zod does", (_, build, good, bad) => {
    for (const zod of [z as unknown as typeof classic, classic]) {
      expect([build(zod).safeParse(good).success, build(zod).safeParse(bad).success]).toEqual([true, false]);
    }
  });

  it("means by every contract what zod means by it", async () => {
    // Those that the package's types know are those that it is made of.
    const declared = (await readdir(join(folder, "types"))).map((name) => name.replace(/\.d\.ts$/, ".ts"));
    const sources = declared.filter(
      (name) => !/client\.ts$|^(?:index|schemas|holdfast|call-rpc|database-problems)\.ts$/.test(name),
    );
    const entry = join(folder, "all.ts");
    const star = (name: string) =>
      `export * as ${name.replace(/\W/g, "_")} from ${JSON.stringify(projectPath("src", "lib", name))};`;
    await writeFile(entry, sources.map(star).join("\n"));
    for (const { file, code } of await bundle(entry)) await writeFile(join(folder, file), code);
    const packaged = await import(pathToFileURL(join(folder, "all.js")).href);

    let compared = 0;
    for (const name of sources) {
      const module: Record<string, unknown> = await import(
        pathToFileURL(projectPath("src", "lib", name)).href
      );
      for (const [member, schema] of Object.entries(module)) {
        if (!(schema instanceof z.ZodType)) continue;
        const meant = (schema: z.ZodType) => z.toJSONSchema(schema, { io: "output", unrepresentable: "any" });
        expect(meant(packaged[name.replace(/\W/g, "_")][member]), `${name}: ${member}`).toEqual(
          meant(schema),
        );
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(100);
  });
});

const APP = `
  import { createClient } from "@supabase/supabase-js";
  import ws from "ws";
  import { createHoldfast, isHoldfastError } from "holdfast";
  const { URL_, KEY, TOKEN, REQUEST, ORGANIZATION } = process.env;
  const supabase = createClient(URL_, KEY, {
    accessToken: async () => TOKEN,
    realtime: { transport: ws },
  });
  const request = JSON.parse(REQUEST);
  const { sessions, attendance, audit, countdown } = createHoldfast(supabase);
  const codeOf = (promise) => promise.then(() => "done", (error) => isHoldfastError(error) ? error : Promise.reject(error));
  const hold = await sessions.requestSessionHold(request);
  let left;
  countdown(hold, (seconds) => { left = seconds; })();
  const { session } = await sessions.confirmSessionBooking({ holdKey: hold.holdKey });
  const conflict = await codeOf(sessions.bookSession(request));
  const { sessions: late } = await attendance.listNoShowCandidates({ organizationId: ORGANIZATION });
  const nobody = createHoldfast(createClient(URL_, KEY, { realtime: { transport: ws } }));
  const stranger = await codeOf(nobody.consents.listConsents({ clientId: request.clientId }));
  const noAdmin = await codeOf(audit.listAuditEvents({ organizationId: ORGANIZATION }));
  const { cancelled } = await sessions.cancelSessions({ sessionIds: [session.id], cancelledBy: "clinic" });
  console.log(JSON.stringify({
    ticked: left > 290 && left < 303,
    booked: session.status,
    refused: [conflict.code, conflict.problem.alternatives.length > 0],
    listed: late.length,
    byDatabase: [stranger.code, noAdmin.code],
    cancelled: cancelled.length,
  }));
`;

const TYPED_APP = `
  import { createClient, type SupabaseClient } from "@supabase/supabase-js";
  import { createHoldfast, type Database, isHoldfastError, type OpenTimesSearch, type SessionHold } from "holdfast";
  declare const supabase: SupabaseClient;
  const { sessions, consents } = createHoldfast(supabase, { maxAttempts: 2 });
  const when = { timeZone: "UTC", startTime: new Date(), endTime: new Date() };
  export const hold: Promise<SessionHold> = sessions.requestSessionHold({
    therapistId: "", clientId: "", serviceCode: "", ...when,
  });
  export const signedAt: Promise<string[]> = consents.listConsents({ clientId: "" }).then((all) => all.map((one) => one.signedAt));
  const { attendance, notes, waitlist } = createHoldfast(createClient<Database>("", ""));
  export const started = attendance.startSession({ sessionId: "", actualStartTime: new Date() });
  export const booked: Promise<string | undefined> = waitlist
    .answerOffer({ holdKey: "", answer: "accept" })
    .then((answered) => answered.session?.id ?? answered.appointment?.sessionId);
  export const shown: Promise<string[]> = notes
    .readNotes({ sessionId: "" })
    .then((all) => all.map((note) => (note.text === null ? note.unreadable : note.text)));
  export const search = (asked: OpenTimesSearch) => sessions.findOpenTimes(asked);
  // @ts-expect-error a hold names its service
  sessions.requestSessionHold({ therapistId: "", clientId: "", ...when });
  // @ts-expect-error the key of a hold, not all of it, which the server would refuse
  hold.then((whole) => sessions.cancelSessionHold(whole));
  // @ts-expect-error supabase is bound already
  consents.listConsents(supabase, { clientId: "" });
  // @ts-expect-error no such thing to do
  sessions.forgetSession({});
  hold.catch((error: unknown) => {
    if (isHoldfastError(error, "therapist_conflict")) return error.problem.alternatives.length;
    // @ts-expect-error without the code, not every problem has alternatives
    if (isHoldfastError(error)) return error.problem.alternatives;
    throw error;
  });
`;
