// What an operator sees: the log of the functions, request ids on the trail, health and metrics.

import { describe, expect, it } from "vitest";
import { type FunctionsHost, startFunctions } from "../../../scripts/stack/functions.ts";
import { call, expectProblem, hold, holdBody, time } from "../support/calls.ts";
import { createClinic } from "../support/clinic.ts";
import { connect, sql, stack } from "../support/stack.ts";

const FIELDS = ["level", "function", "request_id", "status", "code", "cause", "duration_ms"].sort();
const PERSON = "Jane Doe";

interface Answered {
  readonly name: string;
  readonly id: string;
  readonly status: number;
  readonly code: string | null;
}

/** Asks every function for many things, good and bad, and gives what was answered, and what was logged. */
async function runAll(env: Record<string, string>, token: string, body: unknown) {
  const lines: string[] = [];
  const answered: Answered[] = [];
  const host = await startFunctions({ ...stack.functionsEnv, ...env }, (line) => void lines.push(line));
  try {
    for (const name of host.names) answered.push(...(await askFor(host, name, token, body)));
  } finally {
    await host.stop();
  }
  return { answered, lines: lines.map((line) => line.replace(/^functions: /, "")) };
}

async function askFor(host: FunctionsHost, name: string, token: string, body: unknown): Promise<Answered[]> {
  const known = { authorization: `Bearer ${token}`, "idempotency-key": PERSON.replace(" ", "_") };
  const partner = { authorization: `Bearer hf_${"Jane".padEnd(43, "x")}` };
  const requests: RequestInit[] = [
    { method: "POST", headers: known, body: JSON.stringify(body) },
    {
      method: "POST",
      headers: known,
      body: JSON.stringify({ action: PERSON, client_id: PERSON, [PERSON]: token }),
    },
    { method: "POST", headers: known, body: `{ "${PERSON}` },
    { method: "POST", headers: { ...known, "idempotency-key": PERSON }, body: "{}" },
    { method: "POST", headers: partner, body: JSON.stringify({ operation: "schedule" }) },
    { method: "POST", body: PERSON },
    { method: "GET" },
    { method: "HEAD" },
    { method: "DELETE", headers: known },
    { method: "OPTIONS" },
  ];
  return Promise.all(
    requests.map(async (request, number) => {
      const id = `${name}.${number}`;
      const headers = { ...request.headers, "x-request-id": id };
      const response = await fetch(`${host.url}/${name}?name=${PERSON}&token=${token}`, {
        ...request,
        headers,
      });
      expect(response.headers.get("x-request-id")).toBe(id);
      const text = await response.text();
      return {
        name,
        id,
        status: response.status,
        code: text === "" ? null : (JSON.parse(text).code ?? null),
      };
    }),
  );
}

describe.runIf(stack.functionsEnv)("the log of the functions", () => {
  it.each<[string, Record<string, string>, number[]]>([
    ["all is well", {}, [200, 201, 204, 400, 401, 405, 422]],
    ["nobody answers them", { SUPABASE_URL: "http://127.0.0.1:9" }, [503]],
    ["they are not configured", { SUPABASE_PUBLISHABLE_KEYS: "{}" }, [500]],
  ])(
    "is one line of JSON a request, with these fields and nothing of the request, when %s",
    async (_, env, statuses) => {
      const clinic = await createClinic();
      const token = await clinic.rosa.user.token();
      const issuer = `${stack.url}/auth/v1`;
      const { answered, lines } = await runAll(
        { HOLDFAST_JWT_ISSUER: issuer, ...env },
        token,
        holdBody(clinic, time(3, 10)),
      );
      const logged = lines.map((line) => JSON.parse(line));

      for (const line of logged) {
        expect(Object.keys(line).sort()).toEqual(FIELDS);
        expect(line).toMatchObject({
          level: line.status >= 500 ? "error" : "info",
          cause: line.cause === null ? null : expect.stringMatching(/^\w{1,40}$/),
          duration_ms: expect.any(Number),
        });
        expect(Number.isInteger(line.duration_ms) && line.duration_ms >= 0).toBe(true);
      }
      const told = logged.map((line) => [line.function, line.request_id, line.status].join(" ")).sort();
      expect(told).toEqual(answered.map(({ name, id, status }) => [name, id, status].join(" ")).sort());
      // A HEAD has no body that could be compared.
      for (const { id, code } of answered.filter(({ id }) => !id.endsWith(".7"))) {
        expect(logged.find(({ request_id }) => request_id === id).code, id).toBe(code);
      }
      expect(answered.map(({ status }) => status)).toEqual(expect.arrayContaining(statuses));
      const text = lines.join("\n");
      for (const secret of [PERSON, "Jane", token, clinic.aspen, clinic.rosa.id, "?", "Bearer"]) {
        expect(text).not.toContain(secret);
      }
    },
  );
});

describe("a request id", () => {
  it("goes from the caller through the function to the trail, and back, also with a refusal", async () => {
    const clinic = await createClinic();
    const trail = (id: string) =>
      sql`select action, decision, code from audit.events where request_id = ${id} and organization_id = ${clinic.id}`;
    const when = time(4, 10);
    const id = `held.${clinic.id}`;
    const held = await call("sessions-hold", clinic.rosa.user, holdBody(clinic, when), {
      "x-request-id": id,
    });
    expect([held.status, held.headers.get("x-request-id")]).toEqual([201, id]);
    expect(await trail(id)).toEqual([{ action: "hold.created", decision: "allow", code: null }]);

    const again = await call("sessions-hold", clinic.rosa.user, holdBody(clinic, when), {
      "x-request-id": `${id}.again`,
    });
    await expectProblem(again, "therapist_conflict");
    expect(await trail(`${id}.again`)).toEqual([
      { action: "rpc.hold_sessions", decision: "deny", code: "therapist_conflict" },
    ]);
  });

  it("is made where the caller has none, and is the trail's all the same", async () => {
    const clinic = await createClinic();
    await hold(clinic, time(4, 12));
    const made = await sql`
      select request_id from audit.events where organization_id = ${clinic.id} and action = 'hold.created'`;
    expect(made).toEqual([{ request_id: expect.stringMatching(/^[0-9a-f-]{36}$/) }]);
  });
});

describe("health", () => {
  it("is told to whoever asks, without a key too: the version, and three checks", async () => {
    const response = await fetch(`${stack.url}/functions/v1/health`);
    const [{ version }] = await sql<[{ version: string }]>`
      select max(version) as version from supabase_migrations.schema_migrations`;
    expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
    const checks = ["schema", "writable", "reference"].map((name) => ({ name, ok: true }));
    expect(await response.json()).toEqual({ data: { ok: true, version, checks } });
  });

  it("answers HEAD, and whether functions run at all", async () => {
    const head = await fetch(`${stack.url}/functions/v1/health`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const live = await fetch(`${stack.url}/functions/v1/health/live`);
    expect([live.status, await live.json()]).toEqual([200, { data: { ok: true } }]);
  });
});

describe("metrics", () => {
  it("are rows for the secret key", async () => {
    const { data, error } = await connect(stack.secretKey).rpc("metrics");
    expect(error).toBeNull();
    expect(data).toContainEqual({ name: "connections_allowed", labels: {}, value: expect.any(Number) });
  });

  it("are not for users, admins included", async () => {
    const clinic = await createClinic();
    for (const client of [connect(), await clinic.admin.client()]) {
      expect((await client.rpc("metrics")).error?.code).toBe("42501");
    }
  });
});
