// The two ways in, as apps and PostgREST use them. Each caller has a wire of its own, that can be cut.

import { randomUUID } from "node:crypto";
import { request as httpRequest } from "node:http";
import postgres from "postgres";
import type { Answer, Entry } from "./history.ts";
import type { Step } from "./plan.ts";
import { type Wire, wireTo } from "./proxy.ts";
import { PASSWORD, type Person } from "./world.ts";

export interface Ask {
  name: string;
  request: Record<string, unknown>;
  user: Person;
  key: string;
  /** As somebody whose session has ended, or with a token that was tampered with. */
  stranger?: boolean;
}

/** What is to happen to the request on its way. */
export type OnTheWay = Pick<Step, "disturbance" | "delayMs">;
export const UNDISTURBED: OnTheWay = { disturbance: null, delayMs: 0 };

export interface Caller {
  via: Entry["via"];
  /** Never throws: what goes wrong is an answer too. */
  call(ask: Ask, onTheWay: OnTheWay): Promise<Answer>;
  cut(): void;
  close(): Promise<void>;
}

/** SQLSTATEs and errors of the network that leave open whether the statement had its effect, or ask to come again. */
const NO_ANSWER =
  /^(08...|55P03|57014|57P0[1-5]|53300|CONNECTION_(CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT)$/;

function arm(wire: Wire, { disturbance, delayMs }: OnTheWay): void {
  if (disturbance === "cut_answer") wire.cutNextAnswer();
  else if (disturbance === "cut_request") wire.cutNextRequest();
  else if (disturbance === "slow") wire.delayNext(delayMs);
}

// ---------------------------------------------------------------------------------------------------------
// SQL: what PostgREST does with a call, in one message and one transaction
// ---------------------------------------------------------------------------------------------------------

export const APPLICATION = "torture-caller";

export async function sqlCaller(databaseUrl: string): Promise<Caller> {
  const url = new URL(databaseUrl);
  const wire = await wireTo(Number(url.port));
  url.port = String(wire.port);
  const sql = postgres(url.href, {
    // Two, so that a request can be sent twice at once.
    max: 2,
    backoff: () => 0.05,
    connect_timeout: 10,
    fetch_types: false,
    onnotice: () => {},
    connection: { application_name: APPLICATION },
  });
  return {
    via: "sql",
    call: async (ask, onTheWay) => {
      arm(wire, onTheWay);
      let timer: NodeJS.Timeout | undefined;
      try {
        const query = sql.unsafe(statementOf(ask));
        if (onTheWay.disturbance === "cancelled") {
          timer = setTimeout(() => query.cancel(), onTheWay.delayMs / 10);
        }
        // One result a statement; of a single statement, the result itself.
        const results = (await query) as unknown[];
        const last = results.at(-1) as { answer: RpcAnswer } | { answer: RpcAnswer }[] | undefined;
        return answerOf((Array.isArray(last) ? last[0] : last)?.answer);
      } catch (error) {
        const { code = "no code", message } = error as { code?: string; message: string };
        return { outcome: NO_ANSWER.test(code) ? "unknown" : "broken", code, problem: message };
      } finally {
        clearTimeout(timer);
        wire.calm();
      }
    },
    cut: () => wire.cutAll(),
    close: async () => {
      await sql.end({ timeout: 1 });
      await wire.close();
    },
  };
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

function statementOf({ name, request, user, key, stranger }: Ask): string {
  // The clinic's clock, and nobody's call.
  if (name === "sweep") return "select jsonb_build_object('data', app.sweep_expired_holds(200)) as answer";
  const claims = {
    sub: user.id,
    session_id: stranger ? randomUUID() : user.id,
    role: "authenticated",
    aal: "aal1",
  };
  const asUser = `select set_config('request.jwt.claims', ${literal(JSON.stringify(claims))}, true), set_config('role', 'authenticated', true);`;
  return `${asUser} ${queryOf(name, request, key)}`;
}

function queryOf(name: string, request: Record<string, unknown>, key: string): string {
  const of = (field: string): string => literal(String(request[field]));
  switch (name) {
    case "read":
      return `select jsonb_build_object('data', coalesce(jsonb_agg(it), '[]')) as answer from (
        select id, organization_id, therapist_id, client_id, room_id, start_time, end_time, status, version
        from public.sessions where start_time >= ${of("from")} order by start_time, id limit 50) it`;
    case "read_series":
      return `select jsonb_build_object('data', coalesce(jsonb_agg(it), '[]')) as answer from (
        select id, version from public.session_series
        where organization_id = ${of("organization_id")} and status = 'active' order by created_at desc limit 50) it`;
    case "read_offers":
      return `select jsonb_build_object('data', coalesce(jsonb_agg(it), '[]')) as answer from (
        select id from public.session_holds
        where organization_id = ${of("organization_id")} and waitlist_entry_id is not null and status = 'held'
        order by created_at desc limit 20) it`;
    case "revoke_role":
      return `with ended as (
          update public.user_roles set revoked_at = now()
          where organization_id = ${of("organization_id")} and user_id = ${of("user_id")} and revoked_at is null
          returning id)
        select jsonb_build_object('data', coalesce(jsonb_agg(id), '[]')) as answer from ended`;
    case "grant_role":
      return `with granted as (
          insert into public.user_roles (organization_id, user_id, role)
          select ${of("organization_id")}, ${of("user_id")}, 'internal_ops'
          where not exists (
            select from public.user_roles
            where organization_id = ${of("organization_id")} and user_id = ${of("user_id")} and revoked_at is null)
          returning id)
        select jsonb_build_object('data', coalesce(jsonb_agg(id), '[]')) as answer from granted`;
    default:
      return `select public.${name}(${literal(JSON.stringify(request))}, ${literal(key)}) as answer`;
  }
}

interface RpcAnswer {
  data?: unknown;
  replayed?: boolean | undefined;
  problem?: { code: string } | undefined;
}

function answerOf(answer: RpcAnswer | undefined): Answer {
  if (answer?.problem) return { outcome: "refused", code: answer.problem.code, problem: answer.problem };
  if (answer?.data !== undefined) {
    return { outcome: "ok", data: answer.data, ...(answer.replayed && { replayed: true }) };
  }
  return { outcome: "broken", code: "no answer", problem: answer };
}

// ---------------------------------------------------------------------------------------------------------
// HTTP: through the gateway and the Edge Functions
// ---------------------------------------------------------------------------------------------------------

const FUNCTIONS: Record<string, { name: string; action?: string }> = {
  hold_sessions: { name: "sessions-hold" },
  join_slot: { name: "sessions-join" },
  confirm_sessions: { name: "sessions-confirm" },
  cancel_sessions: { name: "sessions-cancel" },
  move_session: { name: "sessions-reschedule", action: "move" },
  swap_sessions: { name: "sessions-reschedule", action: "swap" },
  substitute_therapist: { name: "sessions-reschedule", action: "substitute" },
  update_series: { name: "sessions-series" },
  join_waitlist: { name: "waitlist", action: "join" },
  leave_waitlist: { name: "waitlist", action: "leave" },
  answer_offer: { name: "waitlist", action: "answer" },
  save_note: { name: "session-notes", action: "save" },
  read_notes: { name: "session-notes", action: "read" },
};

const TOKEN_AGE_MS = 600_000;
const PATIENCE_MS = 20_000;

interface Http {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: unknown;
}

/** The tokens of everybody who was signed in, for all callers. */
export type Tokens = Map<string, { token: string; since: number }>;

export async function httpCaller(url: string, publishableKey: string, tokens: Tokens): Promise<Caller> {
  const wire = await wireTo(Number(new URL(url).port));

  const send = (
    port: number,
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: object,
  ): Promise<Http> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(
        // A connection of its own, so that cutting it cuts this request.
        {
          host: "127.0.0.1",
          port,
          method,
          path,
          agent: false,
          headers: { apikey: publishableKey, "content-type": "application/json", ...headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.once("error", reject);
          response.once("end", () => {
            const text = Buffer.concat(chunks).toString("utf8");
            try {
              const { statusCode = 0, headers } = response;
              resolve({ status: statusCode, headers, body: text === "" ? null : JSON.parse(text) });
            } catch {
              reject(Object.assign(new Error(`no JSON: ${text.slice(0, 200)}`), { code: "no JSON" }));
            }
          });
        },
      );
      request.setTimeout(PATIENCE_MS, () => request.destroy(new Error("no answer in time")));
      request.once("error", reject);
      request.end(body && JSON.stringify(body));
    });

  const tokenOf = async ({ id, email }: Person): Promise<string> => {
    const known = tokens.get(id);
    if (known && Date.now() - known.since < TOKEN_AGE_MS) return known.token;
    // Not over the wire: signing in is not what is put to the test.
    const answer = await send(
      Number(new URL(url).port),
      "POST",
      "/auth/v1/token?grant_type=password",
      {},
      {
        email,
        password: PASSWORD,
      },
    );
    const token = (answer.body as { access_token?: string } | null)?.access_token;
    if (!token) throw Object.assign(new Error("no token"), { code: "not signed in" });
    tokens.set(id, { token, since: Date.now() });
    return token;
  };

  return {
    via: "http",
    call: async (ask, onTheWay) => {
      try {
        const good = await tokenOf(ask.user);
        const token = ask.stranger ? tamperedWith(good) : good;
        const headers = { authorization: `Bearer ${token}`, "idempotency-key": ask.key };
        arm(wire, onTheWay);
        const path = readOf(ask);
        if (path) return restAnswer(await send(wire.port, "GET", path, headers));
        if (!FUNCTIONS[ask.name]) {
          const asked = { request: ask.request, idempotency_key: ask.key };
          return restAnswer(await send(wire.port, "POST", `/rest/v1/rpc/${ask.name}`, headers, asked));
        }
        const { name, action } = FUNCTIONS[ask.name] as (typeof FUNCTIONS)[string];
        const body = { ...(action && { action }), ...ask.request };
        return httpAnswer(await send(wire.port, "POST", `/functions/v1/${name}`, headers, body));
      } catch (error) {
        const { code = "network", message } = error as { code?: string; message: string };
        return { outcome: "unknown", code, problem: message };
      } finally {
        wire.calm();
      }
    },
    cut: () => wire.cutAll(),
    close: () => wire.close(),
  };
}

/** What a question is over REST; undefined for what is no question. */
function readOf({ name, request }: Ask): string | undefined {
  const of = `organization_id=eq.${request.organization_id}`;
  switch (name) {
    case "read": {
      const columns = "id,organization_id,therapist_id,client_id,room_id,start_time,end_time,status,version";
      const from = encodeURIComponent(String(request.from));
      return `/rest/v1/sessions?select=${columns}&start_time=gte.${from}&order=start_time,id&limit=50`;
    }
    case "read_series":
      return `/rest/v1/session_series?select=id,version&${of}&status=eq.active&order=created_at.desc&limit=50`;
    case "read_offers":
      return `/rest/v1/session_holds?select=id&${of}&waitlist_entry_id=not.is.null&status=eq.held&limit=20`;
  }
}

/** No function of ours: what stands in for PostgREST here says 500 where that says 503. */
function restAnswer(http: Http): Answer {
  const { data, replayed, problem } = (http.body ?? {}) as RpcAnswer;
  if (problem || (http.status === 200 && data !== undefined)) return answerOf({ data, replayed, problem });
  const answer = httpAnswer(http);
  return answer.outcome === "broken" ? { ...answer, outcome: "unknown" } : answer;
}

/** Another user id in the same token: the signature no longer fits. */
function tamperedWith(token: string): string {
  const [head, , signature] = token.split(".");
  const claims = { sub: randomUUID(), role: "service_role", aal: "aal2", exp: 4_102_444_800 };
  return [head, Buffer.from(JSON.stringify(claims)).toString("base64url"), signature].join(".");
}

function httpAnswer({ status, headers, body }: Http): Answer {
  const { data, code } = (body ?? {}) as { data?: unknown; code?: string };
  if (status === 200 || status === 201) {
    const replayed = headers["idempotency-replayed"] === "true";
    return { outcome: "ok", data: data ?? body, ...(replayed && { replayed }) };
  }
  const outcome = status >= 502 && status <= 504 ? "unknown" : status >= 500 ? "broken" : "refused";
  return { outcome, code: code ?? String(status), problem: body };
}
