// Realtime as apps use it: the real supabase-js, over the gateway's websocket, hears what others do.

import { randomUUID } from "node:crypto";
import { createClient as createSupabase, type SupabaseClient } from "@supabase/supabase-js";
import { decodeJwt, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { loadKeys } from "../../../scripts/stack/keys.ts";
import type { ChangeStatus } from "../../../src/lib/change-feed.ts";
import type { Change, ChangeTarget } from "../../../src/lib/changes.ts";
import { createHoldfast, type HoldfastError } from "../../../src/lib/index.ts";
import { cancel, confirm, hold, time } from "../support/calls.ts";
import { type Clinic, createClinic, createUser, PASSWORD, type User } from "../support/clinic.ts";
import { connect, sql, stack } from "../support/stack.ts";

let clinic: Clinic;
let other: Clinic;
let parent: User;
/** The parent's. */
let child: string;
const opened: SupabaseClient[] = [];

beforeAll(async () => {
  [clinic, other] = await Promise.all([createClinic(), createClinic()]);
  child = clinic.aspen;
  parent = await createUser();
  await sql`insert into public.user_roles (organization_id, user_id, role) values (${clinic.id}, ${parent.id}, 'client')`;
  await sql`
    insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
    values (${clinic.id}, ${child}, ${parent.id}, 'parent', current_date - 30)`;
});
afterAll(async () => {
  for (const supabase of opened) await supabase.removeAllChannels();
});

/** What somebody hears of a calendar, in order; `next()` waits for what comes next. */
interface Ear {
  next(): Promise<Change | { status: ChangeStatus; code?: string | undefined }>;
  /** What was heard and not waited for. */
  rest: unknown[];
  supabase: SupabaseClient;
  unsubscribe(): Promise<void>;
}

async function listen(user: User, target: ChangeTarget, supabase?: SupabaseClient): Promise<Ear> {
  const own = supabase ?? ((await user.client()) as unknown as SupabaseClient);
  opened.push(own);
  const rest: Awaited<ReturnType<Ear["next"]>>[] = [];
  let wake = () => {};
  const put = (heard: (typeof rest)[number]): void => {
    rest.push(heard);
    wake();
  };
  const onStatus = (status: ChangeStatus, error?: HoldfastError): void => put({ status, code: error?.code });
  const { unsubscribe } = createHoldfast(own).changes.subscribe(target, put, { onStatus });
  const next = async (): ReturnType<Ear["next"]> => {
    for (;;) {
      const heard = rest.shift();
      if (heard) return heard;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { next, rest, supabase: own, unsubscribe };
}

/** A client of somebody's own, which no other test uses. */
async function signIn(user: User): Promise<SupabaseClient> {
  const supabase = connect() as unknown as SupabaseClient;
  const { error } = await supabase.auth.signInWithPassword({ email: user.email, password: PASSWORD });
  if (error) throw error;
  return supabase;
}

describe("who has a calendar open", () => {
  it("hears what somebody else does, as it is done", async () => {
    const [scheduler, rosa, family] = await Promise.all([
      listen(clinic.scheduler, { organizationId: clinic.id }),
      listen(clinic.rosa.user, { therapistId: clinic.rosa.id }),
      listen(parent, { clientId: child }),
    ]);
    for (const ear of [scheduler, rosa, family]) expect(await ear.next()).toMatchObject({ status: "live" });

    const when = time(30, 16);
    const held = await hold(clinic, when, {}, clinic.admin);
    const { session } = await confirm(clinic.admin, held.hold_key);
    await cancel(clinic.admin, { session_ids: [session.id], cancelled_by: "clinic", reason: "a fever" });

    const inTime = { ids: [session.id], startTime: expect.anything(), endTime: expect.anything() };
    for (const [ear, whose] of [
      [scheduler, { therapistIds: [clinic.rosa.id] }],
      [rosa, {}],
    ] as const) {
      const first = await ear.next();
      expect(first).toEqual({ object: "session_holds", type: "hold.created", ...inTime, ...whose });
      expect(Date.parse((first as Change).startTime)).toBe(Date.parse(when.start_time));
      expect(Date.parse((first as Change).endTime)).toBe(Date.parse(when.end_time));
      expect(await ear.next()).toEqual({
        object: "sessions",
        type: "session.scheduled",
        ...inTime,
        ...whose,
      });
      expect(await ear.next()).toEqual({
        object: "sessions",
        type: "session.cancelled",
        ...inTime,
        ...whose,
      });
    }
    expect(await family.next()).toEqual({ object: "sessions", type: "session.scheduled", ...inTime });
    expect(await family.next()).toEqual({ object: "sessions", type: "session.cancelled", ...inTime });
    await Promise.all([scheduler, rosa, family].map((ear) => ear.unsubscribe()));
  });

  it("hears of a batch once", async () => {
    const ear = await listen(clinic.rosa.user, { therapistId: clinic.rosa.id });
    expect(await ear.next()).toMatchObject({ status: "live" });
    const held = await hold(clinic, { occurrences: [time(40, 16), time(41, 16), time(42, 16)] });
    expect((await ear.next()) as Change).toMatchObject({
      ids: held.holds.map((one) => one.hold_key).sort(),
      type: "hold.created",
    });
    await cancel(clinic.rosa.user, { hold_key: held.hold_key, cancelled_by: "therapist" });
    expect(await ear.next()).toMatchObject({ type: "hold.released" });
    await ear.unsubscribe();
  });

  it("shares a topic, and hears until the last has left", async () => {
    const target = { organizationId: clinic.id };
    const [first, second] = [await listen(clinic.admin, target), await listen(clinic.admin, target)];
    for (const ear of [first, second]) expect(await ear.next()).toMatchObject({ status: "live" });
    await first.unsubscribe();
    const late = await listen(clinic.admin, target);
    expect(await late.next()).toMatchObject({ status: "live" });
    const held = await hold(clinic, time(50, 16));
    for (const ear of [second, late]) expect(await ear.next()).toMatchObject({ ids: [held.hold_key] });
    expect(first.rest).toEqual([]);
    // As a page that is left and opened again at once.
    const leaving = Promise.all([second.unsubscribe(), late.unsubscribe()]);
    const again = await listen(clinic.admin, target);
    await leaving;
    expect(await again.next()).toMatchObject({ status: "live" });
    await cancel(clinic.rosa.user, { hold_key: held.hold_key, cancelled_by: "therapist" });
    expect(await again.next()).toMatchObject({ type: "hold.released" });
    await again.unsubscribe();
    expect([...second.rest, ...late.rest]).toEqual([]);
  });

  it("is told to read again after a broken connection, and hears on", async () => {
    const ear = await listen(clinic.scheduler, { organizationId: clinic.id }, await signIn(clinic.scheduler));
    expect(await ear.next()).toMatchObject({ status: "live" });
    const socket = ear.supabase.realtime as unknown as { socketAdapter: { socket: { conn: WebSocket } } };
    socket.socketAdapter.socket.conn.terminate();
    expect(await ear.next()).toMatchObject({ status: "broken" });
    expect(await ear.next()).toMatchObject({ status: "resync" });
    const held = await hold(clinic, time(52, 16));
    expect(await ear.next()).toMatchObject({ ids: [held.hold_key] });
    await ear.unsubscribe();
  });

  it("is told when the app ends it from outside", async () => {
    const ear = await listen(clinic.scheduler, { organizationId: clinic.id }, await signIn(clinic.scheduler));
    expect(await ear.next()).toMatchObject({ status: "live" });
    await ear.supabase.removeAllChannels();
    expect(await ear.next()).toMatchObject({ status: "closed" });
  });
});

describe("who may not listen", () => {
  it.each([
    ["to another clinic", () => listen(other.admin, { organizationId: clinic.id }), "forbidden"],
    [
      "to another clinic's therapist",
      () => listen(other.admin, { therapistId: clinic.rosa.id }),
      "forbidden",
    ],
    ["to another child", () => listen(parent, { clientId: clinic.birch }), "forbidden"],
    ["to a colleague", () => listen(clinic.rosa.user, { therapistId: clinic.theo.id }), "forbidden"],
    ["to what is not there", () => listen(clinic.admin, { clientId: randomUUID() }), "forbidden"],
    [
      "without a login",
      () => listen(clinic.admin, { organizationId: clinic.id }, connect() as never),
      "unauthenticated",
    ],
  ])("is refused %s, with a problem", async (_, attempt, code) => {
    const ear = await attempt();
    expect(await ear.next()).toEqual({ status: "refused", code });
    await ear.unsubscribe();
  });

  it("is told to sign in where the key is a JWT, as older projects' anon keys are", async () => {
    const { dataDir } = (await (await fetch(`${stack.url}/health`)).json()) as { dataDir: string };
    const keys = await loadKeys(dataDir);
    const claims = decodeJwt(await clinic.admin.token());
    const anonKey = await new SignJWT({ ...claims, sub: randomUUID(), role: "anon" })
      .setProtectedHeader({ alg: "ES256", kid: keys.kid, typ: "JWT" })
      .sign(keys.signingKey);
    const supabase = createSupabase(stack.url, stack.publishableKey, {
      accessToken: async () => anonKey,
      realtime: { transport: WebSocket as unknown as typeof globalThis.WebSocket },
    });
    // The stack's gateway knows keys of today's form only: the address still has that one.
    supabase.realtime.apiKey = anonKey;
    const ear = await listen(clinic.admin, { organizationId: clinic.id }, supabase);
    expect(await ear.next()).toEqual({ status: "refused", code: "unauthenticated" });
  });

  it("gets a field error for a target that is none", () => {
    const { changes } = createHoldfast(connect() as never);
    for (const target of [{}, { organizationId: "x" }, { organizationId: clinic.id, clientId: child }]) {
      expect(() => changes.subscribe(target as ChangeTarget, () => {})).toThrow(
        expect.objectContaining({ code: "validation_failed" }),
      );
    }
  });

  it("is cut off at the next token once the role is gone", async () => {
    const leaver = await createUser("internal_ops", clinic.id);
    const ear = await listen(leaver, { organizationId: clinic.id }, await signIn(leaver));
    expect(await ear.next()).toMatchObject({ status: "live" });
    await sql`update public.user_roles set revoked_at = now() where user_id = ${leaver.id}`;
    await ear.supabase.auth.refreshSession();
    expect(await ear.next()).toEqual({ status: "refused", code: "forbidden" });
  });

  it("hears nothing of another clinic, whatever it subscribes to", async () => {
    const ear = await listen(other.admin, { organizationId: other.id });
    expect(await ear.next()).toMatchObject({ status: "live" });
    await hold(clinic, time(54, 16));
    const own = await hold(other, time(54, 16));
    expect(await ear.next()).toMatchObject({ ids: [own.hold_key] });
    await ear.unsubscribe();
  });

  it("hears nothing of another child's place", async () => {
    const ear = await listen(parent, { clientId: child });
    expect(await ear.next()).toMatchObject({ status: "live" });
    const theirs = await hold(clinic, time(56, 16), { client_id: clinic.birch });
    await confirm(clinic.rosa.user, theirs.hold_key);
    const own = await hold(clinic, time(56, 18));
    await confirm(clinic.rosa.user, own.hold_key);
    expect(await ear.next()).toMatchObject({ ids: [own.hold_key], type: "session.scheduled" });
    await ear.unsubscribe();
  });
});

describe("the gateway", () => {
  /** A bare websocket, and the messages that it gets. */
  async function open(parameters: Record<string, string>) {
    const url = `${stack.url.replace("http", "ws")}/realtime/v1/websocket?${new URLSearchParams(parameters)}`;
    const socket = new WebSocket(url);
    const answers: unknown[] = [];
    let wake = () => {};
    socket.on("message", (data) => {
      answers.push(JSON.parse(data.toString()));
      wake();
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    const next = async (): Promise<unknown> => {
      while (answers.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      return answers.shift();
    };
    const ask = (message: unknown): Promise<unknown> => {
      socket.send(JSON.stringify(message));
      return next();
    };
    return { socket, ask, next };
  }

  it.each([{}, { apikey: "sb_publishable_of_another" }])(
    "refuses a key that is none of its own: %j",
    async (key) => {
      await expect(open({ ...key, vsn: "2.0.0" } as Record<string, string>)).rejects.toThrow("401");
    },
  );

  it("speaks version 2: heartbeats, refusals in hosted's words, leaving", async () => {
    const { socket, ask } = await open({ apikey: stack.publishableKey, vsn: "2.0.0" });
    expect(await ask([null, "1", "phoenix", "heartbeat", {}])).toEqual([
      null,
      "1",
      "phoenix",
      "phx_reply",
      { status: "ok", response: {} },
    ]);
    const topic = `realtime:organization:${clinic.id}`;
    const join = (config: object, access_token?: string) =>
      ask(["2", "2", topic, "phx_join", { config, access_token }]);
    const refused = (reason: string) => [
      "2",
      "2",
      topic,
      "phx_reply",
      { status: "error", response: { reason } },
    ];
    expect(await join({ private: false }, await clinic.admin.token())).toEqual(
      refused("PrivateOnly: This project only allows private channels"),
    );
    expect(await join({ private: true }, await other.admin.token())).toEqual(
      refused(
        `Unauthorized: You do not have permissions to read from this Channel topic: organization:${clinic.id}`,
      ),
    );
    expect(await join({ private: true }, "a.b.c")).toEqual(
      refused("JwtSignatureError: Failed to validate JWT signature"),
    );
    expect(await join({ private: true }, await clinic.admin.token())).toEqual([
      "2",
      "2",
      topic,
      "phx_reply",
      { status: "ok", response: { postgres_changes: [] } },
    ]);
    expect(await ask(["2", "3", topic, "phx_leave", {}])).toEqual([
      "2",
      "3",
      topic,
      "phx_reply",
      { status: "ok", response: {} },
    ]);
    socket.close();
  });

  it("ends a channel when its token expires", async () => {
    const { dataDir } = (await (await fetch(`${stack.url}/health`)).json()) as { dataDir: string };
    const keys = await loadKeys(dataDir);
    const claims = decodeJwt(await clinic.admin.token());
    const token = await new SignJWT({ ...claims, exp: Math.ceil(Date.now() / 1_000) + 1 })
      .setProtectedHeader({ alg: "ES256", kid: keys.kid, typ: "JWT" })
      .sign(keys.signingKey);
    const { socket, ask, next } = await open({ apikey: stack.publishableKey, vsn: "2.0.0" });
    const topic = `realtime:organization:${clinic.id}`;
    const joined = await ask([
      "1",
      "1",
      topic,
      "phx_join",
      { config: { private: true }, access_token: token },
    ]);
    expect(joined).toMatchObject({ 4: { status: "ok" } });
    expect(await next()).toMatchObject({
      3: "system",
      4: { status: "error", message: expect.stringMatching(/^Token has expired/) },
    });
    expect(await next()).toEqual(["1", "1", topic, "phx_close", {}]);
    expect(
      await ask(["2", "2", topic, "phx_join", { config: { private: true }, access_token: token }]),
    ).toMatchObject({
      4: {
        response: { reason: expect.stringMatching(/^InvalidJWTToken: Token has expired \d+ seconds ago$/) },
      },
    });
    socket.close();
  });

  it("speaks version 1", async () => {
    const supabase = createSupabase(stack.url, stack.publishableKey, {
      auth: { persistSession: false, autoRefreshToken: false },
      realtime: { transport: WebSocket as never, vsn: "1.0.0" },
    });
    await supabase.auth.signInWithPassword({ email: clinic.theo.user.email, password: PASSWORD });
    const ear = await listen(clinic.theo.user, { therapistId: clinic.theo.id }, supabase);
    expect(await ear.next()).toMatchObject({ status: "live" });
    const held = await hold(clinic, time(58, 16), { therapist_id: clinic.theo.id }, clinic.scheduler);
    expect(await ear.next()).toMatchObject({ ids: [held.hold_key], type: "hold.created" });
    await ear.unsubscribe();
  });

  it("takes no broadcast from an app", async () => {
    const ear = await listen(clinic.admin, { organizationId: clinic.id });
    expect(await ear.next()).toMatchObject({ status: "live" });
    const [channel] = ear.supabase.getChannels();
    await channel?.send({ type: "broadcast", event: "session.moved", payload: { forged: true } });
    const held = await hold(clinic, time(60, 16));
    expect(await ear.next()).toMatchObject({ ids: [held.hold_key] });
    await ear.unsubscribe();
  });
});
