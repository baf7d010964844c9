/** Listening to changes of calendars over Supabase Realtime. */
import type { RealtimeChannel, SupabaseClient } from "@supabase/supabase-js";
import { fromWire } from "./casing.ts";
import { type Change, type ChangeTarget, changeSchema, changeTargetSchema } from "./changes.ts";
import { HoldfastError, toAppProblem } from "./errors.ts";
import { fieldErrors } from "./fields.ts";
import { renewToken } from "./live-token.ts";
import { toProblem } from "./problems.ts";

/**
 * - `live`: from now on, changes arrive. What happened before must be read.
 * - `resync`: changes may have been missed, as after a broken connection: read again. They arrive again from now on.
 * - `broken`: nothing arrives, since the connection broke or does not come. It is tried again by itself until `resync`, or `live`.
 * - `refused`: who is signed in may not listen, or no longer; the error says why. It has ended.
 * - `closed`: the app ended it from outside, by `removeAllChannels` for one.
 */
export type ChangeStatus = "live" | "resync" | "broken" | "refused" | "closed";

export interface ChangeOptions {
  onStatus?: (status: ChangeStatus, error?: HoldfastError) => void;
}

export interface ChangeSubscription {
  /** Ends it: neither function is called after this. */
  unsubscribe(): Promise<void>;
}

interface Listener extends ChangeOptions {
  onChange: (change: Change) => void;
}

/** The feeds of an app: one for each topic, however many listen. supabase-js joins a topic once. */
const feeds = new WeakMap<SupabaseClient, Map<string, Feed>>();

/** Listens to the changes of one calendar; see `Holdfast.changes`. */
export function subscribeToChanges(
  supabase: SupabaseClient,
  target: ChangeTarget,
  onChange: (change: Change) => void,
  options: ChangeOptions = {},
): ChangeSubscription {
  const topic = topicOf(target);
  const ofClient = feeds.get(supabase) ?? new Map<string, Feed>();
  feeds.set(supabase, ofClient);
  let feed = ofClient.get(topic);
  if (!feed || feed.ended) {
    feed = new Feed(supabase, topic, feed?.closed);
    ofClient.set(topic, feed);
  }
  return feed.add({ onChange, ...options });
}

function topicOf(target: ChangeTarget): string {
  const parsed = changeTargetSchema.safeParse(target);
  if (!parsed.success) {
    const problem = toProblem("validation_failed", { errors: fieldErrors(parsed.error) });
    throw new HoldfastError(toAppProblem(problem));
  }
  const [[name, id]] = Object.entries(parsed.data) as [[string, string]];
  return `${name.replace(/Id$/, "")}:${id.toLowerCase()}`;
}

class Feed {
  ended = false;
  /** Settled when the topic may be joined anew. */
  closed: Promise<unknown>;
  private readonly listeners = new Set<Listener>();
  private channel: RealtimeChannel | undefined;
  private isLive = false;
  private wasLive = false;
  private isBroken = false;
  /** Whether it was joined anew, and has not been live since. */
  private renewed = false;

  constructor(
    private readonly supabase: SupabaseClient,
    private readonly topic: string,
    before: Promise<unknown> = Promise.resolve(),
  ) {
    this.closed = before;
    void this.open();
  }

  add(listener: Listener): ChangeSubscription {
    this.listeners.add(listener);
    if (this.isLive || this.isBroken) {
      queueMicrotask(() => {
        if (!this.listeners.has(listener)) return;
        if (this.isLive) listener.onStatus?.("live");
        else if (this.isBroken) listener.onStatus?.("broken");
      });
    }
    return {
      unsubscribe: async () => {
        this.listeners.delete(listener);
        if (this.listeners.size === 0) this.end();
        await this.closed;
      },
    };
  }

  private async open(): Promise<void> {
    await this.closed;
    // The token of who is signed in, fresh if need be: a private channel is joined with nothing else.
    await this.supabase.realtime.setAuth();
    if (this.ended) return;
    // Why the server ends the channel: said just before it does.
    let endedByServer = false;
    const channel = this.supabase.channel(this.topic, { config: { private: true } });
    this.channel = channel
      .on("broadcast", { event: "*" }, ({ event, payload }) => this.hear({ ...payload, type: event }))
      .on("system", {}, ({ status }) => {
        endedByServer ||= status === "error";
      })
      .subscribe((status, error) => {
        if (this.channel !== channel || this.ended) return;
        this.isLive = status === "SUBSCRIBED";
        if (this.isLive) this.announceLive();
        // A broken connection is joined anew by supabase-js.
        else if (status === "CHANNEL_ERROR") this.judge(error?.message ?? "");
        else if (status === "TIMED_OUT") this.announceBroken();
        else if (endedByServer) this.renew();
        else this.end("closed");
      });
  }

  private announceLive(): void {
    const status = this.wasLive ? "resync" : "live";
    this.wasLive = true;
    this.isBroken = false;
    this.renewed = false;
    this.tell(status);
  }

  private announceBroken(): void {
    if (this.isBroken) return;
    this.isBroken = true;
    this.tell("broken");
  }

  private hear(message: unknown): void {
    const change = changeSchema.safeParse(message);
    // A newer server tells of more than this version knows: something changed.
    if (!change.success) {
      this.tell("resync");
      return;
    }
    this.toAll(({ onChange }) => onChange(fromWire(change.data)));
  }

  private judge(reason: string): void {
    // Who is not signed in joins with the key itself, which may be a JWT too.
    const { accessTokenValue: token, apiKey } = this.supabase.realtime;
    const signedOut = token === null || token === apiKey;
    if (/JWT/.test(reason) && !this.renewed) this.renew();
    else if (/JWT/.test(reason) || (/^Unauthorized/.test(reason) && signedOut))
      this.refuse("unauthenticated");
    else if (/^Unauthorized/.test(reason)) this.refuse("forbidden");
    else this.announceBroken();
  }

  private refuse(code: "unauthenticated" | "forbidden"): void {
    this.end("refused", new HoldfastError(toAppProblem(toProblem(code))));
  }

  /** Joins anew, with a token that is good now: if it is good for nothing, it is refused. */
  private renew(): void {
    this.renewed = true;
    this.leave();
    void renewToken(this.supabase).then(() => this.open());
  }

  private end(status?: ChangeStatus, error?: HoldfastError): void {
    if (this.ended) return;
    this.ended = true;
    this.isLive = false;
    this.isBroken = false;
    this.leave();
    if (status) this.tell(status, error);
  }

  private leave(): void {
    const { channel } = this;
    this.channel = undefined;
    if (channel) this.closed = this.supabase.removeChannel(channel);
  }

  private tell(status: ChangeStatus, error?: HoldfastError): void {
    this.toAll(({ onStatus }) => onStatus?.(status, error));
  }

  /** Though one of them throws, the others hear; then the first error goes on. */
  private toAll(tell: (listener: Listener) => void): void {
    const errors: unknown[] = [];
    for (const listener of this.listeners) {
      try {
        tell(listener);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
