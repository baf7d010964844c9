// What the backend offers to who is signed in, the client has.

import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { functionNames } from "../../../scripts/stack/functions.ts";
import { projectPath } from "../../../scripts/stack/paths.ts";
import { sql } from "../support/stack.ts";

/** What no app calls: the functions do, or automation with the secret key, or a partner with a token of its own. */
const NOT_FOR_APPS = {
  functions: ["health", "insights-send", "partner-sync", "webhooks-deliver"],
  rpcs: ["health", "prepare_note", "report_unreadable_note", "read_document", "request_document"],
};

const filesUnder = (folder: string[], which = /\.ts$/): string[] =>
  readdirSync(projectPath(...folder), { recursive: true, encoding: "utf8" })
    .filter((name) => which.test(name) && !name.endsWith(".test.ts"))
    .map((name) => readFileSync(projectPath(...folder, name), "utf8"));

it("calls every Edge Function and every RPC that a signed-in user may call", async () => {
  const client = filesUnder(["src", "lib"]).join("\n");
  const functions = (await functionNames()).filter((name) => !NOT_FOR_APPS.functions.includes(name));
  expect(functions.filter((name) => !new RegExp(`"${name}"|v1/${name}/`).test(client))).toEqual([]);

  const served = filesUnder(["supabase", "functions"]).join("\n");
  const calls = filesUnder(["src", "lib"], /client\.ts$|^claims-export\.ts$/).join("\n");
  const callable = await sql<{ name: string }[]>`
    select distinct proname as name
    from pg_proc
    where pronamespace = 'public'::regnamespace
      and has_function_privilege('authenticated', oid, 'execute')
    order by 1`;
  const names = callable.map(({ name }) => name).filter((name) => !NOT_FOR_APPS.rpcs.includes(name));
  expect(names.length).toBeGreaterThan(70);
  expect(names.filter((name) => !calls.includes(`"${name}"`) && !served.includes(`"${name}"`))).toEqual([]);
});
