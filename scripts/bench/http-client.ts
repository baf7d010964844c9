// The process that asks over HTTP, for the benchmarks `http` and `load`. It is forked with a channel: first comes the target,
// then one job after the other, and each is answered by what came of it.

import type { Answer, Job, Target } from "./http-setup.ts";

let target: Target;
/** A sequence of hours that nobody has booked. */
let next = 0;
const started = new Map<string, { token: Promise<string>; until: number }>();
/** Well before a token expires. */
const renewedAfter = 10 * 60_000;

process.on("message", (message: { target?: Target; job?: Job }) => {
  void answerTo(message).then(
    (answers) => process.send?.({ answers }),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? error.stack : String(error), answers: [] }),
  );
});
process.on("disconnect", () => process.exit(0));

async function answerTo(message: { target?: Target; job?: Job }): Promise<Answer[]> {
  if (message.target) {
    target = message.target;
    for (const email of target.emails) await tokenOf(email);
    return [];
  }
  if (!message.job) throw new Error("neither a target nor a job");
  return message.job.kind === "mixed" ? mixed(message.job) : oneByOne(message.job);
}

async function tokenOf(email: string): Promise<string> {
  const known = started.get(email);
  if (known && known.until > Date.now()) return known.token;
  const token = signIn(email);
  started.set(email, { token, until: Date.now() + renewedAfter });
  return token;
}

async function signIn(email: string): Promise<string> {
  const response = await fetch(`${target.url}/auth/v1/token?grant_type=password`, {
    method: "POST",
    headers: { apikey: target.publishableKey, "content-type": "application/json" },
    body: JSON.stringify({ email, password: target.password }),
  });
  const body = (await response.json()) as { access_token?: string };
  if (!body.access_token) throw new Error(`${email} cannot sign in: ${response.status}`);
  return body.access_token;
}

interface Asked {
  answer: Answer;
  body: { data?: { hold_key?: string; session?: { id: string } } };
}

let began = 0;

async function ask(operation: string, path: string, email: string | null, body?: object): Promise<Asked> {
  const headers: Record<string, string> = {
    apikey: target.publishableKey,
    "content-type": "application/json",
  };
  if (email) headers.authorization = `Bearer ${await tokenOf(email)}`;
  const at = performance.now();
  const response = await fetch(target.url + path, {
    method: body ? "POST" : "GET",
    headers,
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const answered = (await response.json()) as Asked["body"];
  const { status } = response;
  const retryAfter = response.headers.has("retry-after");
  return {
    answer: { operation, at: at - began, ms: performance.now() - at, status, retryAfter },
    body: answered,
  };
}

/** An hour that is open, with a therapist and a client of theirs. */
function place(): { therapist_id: string | undefined; client_id: string | undefined; start: number } {
  const [number, count] = [next++, target.therapists.length];
  const therapist = number % count;
  const hour = Math.floor(number / count);
  return {
    therapist_id: target.therapists[therapist],
    client_id: target.clients[therapist]?.[hour % 10],
    start: target.base + hour * 3_600_000,
  };
}

const times = (start: number) => ({
  start_time: new Date(start).toISOString(),
  end_time: new Date(start + 3_600_000).toISOString(),
  start_time_offset_minutes: 0,
  end_time_offset_minutes: 0,
  time_zone: "UTC",
});

const holdBody = ({ start, ...who }: ReturnType<typeof place>) => ({
  ...who,
  ...times(start),
  service_code: "97153",
});

async function book(email: string): Promise<{ answers: Answer[]; session: string | undefined }> {
  const held = await ask("hold", "/functions/v1/sessions-hold", email, holdBody(place()));
  const hold_key = held.body.data?.hold_key;
  if (!hold_key) return { answers: [held.answer], session: undefined };
  const confirmed = await ask("confirm", "/functions/v1/sessions-confirm", email, {
    hold_key,
    time_zone: "UTC",
  });
  return { answers: [held.answer, confirmed.answer], session: confirmed.body.data?.session?.id };
}

async function oneByOne({ what, calls }: Extract<Job, { kind: "one by one" }>): Promise<Answer[]> {
  const [email = ""] = target.emails;
  const answers: Answer[] = [];
  began = performance.now();
  for (let call = 0; call < calls; call++) {
    if (what === "book") answers.push(...(await book(email)).answers);
    else {
      const who = what === "nobody" ? null : email;
      const { answer } = await ask(what, "/functions/v1/sessions-hold", who, { therapist_id: "nobody" });
      answers.push(answer);
    }
  }
  return answers;
}

/** What a scheduler's screen does: mostly reading, sometimes booking, now and then calling off. */
async function mixed({ users, seconds, burst }: Extract<Job, { kind: "mixed" }>): Promise<Answer[]> {
  const answers: Answer[] = [];
  began = performance.now();
  const until = began + seconds * 1000;
  const keep = (asked: Asked): void => void answers.push(asked.answer);
  await Promise.all(
    Array.from({ length: users }, async (_, user) => {
      const email = target.emails[user % target.emails.length] ?? "";
      const booked: string[] = [];
      // Ten turns have every kind.
      for (let turn = user; performance.now() < until || (!burst && turn < user + 10); turn++) {
        const kind = turn % 10;
        if (burst && kind === 9 && target.limited) keep(await askTooOften(target.limited));
        else if (kind < 4) keep(await ask("week", weekPath(turn), email));
        else if (kind < 6)
          keep(await ask("open times", "/rest/v1/rpc/find_open_times", email, { request: search(turn) }));
        else if (kind === 8 && booked.length > 0) {
          const body = { session_ids: [booked.shift()], reason: "rescheduled", cancelled_by: "clinic" };
          keep(await ask("cancel", "/functions/v1/sessions-cancel", email, body));
        } else {
          const { answers: more, session } = await book(email);
          answers.push(...more);
          if (session) booked.push(session);
        }
      }
    }),
  );
  return answers;
}

/** As somebody whose clinic allows few calls a minute. */
const askTooOften = ({ email, therapist, client }: NonNullable<Target["limited"]>): Promise<Asked> =>
  ask("too often", "/functions/v1/sessions-availability", email, {
    ...search(0),
    client_id: client,
    therapist_ids: [therapist],
  });

const day = 24 * 3_600_000;

function weekPath(turn: number): string {
  const therapist = target.therapists[turn % target.therapists.length];
  const from = target.base - 50 * day + (turn % 3) * 7 * day;
  const bounds = `start_time=gte.${new Date(from).toISOString()}&start_time=lt.${new Date(from + 7 * day).toISOString()}`;
  return `/rest/v1/sessions?select=id,client_id,start_time,end_time,time_zone,status&therapist_id=eq.${therapist}&${bounds}&order=start_time`;
}

function search(turn: number) {
  const count = target.therapists.length;
  const therapist = turn % count;
  const from = target.base - 45 * day;
  return {
    client_id: target.clients[therapist]?.[0],
    therapist_ids: [target.therapists[therapist]],
    service_code: "97153",
    duration_minutes: 60,
    step_minutes: 15,
    range_start: new Date(from).toISOString(),
    range_end: new Date(from + 7 * day).toISOString(),
    time_zone: "UTC",
  };
}
