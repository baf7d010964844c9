// Other calls made of those that succeeded: by somebody who may not, and with a mark where something else belongs.

import { MARK } from "./marks.ts";
import type { Exchange } from "./recorder.ts";

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Path = (string | number)[];

/** What a clinic or its software names its own things by, and secrets: nobody's data. */
const NOT_PERSONAL = /^(reference|after|name|token|idempotency_key)$/;
const UUID = /^[0-9a-f-]{36}$/;

/** The operation that a call asks for: the RPC, or the function with the action that its request names. */
export function operationOf({ url, body }: Pick<Exchange, "url" | "body">): string {
  const [path = ""] = url.split("?");
  const { action, operation } = parse(body) as { action?: string; operation?: string };
  return [path.replace(/^\/(functions|rest)\/v1\//, "").replace(/\/hfc_.*$/, ""), action ?? operation]
    .filter(Boolean)
    .join(" ");
}

/** Whether it is a call of a function or of an RPC that was given what it asked for. */
export function hasSucceeded({ method, url, status, answer }: Exchange): boolean {
  return (
    method === "POST" && /^\/(functions\/v1|rest\/v1\/rpc)\//.test(url) && status < 300 && !isProblem(answer)
  );
}

/** A call to make: what was recorded, with another body. */
export interface Variant {
  of: Exchange;
  body: string;
}

/** Each operation once more, as it was; and with a mark instead of each value that it takes, in turn. */
export function variantsOf(exchanges: readonly Exchange[]): { again: Variant[]; marked: Variant[] } {
  const operations = new Map<string, Variant>();
  const marked = new Map<string, Variant>();
  for (const of of exchanges) {
    const operation = operationOf(of);
    if (!operations.has(operation)) operations.set(operation, { of, body: of.body });
    for (const [field, body] of markedBodies(of)) {
      const kind = `${operation} ${field}`;
      if (!marked.has(kind)) marked.set(kind, { of, body });
    }
  }
  return { again: [...operations.values()], marked: [...marked.values()] };
}

/** By the field that is marked: each value, a field too many, and, for functions, a body that breaks off. */
function markedBodies({ url, body }: Exchange): [field: string, body: string][] {
  const json = parse(body);
  const isFunction = url.startsWith("/functions/");
  const isTyped = !isFunction && !("request" in (json as object));
  const marked = pathsOf(json)
    .filter((path) => !path.some((name) => NOT_PERSONAL.test(String(name))))
    // What is not a uuid PostgREST itself refuses, quoting it; where an id belongs a client has no data to send.
    .filter((path) => !isTyped || !UUID.test(String(valueAt(json, path))))
    .map((path): [string, string] => [fieldOf(path), JSON.stringify(withValue(json, path, MARK))]);
  if (isTyped) return marked;
  const unknown = [...(isFunction ? [] : ["request"]), `${MARK} Jones`];
  return [
    ...marked,
    ["a field too many", JSON.stringify(withValue(json, unknown, MARK))],
    ...(isFunction ? [["broken off", `{"${MARK}": "${MARK}`] as [string, string]] : []),
  ];
}

/** The items of a list are all the same field. */
const fieldOf = (path: Path) => path.map((name) => (typeof name === "number" ? "[]" : name)).join(".");

export function isProblem(answer: string): boolean {
  const json = parse(answer);
  return typeof json === "object" && json !== null && ("problem" in json || "code" in json);
}

function parse(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** Where the values are that hold no others. */
function pathsOf(json: Json, path: Path = []): Path[] {
  if (typeof json !== "object" || json === null) return [path];
  return Object.entries(json).flatMap(([name, value]) =>
    pathsOf(value, [...path, Array.isArray(json) ? Number(name) : name]),
  );
}

function valueAt(json: Json, path: Path): Json {
  return path.reduce((value, name) => (value as Record<string, Json>)[name] ?? null, json);
}

function withValue(json: Json, [name, ...rest]: Path, value: Json): Json {
  if (name === undefined) return value;
  const copy = Array.isArray(json) ? [...json] : { ...(json as Record<string, Json>) };
  const inside = copy as Record<string, Json>;
  inside[name] = withValue(inside[name] ?? {}, rest, value);
  return copy;
}
