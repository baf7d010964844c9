// Records of clients over real HTTP: the tables keep PHI to themselves whoever asks and however, the RPCs give it and put
// it on record.

import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import {
  listClientsRequestSchema,
  readClientsRequestSchema,
  readTextsRequestSchema,
  saveClientRequestSchema,
  saveCoverageRequestSchema,
  US_STATES,
} from "../../../src/lib/clients.ts";
import { fieldErrors } from "../../../src/lib/fields.ts";
import {
  HoldfastError,
  listClients,
  readClients,
  readTexts,
  saveClient,
  saveCoverage,
} from "../../../src/lib/index.ts";
import { type Clinic, claimsOf, createClinic, createUser, TIME_ZONE, type User } from "../support/clinic.ts";
import { callRest } from "../support/consents.ts";
import { sql, stack } from "../support/stack.ts";
import { createFamily } from "../support/waitlist.ts";

let clinic: Clinic;
let readers: { role: string; user: User }[];
let phi: { table: string; column: string }[];
let session = "";

beforeAll(async () => {
  clinic = await createClinic();
  const roles = ["psychiatrist", "partner_provider", "system_service"];
  const users = await Promise.all(roles.map(() => createUser()));
  for (const [index, user] of users.entries()) {
    await sql`
      insert into public.user_roles (user_id, organization_id, role)
      values (${user.id}, ${clinic.id}, ${roles[index] ?? ""})`;
  }
  readers = [
    { role: "client", user: await createFamily(clinic, clinic.aspen) },
    { role: "therapist", user: clinic.rosa.user },
    { role: "internal_ops", user: clinic.scheduler },
    { role: "admin", user: clinic.admin },
    ...users.map((user, index) => ({ role: roles[index] ?? "", user })),
  ];
  phi = await sql<{ table: string; column: string }[]>`
    select class.relname as table, attribute.attname as column
    from pg_class class
    join pg_attribute attribute on attribute.attrelid = class.oid and attribute.attnum > 0
    where class.relnamespace = 'public'::regnamespace and col_description(class.oid, attribute.attnum) ~ '^PHI: '
    order by 1, 2`;
  const [row] = await sql<{ id: string }[]>`
    insert into public.sessions (
      organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, status, cancelled_by, cancellation_reason)
    select ${clinic.id}, ${clinic.rosa.id}, ${clinic.aspen}, service.id, now() + interval '1 day',
      now() + interval '25 hours', ${TIME_ZONE}, 'cancelled', 'client', 'A fever'
    from public.services service
    where service.organization_id = ${clinic.id} and service.service_code = '97153'
    returning id`;
  session = row?.id ?? "";
  await sql`
    update public.clients set full_name = 'Ada Aspen', date_of_birth = '2019-05-04', phone = '+15035550100'
    where id = ${clinic.aspen}`;
});

/** Every request goes as an app sends it; the tables' columns come from the catalog, so no types. */
async function status(token: string, method: string, path: string, body?: object) {
  const response = await fetch(`${stack.url}/rest/v1/${path}`, {
    method,
    headers: {
      apikey: token === stack.secretKey ? token : stack.publishableKey,
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      prefer: "return=representation",
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { code: (JSON.parse(text || "{}") as { code?: string }).code, ok: response.ok, text };
}

/** What an actor's readings left on record. */
const trail = (user: User, action = "client.read") => sql<
  { row_id: string; decision: string; code: string }[]
>`
  select row_id, decision, code from audit.events
  where actor_id = ${user.id} and action = ${action} order by id`;

const refusalOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => undefined,
    (error: unknown) => (error instanceof HoldfastError ? error.problem : error),
  );

describe("the tables over REST", () => {
  it("refuse every column of PHI to every role: selected, filtered by, ordered by, returned or embedded", async () => {
    expect(phi.length).toBeGreaterThan(20);
    const keys = [
      ...(await Promise.all(readers.map(async ({ role, user }) => ({ role, token: await user.token() })))),
      { role: "the secret key", token: stack.secretKey },
    ];
    for (const { role, token } of keys) {
      // All of them have one database role; each has rows of its own in sight.
      const columns = ["admin", "the secret key"].includes(role)
        ? phi
        : phi.filter(({ table }) => table === "sessions");
      const paths = [
        ...new Set(phi.map(({ table }) => `${table}?select=*`)),
        ...columns.flatMap(({ table, column }) => [
          `${table}?select=found:${column}`,
          `${table}?select=id&${column}=not.is.null`,
          `${table}?select=id&or=(${column}.not.is.null,id.is.null)`,
          `${table}?select=id&order=${column}`,
        ]),
      ];
      const codes = await Promise.all(paths.map(async (path) => (await status(token, "GET", path)).code));
      expect(
        paths.filter((_, index) => codes[index] !== "42501"),
        role,
      ).toEqual([]);
    }
  });

  it("give their other columns to who may see the row, and count it", async () => {
    const app = await clinic.rosa.user.client();
    const { data, count, error } = await app
      .from("clients")
      .select("id, status", { count: "exact" })
      .eq("id", clinic.aspen);
    expect({ data, count, error }).toEqual({
      data: [{ id: clinic.aspen, status: "active" }],
      count: 1,
      error: null,
    });
  });

  it("do not return by a write what they do not show", async () => {
    const token = await clinic.admin.token();
    const { id } = await createUser();
    const grant = { organization_id: clinic.id, user_id: id, role: "therapist", reason: "A locum for March" };
    expect((await status(token, "POST", "user_roles?select=reason", grant)).code).toBe("42501");
    expect((await status(token, "POST", "user_roles?select=*", grant)).code).toBe("42501");
    const kept = await status(token, "POST", "user_roles?select=user_id", grant);
    expect(kept.ok).toBe(true);
    expect(kept.text).toBe(JSON.stringify([{ user_id: id }]));
    const own = { full_name: "New", organization_id: clinic.id };
    expect((await status(token, "POST", "clients?select=id", own)).code).toBe("42501");
    expect(
      (await status(token, "PATCH", `clients?id=eq.${clinic.aspen}&select=id`, { full_name: "New" })).code,
    ).toBe("42501");
  });
});

describe("the RPCs through supabase-js and src/lib", () => {
  it("save a client and read it again, by id and in the list", async () => {
    const app = await clinic.scheduler.client();
    const known = {
      fullName: "Zelda Zane",
      givenName: "Zelda",
      familyName: "Zane",
      dateOfBirth: "2018-02-28",
      sex: "F" as const,
      addressLine: "12 Larch Ave",
      city: "Bend",
      state: "OR",
      postalCode: "97701",
      phone: "+15415550123",
      diagnosisCodes: ["F84.0", "F90.2"],
    };
    const { clientId, created } = await saveClient(app, { organizationId: clinic.id, ...known });
    expect(created).toBe(true);
    const client = { id: clientId, status: "active", ...known };
    expect(await readClients(app, { organizationId: clinic.id, ids: [clientId] })).toEqual([client]);
    expect(await listClients(app, { organizationId: clinic.id, search: "zan" })).toEqual({
      clients: [client],
      next: null,
    });
    expect(await saveClient(app, { clientId, phone: null })).toEqual({ clientId, created: false });
    const read = { organizationId: clinic.id, ids: [clientId] };
    expect(await readClients(app, { ...read, fields: ["phone", "city"] })).toEqual([
      { id: clientId, status: "active", phone: null, city: "Bend" },
    ]);

    const [payer] = await sql<{ id: string }[]>`
      insert into public.payers (organization_id, name) values (${clinic.id}, 'A payer') returning id`;
    const covered = { clientId, payerId: payer?.id ?? "", startsOn: "2026-01-01", memberId: "W-1" };
    const { coverageId } = await saveCoverage(app, covered);
    const [withCoverages] = await readClients(app, { ...read, fields: ["coverages"] });
    expect(withCoverages?.coverages).toMatchObject([{ id: coverageId, memberId: "W-1", endsOn: null }]);
    expect(await refusalOf(saveCoverage(app, { ...covered, startsOn: "2026-02-01" }))).toMatchObject({
      code: "validation_failed",
      errors: [{ field: "startsOn", code: "overlap" }],
    });
  });

  it("answer a denied reading with a problem and keep it on record", async () => {
    const stranger = await createUser();
    await sql`
      insert into public.user_roles (user_id, organization_id, role)
      values (${stranger.id}, ${clinic.id}, 'partner_provider')`;
    const app = await stranger.client();
    const problem = await refusalOf(readClients(app, { organizationId: clinic.id, ids: [clinic.aspen] }));
    expect(problem).toMatchObject({ code: "not_found" });
    expect(await trail(stranger)).toEqual([{ row_id: clinic.aspen, decision: "deny", code: "not_found" }]);
    const text = { organizationId: clinic.id, table: "sessions" as const, ids: [session] };
    expect(await refusalOf(readTexts(app, text))).toMatchObject({ code: "not_found" });
    expect(await trail(stranger, "text.read")).toEqual([
      { row_id: session, decision: "deny", code: "not_found" },
    ]);
    expect(await readTexts(await clinic.rosa.user.client(), text)).toEqual([
      { id: session, text: "A fever" },
    ]);
  });

  it("are refused by field in src/lib's own words", async () => {
    const app = await clinic.admin.client();
    const wrong = {
      clientId: clinic.aspen,
      dateOfBirth: "1800-01-01",
      state: "ZZ",
      diagnosisCodes: ["autism"],
    };
    expect(await refusalOf(saveClient(app, wrong))).toMatchObject({
      code: "validation_failed",
      errors: [{ field: "dateOfBirth" }, { field: "state" }, { field: "diagnosisCodes[0]" }],
    });
    expect(await refusalOf(saveClient(app, { clientId: randomUUID() }))).toMatchObject({
      code: "not_found",
    });
  });
});

describe("raw requests", () => {
  const save = async (changes: object) =>
    (await callRest("save_client", clinic.admin, { request: { client_id: clinic.aspen, ...changes } })).body;

  it.each<[string, object]>([
    ["a name of 10 kB", { full_name: "x".repeat(10_000) }],
    ["a name of control characters", { full_name: "a\u0007b" }],
    ["a date in the future", { date_of_birth: "2999-01-01" }],
    ["a list for a name", { full_name: ["x"] }],
    ["an object for a date", { date_of_birth: {} }],
    ["a number for codes", { diagnosis_codes: 5 }],
    ["an id that is none", { client_id: "x", organization_id: null }],
  ])("with %s are refused as validation_failed", async (_, changes) => {
    expect((await save(changes)).problem?.code).toBe("validation_failed");
  });

  it("with what JSON can spell and Postgres cannot store are refused, and nothing is saved", async () => {
    for (const name of ["a\u0000b", "a\ud800b"]) {
      const { status: code, body } = await callRest("save_client", clinic.admin, {
        request: { client_id: clinic.aspen, full_name: name },
      });
      expect([200, 400, 422], JSON.stringify(body)).toContain(code);
      expect(body.data).toBeUndefined();
      const found = await callRest("read_clients", clinic.admin, {
        request: { organization_id: clinic.id, search: name },
      });
      expect(found.body.data).toBeUndefined();
    }
    const [client] = await sql`select full_name from public.clients where id = ${clinic.aspen}`;
    expect(client).toEqual({ full_name: "Ada Aspen" });
  });
});

describe("an answer that is taken apart", () => {
  const request = () => ({ organization_id: clinic.id, ids: [clinic.aspen] });
  const path = "->data->clients->0->>full_name";

  it("over REST is refused before anything is read, and a failing cast says nothing of it", async () => {
    const token = await clinic.scheduler.token();
    // The names that PostgREST and the local stack have for it; the other one is no column.
    for (const answer of ["pgrst_scalar", "read_clients"]) {
      for (const query of [
        `select=${answer}${path}::integer`,
        `select=pgrst_scalar:${answer}${path}::integer`,
        `select=pgrst_scalar:${answer}->data->>clients::uuid`,
        `${answer}${path}=like.Ada*`,
        `order=${answer}${path}`,
      ]) {
        const { text } = await status(token, "POST", `rpc/read_clients?${query}`, { request: request() });
        expect(text, query).not.toContain("Ada");
      }
    }
    expect((await trail(clinic.scheduler, "rpc.read_clients")).map(({ code }) => code)).toContain(
      "validation_failed",
    );
  });

  it("is refused as PostgREST asks for it", async () => {
    const ask = (selected: string) =>
      sql.begin(async (tx) => {
        await tx`select set_config('request.jwt.claims', ${claimsOf(clinic.scheduler)}, true)`;
        await tx`set local role authenticated`;
        return tx.unsafe<{ body: string | null }[]>(
          `with pgrst_source as (select pgrst_call.pgrst_scalar from (select $1::json as json_data) pgrst_payload,
             lateral (select "request" from json_to_record(pgrst_payload.json_data) as _("request" jsonb) limit 1) pgrst_body,
             lateral (select "public"."read_clients"("request" := pgrst_body."request") pgrst_scalar) pgrst_call)
           select coalesce(json_agg(_postgrest_t.pgrst_scalar)->0, 'null')::text as body
           from (select ${selected} from "pgrst_source" AS "read_clients") _postgrest_t`,
          [{ request: request() } as never],
        );
      });
    expect((await ask('"read_clients".*'))[0]?.body).toContain("Ada");
    expect(
      await ask(
        `CAST( to_jsonb("read_clients"."pgrst_scalar")->'data'->'clients'->0->>'full_name' AS integer ) AS "pgrst_scalar"`,
      ),
    ).toEqual([{ body: "null" }]);
  });
});

describe("the contracts of src/lib", () => {
  const ID = "a0000000-0000-4000-8000-000000000001";
  const refused = (schema: typeof saveClientRequestSchema, request: unknown) => {
    const { error } = schema.safeParse(request);
    return error ? fieldErrors(error).map(({ field, code }) => `${field} ${code}`) : [];
  };
  const as = (schema: unknown) => schema as typeof saveClientRequestSchema;

  it.each<[unknown, unknown, string[]]>([
    [saveClientRequestSchema, {}, ["organization_id required", "full_name required"]],
    [saveClientRequestSchema, { client_id: ID, full_name: "a\u0000b" }, ["full_name invalid_format"]],
    [saveClientRequestSchema, { client_id: ID, full_name: "a\ud800b" }, ["full_name invalid_format"]],
    [saveClientRequestSchema, { client_id: ID, full_name: "a\nb" }, ["full_name invalid_format"]],
    [
      saveClientRequestSchema,
      { client_id: ID, date_of_birth: "1899-12-31" },
      ["date_of_birth invalid_value"],
    ],
    [saveClientRequestSchema, { client_id: ID, status: "archived" }, ["status unknown_field"]],
    [
      saveClientRequestSchema,
      { client_id: ID, diagnosis_codes: ["F84.0", "F84.0", "x"] },
      ["diagnosis_codes[2] invalid_format", "diagnosis_codes[1] duplicate"],
    ],
    [saveCoverageRequestSchema, { client_id: ID }, ["payer_id required", "starts_on required"]],
    [saveCoverageRequestSchema, { client_id: ID, coverage_id: ID, payer_id: ID }, ["payer_id not_allowed"]],
    [readClientsRequestSchema, { organization_id: ID, ids: [] }, ["ids too_small"]],
    [readClientsRequestSchema, { organization_id: ID, ids: Array(101).fill(ID) }, ["ids too_big"]],
    [readClientsRequestSchema, { organization_id: ID, ids: [ID, ID] }, ["ids[1] duplicate"]],
    [listClientsRequestSchema, { organization_id: ID, limit: 101 }, ["limit too_big"]],
    [readTextsRequestSchema, { organization_id: ID, table: "clients", ids: [ID] }, ["table invalid_value"]],
  ])("%# refuse by field: %j", (schema, request, expected) => {
    expect(refused(as(schema), request)).toEqual(expected);
  });

  it("know the states that the database knows", async () => {
    const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
    const [known] = await sql<{ codes: string[] }[]>`
      select array_agg(code order by code) as codes
      from unnest(${letters}::text[]) first cross join unnest(${letters}::text[]) second
      cross join lateral (select first || second as code) it
      where app.record_faults(jsonb_build_object('state', code), current_date) is null`;
    expect(known?.codes).toEqual([...US_STATES].sort());
  });

  it("accept what the database accepts, and refuse what it refuses, field by field", async () => {
    const values = [
      ...[
        "F84.0",
        "F8",
        "f84.0",
        "97301",
        "97301-1",
        "97301-1234",
        "+15035550100",
        "503",
        "OR",
        "or",
        "F",
        "X",
        "Bo",
      ],
      ...[
        " x ",
        "  ",
        "",
        "\u0007",
        "a\nb",
        "2019-02-29",
        "2020-02-29",
        "1899-12-31",
        "1900-01-01",
        "x".repeat(35),
      ],
      ...[
        "x".repeat(36),
        "x".repeat(55),
        "x".repeat(56),
        "x".repeat(60),
        "x".repeat(61),
        "x".repeat(201),
        "W1-2",
        "child",
      ],
      ...[5, ["F84.0"], ["F84.0", "F84.0"], ["f84.0"], [5], {}, null],
    ];
    const demographics = Object.keys(saveClientRequestSchema.shape).filter((field) => !field.endsWith("_id"));
    const coverage = Object.keys(saveCoverageRequestSchema.shape).filter(
      (field) => !field.endsWith("r_id") || field === "member_id",
    );
    const tried = [...new Set([...demographics, ...coverage])]
      .filter((field) => !["client_id", "coverage_id", "payer_id"].includes(field))
      .flatMap((field) => values.map((value) => ({ field, value })))
      // That there is a name, and a first day, is a rule of the row.
      .filter(({ field, value }) => value !== null || !["full_name", "starts_on"].includes(field));
    const answers = await sql<{ is_refused: boolean }[]>`
      select coalesce(app.record_faults(request, current_date), '[]')
        || coalesce(app.diagnosis_faults(request -> 'diagnosis_codes'), '[]') <> '[]' as is_refused
      from jsonb_array_elements(${sql.json(tried as never)}) with ordinality as tried (it, place)
      cross join lateral (select jsonb_build_object(it ->> 'field', it -> 'value') as request) made
      order by place`;
    const differ = tried.filter(({ field, value }, index) => {
      const schema = demographics.includes(field) ? saveClientRequestSchema : as(saveCoverageRequestSchema);
      const others = demographics.includes(field) ? {} : { coverage_id: ID };
      const isRefused = refused(schema, { client_id: ID, ...others, [field]: value }).length > 0;
      return isRefused !== answers[index]?.is_refused;
    });
    expect(answers.filter(({ is_refused }) => is_refused).length).toBeGreaterThan(100);
    expect(differ).toEqual([]);
  });
});
