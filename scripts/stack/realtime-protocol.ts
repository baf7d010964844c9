// How Realtime's messages stand on a websocket: those of Phoenix channels, in the two versions that supabase-js speaks.

import type { RawData } from "ws";

export interface Message {
  joinRef: string | null;
  ref: string | null;
  topic: string;
  event: string;
  payload: Record<string, unknown>;
}

/** A row of realtime.messages on its way. `payload` is JSON. */
export interface Broadcast {
  id: string;
  topic: string;
  event: string;
  payload: string;
}

export type Version = "1.0.0" | "2.0.0";

/** The message in a frame; undefined if there is none that a client of calendars has reason to send. */
export function decode(data: RawData, isBinary: boolean, version: Version): Message | undefined {
  // What a client broadcasts comes as a binary frame. Nobody may.
  if (isBinary) return undefined;
  const parsed: unknown = JSON.parse(data.toString());
  const [joinRef, ref, topic, event, payload] =
    version === "2.0.0" && Array.isArray(parsed) ? parsed : fieldsOf(parsed);
  if (typeof topic !== "string" || typeof event !== "string") return undefined;
  return {
    joinRef: textOrNull(joinRef),
    ref: textOrNull(ref),
    topic,
    event,
    payload: typeof payload === "object" && payload !== null ? { ...payload } : {},
  };
}

function fieldsOf(parsed: unknown): unknown[] {
  const { join_ref, ref, topic, event, payload } = Object(parsed) as Record<string, unknown>;
  return [join_ref, ref, topic, event, payload];
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

export function encode({ joinRef, ref, topic, event, payload }: Message, version: Version): string {
  return JSON.stringify(
    version === "2.0.0"
      ? [joinRef, ref, topic, event, payload]
      : { join_ref: joinRef, ref, topic, event, payload },
  );
}

// Version 2 has a frame of its own for broadcasts.
const USER_BROADCAST = 4;
const JSON_ENCODING = 1;

export function encodeBroadcast(broadcast: Broadcast, version: Version): string | Buffer {
  const topic = `realtime:${broadcast.topic}`;
  const meta = { id: broadcast.id };
  if (version === "1.0.0") {
    const { event } = broadcast;
    const payload = { type: "broadcast", event, payload: JSON.parse(broadcast.payload), meta };
    return encode({ joinRef: null, ref: null, topic, event: "broadcast", payload }, version);
  }
  const names = [topic, broadcast.event, JSON.stringify(meta)].map((text) => Buffer.from(text));
  const head = Buffer.from([USER_BROADCAST, ...names.map((name) => name.length), JSON_ENCODING]);
  return Buffer.concat([head, ...names, Buffer.from(broadcast.payload)]);
}
