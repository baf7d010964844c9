// Access tokens that nobody was given: forged, altered, old, meant for others, or outlived by their session. None opens anything.

import { createHmac, randomUUID } from "node:crypto";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { Sql } from "postgres";
import { WebSocket } from "ws";
import { tokenOf } from "./callers.ts";
import { exchange } from "./http.ts";
import type { Target } from "./stack.ts";
import type { Tally } from "./tally.ts";
import { faultsOfText } from "./verdicts.ts";
import type { World } from "./world.ts";

const DEADLINE_MS = 30_000;

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** By what is wrong with each. */
export async function badTokens(stack: Target, { home }: World): Promise<Record<string, string>> {
  const { kid } = stack.keys;
  const good = await tokenOf(stack.keys, stack.url, home.people.therapist);
  const [header = "", payload = "", signature = ""] = good.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  const as = (changes: object) => encode({ ...claims, ...changes });
  const headed = (changes: object, body = payload, signed = signature) =>
    `${encode({ alg: "ES256", kid, typ: "JWT", ...changes })}.${body}.${signed}`;
  const signedBy = (secret: string, changes: object) => {
    const start = `${encode({ alg: "HS256", kid, typ: "JWT", ...changes })}.${as({ sub: home.people.admin })}`;
    return `${start}.${createHmac("sha256", secret).update(start).digest("base64url")}`;
  };
  const publicKey = JSON.stringify(await exportJWK(stack.keys.verifyingKey));
  const other = await generateKeyPair("ES256", { extractable: true });
  const otherJwk = { ...(await exportJWK(other.publicKey)), kid: "other", alg: "ES256" };
  const byOther = (changes: object) =>
    new SignJWT({ ...claims, sub: home.people.admin })
      .setProtectedHeader({ alg: "ES256", kid, ...changes })
      .sign(other.privateKey);
  const mine = (changes: Record<string, unknown>) =>
    tokenOf(stack.keys, stack.url, home.people.admin, changes);
  const now = Math.floor(Date.now() / 1000);
  return {
    "alg none": `${encode({ alg: "none", kid })}.${payload}.`,
    "alg None with a signature": headed({ alg: "None" }),
    "alg NONE, without a kid": `${encode({ alg: "NONE" })}.${payload}.`,
    "no alg": headed({ alg: undefined }),
    "alg a list": headed({ alg: ["ES256"] }),
    "alg ES256 in another case": headed({ alg: "es256" }),
    "alg RS256": headed({ alg: "RS256" }),
    "HS256 with the public key as secret": signedBy(publicKey, {}),
    "HS256 with the public key's x": signedBy(String(JSON.parse(publicKey).x), {}),
    "HS256 with nothing as secret": signedBy("\0", {}),
    "HS256 with the publishable key": signedBy(stack.keys.publishableKey, {}),
    "HS256 with the CLI's well-known secret": signedBy(
      "super-secret-jwt-token-with-at-least-32-characters-long",
      {},
    ),
    "HS256 under a kid that is a path": signedBy("", { kid: "../../../dev/null" }),
    "HS256 under a kid that is SQL": signedBy("a", { kid: "x' union select 'a" }),
    "another key under this kid": await byOther({}),
    "another key under its own kid": await byOther({ kid: "other" }),
    "another key in the header": await byOther({ jwk: otherJwk }),
    "another key at a jku": await byOther({ jku: "http://127.0.0.1:1/jwks.json" }),
    "another key at an x5u": await byOther({ x5u: "http://127.0.0.1:1/x.pem", x5c: ["AAAA"] }),
    "a critical header that nobody knows": headed({ crit: ["b64"], b64: false }),
    compressed: headed({ zip: "DEF" }),
    "a huge header": headed({ pad: "x".repeat(8_000) }),
    "another's sub": `${header}.${as({ sub: home.people.admin })}.${signature}`,
    "the role service_role": `${header}.${as({ role: "service_role" })}.${signature}`,
    "the role a list": `${header}.${as({ role: ["authenticated", "service_role"] })}.${signature}`,
    "another organization": `${header}.${as({ org_id: randomUUID(), org_role: "admin" })}.${signature}`,
    "a second factor": `${header}.${as({ aal: "aal3" })}.${signature}`,
    "a claim twice": `${header}.${Buffer.from(`{"role":"service_role",${Buffer.from(payload, "base64url").toString().slice(1)}`).toString("base64url")}.${signature}`,
    "the prototype": `${header}.${Buffer.from('{"__proto__":{"role":"service_role"}}').toString("base64url")}.${signature}`,
    "a signature cut short": good.slice(0, -4),
    "a signature of zeros": `${header}.${payload}.${Buffer.alloc(64).toString("base64url")}`,
    "no signature": `${header}.${payload}.`,
    "two parts": `${header}.${payload}`,
    "five parts": `${header}.${payload}.${signature}.a.b`,
    "no base64": `${header}.%%%.${signature}`,
    "no JSON": `${header}.${Buffer.from("{").toString("base64url")}.${signature}`,
    "a number": `${header}.${Buffer.from("1").toString("base64url")}.${signature}`,
    "letters of other scripts": "\xe9\xe8.\xe0.\xfc",
    "a word": "token",
    "the publishable key twice": `${stack.keys.publishableKey}.${stack.keys.publishableKey}.x`,
    expired: await mine({ exp: now - 60, iat: now - 4_000 }),
    "expired, as a text": await mine({ exp: "9999999999" }),
    "without an end": await mine({ exp: undefined }),
    "not valid yet": await mine({ nbf: now + 3_600 }),
    "of another issuer": await mine({ iss: "https://elsewhere.example/auth/v1" }),
    "of an issuer that looks like it": await mine({ iss: `${stack.url}/auth/v1/` }),
    "for another audience": await mine({ aud: "elsewhere" }),
  };
}

/** Where a token is shown, and what a good one gets there. */
const DOORS: Record<string, { method: string; path: string; body: string; good: number }> = {
  rest: { method: "GET", path: "/rest/v1/sessions?select=id", body: "", good: 200 },
  rpc: { method: "POST", path: "/rest/v1/rpc/read_clients", body: '{"request":{}}', good: 200 },
  functions: { method: "POST", path: "/functions/v1/sessions-cancel", body: "{}", good: 422 },
  documents: { method: "POST", path: "/functions/v1/documents", body: "{}", good: 422 },
  storage: {
    method: "POST",
    path: "/storage/v1/object/list/client-documents",
    body: '{"prefix":""}',
    good: 200,
  },
  auth: { method: "GET", path: "/auth/v1/user", body: "", good: 200 },
};
/** How Auth calls a token that is none. */
const REFUSED = [401, 403];

/** Shows every bad token at every door. */
export async function tryTokens(sql: Sql, stack: Target, world: World, tally: Tally): Promise<void> {
  const show = async (door: string, token: string, apikey: string) => {
    const { method, path, body } = DOORS[door] as (typeof DOORS)[string];
    const headers: [string, string][] = [
      ["apikey", apikey],
      ["authorization", `Bearer ${token}`],
      ["content-type", "application/json"],
    ];
    return exchange(stack.url, { method, path, headers, body: Buffer.from(body) }, DEADLINE_MS).catch(
      (error) => ({
        status: 0,
        body: String(error),
      }),
    );
  };
  for (const [what, token] of Object.entries(await badTokens(stack, world))) {
    for (const door of Object.keys(DOORS)) {
      // Beside the secret key a bad token must not become the service role either.
      for (const apikey of [stack.keys.publishableKey, ...(door === "rest" ? [stack.keys.secretKey] : [])]) {
        const { status, body } = await show(door, token, apikey);
        tally.count(`token: ${door}`, REFUSED.includes(status) ? "refused" : "done");
        const faults = [
          ...(REFUSED.includes(status) ? [] : [`${what}: ${status} and no 401`]),
          ...faultsOfText(body),
        ];
        for (const fault of faults) {
          tally.find({
            target: `token: ${door}`,
            caller: "nobody",
            sent: `${what}: ${token}`,
            what: fault,
            seen: `${status} ${body}`,
          });
        }
      }
    }
  }
  await tryJoining(stack, world, tally);
  await trySignedOut(sql, stack, world, show, tally);
}

/** Tries to hear what changes in a clinic's calendars, by each bad token and, to see that it can be heard, a good one. */
async function tryJoining(stack: Target, world: World, tally: Tally): Promise<void> {
  const { home } = world;
  const good = await tokenOf(stack.keys, stack.url, home.people.admin);
  const tokens = Object.entries({ ...(await badTokens(stack, world)), good });
  const address = `${stack.url.replace("http", "ws")}/realtime/v1/websocket?vsn=1.0.0&apikey=${stack.keys.publishableKey}`;
  const socket = new WebSocket(address);
  const answers = new Map<string, string>();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("Realtime does not answer")), DEADLINE_MS);
    socket.on("error", reject);
    socket.on("open", () => {
      for (const [ref, [, access_token]] of tokens.entries()) {
        const topic = `realtime:organization:${home.id}`;
        const payload = { config: { private: true }, access_token };
        socket.send(JSON.stringify({ topic, event: "phx_join", payload, ref: `${ref}`, join_ref: `${ref}` }));
      }
    });
    socket.on("message", (data) => {
      const { event, ref, payload } = JSON.parse(String(data));
      if (event === "phx_reply") answers.set(ref, payload.status);
      if (answers.size < tokens.length) return;
      clearTimeout(timer);
      resolve();
    });
  });
  socket.close();
  for (const [ref, [what, token]] of tokens.entries()) {
    const answer = answers.get(`${ref}`) ?? "none";
    tally.count("token: realtime", answer === "error" ? "refused" : "done");
    if ((answer === "ok") === (token === good)) continue;
    tally.find({
      target: "token: realtime",
      caller: "nobody",
      sent: `${what}: ${token}`,
      what: `${what}: answered ${answer}`,
      seen: answer,
    });
  }
}

/** A token outlives its session by minutes; what it opens does not. A good one shows that the doors do open. */
async function trySignedOut(
  sql: Sql,
  stack: Target,
  { home }: World,
  show: (door: string, token: string, apikey: string) => Promise<{ status: number; body: string }>,
  tally: Tally,
): Promise<void> {
  const token = await tokenOf(stack.keys, stack.url, home.people.supervisor);
  const found = (door: string, what: string, seen: string) =>
    tally.find({ target: `token: ${door}`, caller: "supervisor", sent: token, what, seen });
  const rows = async () => (await show("rest", token, stack.keys.publishableKey)).body;
  const before = await rows();
  if (!before.includes("id")) found("rest", "a good token sees nothing", before);
  await sql`delete from auth.sessions where user_id = ${home.people.supervisor}`;
  const after = await rows();
  if (after !== "[]") found("rest", "a signed-out token sees rows", after);
  const { body } = await show("rpc", token, stack.keys.publishableKey);
  if (!body.includes('"unauthenticated"')) found("rpc", "a signed-out token is heard", body);
  tally.count("token: rest", "refused");
  tally.count("token: rpc", "refused");
}
