// Requests that look valid, from a contract and the ids of a world; and what is made of them by mistake or on purpose.

import fc from "fast-check";
import { z } from "zod";
import { hostile, type Json, NAMES, plausible, toText } from "./values.ts";
import { dayOf, hourOf, type World } from "./world.ts";

interface JsonSchema {
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  enum?: Json[];
  const?: Json;
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  pattern?: string;
}

/** The contract as JSON Schema, of its last step where it judges in steps. */
export function jsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema: json }) => {
      const { def } = zodSchema._zod;
      if (def.type !== "pipe") return;
      for (const key of Object.keys(json)) delete json[key as keyof typeof json];
      Object.assign(json, jsonSchema((def as z.core.$ZodPipeDef).out as z.ZodType));
    },
  }) as JsonSchema;
}

/** Requests by a contract: most of them keep to it. */
export function requestsOf(schema: z.ZodType, world: World): fc.Arbitrary<Json> {
  const drawn = drawnFrom(jsonSchema(schema), "", world);
  return fc
    .tuple(drawn, fc.array(drawn, { minLength: 2, maxLength: 2 }))
    .map(([first, spare]) => mended(schema, first, spare));
}

/** Requests of the members that code speaks of, where there is no contract. */
export function requestsOfNames(names: readonly string[], world: World): fc.Arbitrary<Json> {
  const members = Object.fromEntries(
    ["organization_id", ...names].map((name) => [name, byName(name, world)]),
  );
  return fc.record(members, { requiredKeys: ["organization_id"] }).map(defined);
}

function drawnFrom(schema: JsonSchema, name: string, world: World): fc.Arbitrary<Json> {
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return fc.oneof(...options.map((option) => drawnFrom(option, name, world)));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "object": {
      const required = new Set(schema.required ?? []);
      const members = Object.entries(schema.properties ?? {}).map(
        ([member, of]): [string, fc.Arbitrary<Json | undefined>] => [
          member,
          required.has(member) || member === "organization_id"
            ? drawnFrom(of, member, world)
            : fc.option(drawnFrom(of, member, world), { nil: undefined, freq: 2 }),
        ],
      );
      return fc.record(Object.fromEntries(members)).map(defined);
    }
    case "array":
      return fc
        .array(drawnFrom(schema.items ?? {}, name.replace(/s$/, ""), world), { minLength: 1, maxLength: 3 })
        .map(unrepeated);
    case "integer":
    case "number": {
      if (name.endsWith("offset_minutes")) return fc.constantFrom(0, 0, 0, 0, -480);
      if (name.endsWith("version")) return fc.constantFrom(1, 1, 2);
      const { minimum = 0, maximum = 1_000 } = schema;
      return fc.integer({ min: Math.ceil(Math.max(minimum, -1e6)), max: Math.floor(Math.min(maximum, 1e6)) });
    }
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "string":
      return schema.pattern && !schema.format
        ? fc.oneof(
            { weight: 4, arbitrary: byName(name, world) },
            { weight: 1, arbitrary: patterned(schema.pattern) },
          )
        : byName(name, world, schema.format);
    default:
      return byName(name, world);
  }
}

function patterned(pattern: string): fc.Arbitrary<string> {
  try {
    return fc.stringMatching(new RegExp(pattern));
  } catch {
    return fc.constant("x");
  }
}

const unrepeated = (items: Json[]): Json[] =>
  items.filter((item, index) => items.findIndex((other) => toText(other) === toText(item)) === index);

const defined = (members: Record<string, Json | undefined>): Json =>
  Object.fromEntries(
    Object.entries(members).filter((member): member is [string, Json] => member[1] !== undefined),
  );

/** What a member of this name most often is. */
function byName(name: string, world: World, format = ""): fc.Arbitrary<Json> {
  const ids = idsFor(name, world);
  const isDay = format === "date" || /(_on|_of_birth|^effective_.*|^wanted_(from|until)|^day)$/.test(name);
  if (isDay)
    return fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: -20, max: 40 }).map(dayOf) },
      { weight: 1, arbitrary: plausible.time },
    );
  if (
    format === "date-time" ||
    (/(_time|_at|_start|_end|^from|^to|^since|^until)$/.test(name) && !/^local_/.test(name))
  ) {
    const hour = fc
      .tuple(fc.integer({ min: -5, max: 30 }), fc.integer({ min: 8, max: 18 }))
      .map(([day, hour]) => hourOf(day, hour));
    return fc.oneof({ weight: 6, arbitrary: hour }, { weight: 1, arbitrary: plausible.time });
  }
  if (format === "uuid" || ids || /(_id|_ids|_key)$/.test(name)) return anyId(ids, world);
  const known: Record<string, fc.Arbitrary<Json>> = {
    time_zone: plausible.zone,
    rule: plausible.rule,
    service_code: fc.constantFrom("97153", "97153", "97155", "97154"),
    code: fc.constantFrom("97153", "97155"),
    cpt_code: fc.constantFrom("97153", "97155"),
    month: fc.constant(dayOf(0).slice(0, 7)),
    local_start: fc.constantFrom("08:00", "00:00", "12:30"),
    local_end: fc.constantFrom("18:00", "24:00"),
    url: fc.constantFrom("https://hooks.example.com/x", "https://127.0.0.1/"),
    token: fc.constantFrom(world.home.serviceToken, world.home.serviceToken, `hf_${"a".repeat(43)}`),
    operation: fc.constantFrom("enrol", "schedule"),
    reason: fc.constant("Because a test says so."),
    scopes: fc.constant(["schedule:read"]),
    content_type: fc.constant("application/pdf"),
    file_name: fc.constant("a.pdf"),
  };
  if (Object.hasOwn(known, name)) return known[name] as fc.Arbitrary<Json>;
  if (/minutes$|^(limit|units|version|hours|max_rows|weekday|claims)$/.test(name))
    return fc.constantFrom(0, 1, 15, 60);
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("a", "Some text", "1", "x-1") },
    { weight: 1, arbitrary: hostile },
  );
}

const OF_TABLES: Record<string, string> = {
  account: "service_accounts",
  alert_id: "access_alerts",
  batch_id: "billing_batches",
  case_id: "billing_cases",
  client: "clients",
  endpoint_id: "webhook_endpoints",
  entry_id: "waitlist_entries",
  exception_id: "availability_exceptions",
  form_id: "consent_forms",
  group_id: "session_groups",
  hold_key: "session_holds",
  note_id: "session_notes",
  addends_note_id: "session_notes",
  series_id: "session_series",
  ids: "clients",
  organization: "organizations",
  other_session_id: "sessions",
  signature_id: "consent_signatures",
  substitute_id: "therapists",
  waitlist_entry_id: "waitlist_entries",
  coverage_id: "client_coverages",
  delivery_id: "webhook_deliveries",
};

/** The table that an id of this name is of, by its plural: `client_ids` are of clients. */
export function idsFor(name: string, { home }: World): string | undefined {
  const one = name.replace(/_ids$/, "_id");
  const table = OF_TABLES[one] ?? `${one.replace(/_id$/, "")}s`;
  return home.ids.has(table) ? table : undefined;
}

/** Most often one of the right kind at home; or of another kind, of the other clinic, or of nobody. */
function anyId(table: string | undefined, { home, foreign }: World): fc.Arbitrary<string> {
  const all = (ids: Map<string, string[]>) => fc.constantFrom(...[...ids.values()].flat());
  const right = table ? fc.constantFrom(...(home.ids.get(table) as string[])) : all(home.ids);
  const abroad = table ? fc.constantFrom(...(foreign.ids.get(table) as string[])) : all(foreign.ids);
  return fc.oneof(
    { weight: 40, arbitrary: right },
    { weight: 2, arbitrary: abroad },
    { weight: 1, arbitrary: all(home.ids) },
    { weight: 1, arbitrary: fc.uuid() },
  );
}

/** Mends what the contract finds wrong, by what it says: three times out of four a request is to get past it. */
function mended(schema: z.ZodType, request: Json, spares: Json[]): Json {
  let value = request;
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const parsed = schema.safeParse(value);
    if (parsed.success) return value;
    for (const { path, code, message, ...issue } of parsed.error.issues) {
      const problem = (issue as { params?: { code?: string } }).params?.code ?? code;
      if (message.startsWith("One of hold_key")) continue;
      const [name] = path;
      if (typeof name !== "string" || typeof value !== "object" || value === null) continue;
      const members = value as Record<string, Json>;
      const spare = (spares[attempt % spares.length] as Record<string, Json>)?.[name];
      if (problem === "not_allowed" || problem === "unrecognized_keys") value = without(members, name);
      else if (name === "end_time" || name === "range_end" || name === "to")
        value = { ...members, [name]: after(members) };
      else if (spare !== undefined) value = { ...members, [name]: spare };
      else value = without(members, name);
    }
  }
  return value;
}

function without(members: Record<string, Json>, name: string): Record<string, Json> {
  const { [name]: _, ...others } = members;
  return others;
}

/** An hour after what the request begins with; of days, the same. */
function after({ start_time, range_start, from }: Record<string, Json>): Json {
  const begins = String(start_time ?? range_start ?? from);
  const at = Date.parse(begins);
  if (Number.isNaN(at)) return hourOf(1, 9);
  return begins.length === 10 ? begins : new Date(Math.min(at + 3_600_000, 8.64e15)).toISOString();
}

/** One thing done to a request. */
type Mutation = (value: Json) => Json;

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(fc.nat(), hostile).map(
      ([at, bad]) =>
        (value: Json) =>
          replaced(value, at, () => bad),
    ),
  },
  { weight: 2, arbitrary: fc.nat().map((at) => (value: Json) => replaced(value, at, () => undefined)) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(...NAMES), hostile).map(([name, bad]) => (value: Json) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
      return Object.defineProperty({ ...value }, name, { value: bad, enumerable: true }) as Json;
    }),
  },
  { weight: 1, arbitrary: fc.nat().map((at) => (value: Json) => replaced(value, at, (old) => [old])) },
  {
    weight: 1,
    arbitrary: fc
      .nat()
      .map(
        (at) => (value: Json) =>
          replaced(value, at, (old) => (typeof old === "string" ? old.toUpperCase() : toText(old))),
      ),
  },
  {
    weight: 1,
    arbitrary: fc
      .nat()
      .map(
        (at) => (value: Json) =>
          replaced(value, at, (old) => (typeof old === "string" ? ` ${old}\u0000` : toText(old))),
      ),
  },
  { weight: 1, arbitrary: hostile.map((bad) => () => bad) },
);

/** The value with what stands at some place of it, counted through, replaced; undefined takes it away. */
function replaced(value: Json, at: number, by: (old: Json) => Json | undefined): Json {
  const places: [container: Json, key: string | number][] = [];
  const copy = structuredClone(value);
  const visit = (inside: Json): void => {
    if (typeof inside !== "object" || inside === null) return;
    for (const [key, child] of Object.entries(inside)) {
      places.push([inside, key]);
      visit(child as Json);
    }
  };
  visit(copy);
  const place = places[at % (places.length || 1)];
  if (!place) return by(value) ?? null;
  const container = place[0] as Record<string, Json>;
  const next = by(container[place[1]] as Json);
  if (next === undefined) delete container[place[1]];
  else container[place[1]] = next;
  return copy;
}

/** The text of a request: now and then as it should be, else with a few things done to it. */
export function textsOf(requests: fc.Arbitrary<Json>): fc.Arbitrary<string> {
  const mutated = fc
    .tuple(
      requests,
      fc.oneof(
        { weight: 2, arbitrary: fc.constant([]) },
        { weight: 5, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 3 }) },
      ),
    )
    .map(([request, mutations]) => mutations.reduce((value, mutate) => mutate(value), request));
  const twice = fc.tuple(mutated, fc.nat(), hostile).map(([value, at, bad]) => withDuplicate(value, at, bad));
  return fc.oneof({ weight: 9, arbitrary: mutated.map(toText) }, { weight: 1, arbitrary: twice });
}

/** A member said twice, first or last with something else. */
function withDuplicate(value: Json, at: number, bad: Json): string {
  const text = toText(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return text;
  const names = Object.keys(value);
  const name = names[at % (names.length || 1)];
  if (name === undefined) return text;
  const again = `${JSON.stringify(name)}:${toText(bad)}`;
  return at % 2 === 0 ? `{${again},${text.slice(1)}` : `${text.slice(0, -1)},${again}}`;
}
