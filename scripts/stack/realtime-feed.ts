// The broadcasts as they are committed, read from the write-ahead log by logical replication, as hosted reads them.

import { randomBytes } from "node:crypto";
import postgres from "postgres";
import type { Broadcast } from "./realtime-protocol.ts";

export interface Feed {
  close(): Promise<void>;
}

const PUBLICATION = "supabase_realtime_messages_publication";

/** Reads what is inserted into realtime.messages from now on, until it is closed or the connection breaks. */
export async function openFeed(
  adminDatabaseUrl: string,
  onBroadcast: (broadcast: Broadcast) => void,
  onBroken: () => void,
): Promise<Feed> {
  const sql = postgres(adminDatabaseUrl, {
    max: 1,
    onnotice: () => {},
    fetch_types: false,
    idle_timeout: 0,
    max_lifetime: null,
    connection: { application_name: "holdfast-realtime", replication: "database" },
  });
  let isOpen = true;
  const close = async (): Promise<void> => {
    isOpen = false;
    await sql.end({ timeout: 0 });
  };
  try {
    const slot = `holdfast_realtime_${randomBytes(8).toString("hex")}`;
    const [created] = await sql.unsafe(
      `CREATE_REPLICATION_SLOT ${slot} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT`,
    );
    const stream = await sql
      .unsafe(
        `START_REPLICATION SLOT ${slot} LOGICAL ${created?.consistent_point} ` +
          `(proto_version '1', publication_names '${PUBLICATION}')`,
      )
      .writable();
    stream.on("data", (message: Buffer) => {
      if (message[0] === XLOG_DATA) {
        const broadcast = insertedBroadcast(message.subarray(25));
        if (broadcast) onBroadcast(broadcast);
      } else if (message[0] === KEEPALIVE && message[17]) {
        stream.write(statusUpdate(message.subarray(1, 9)));
      }
    });
    const lost = (): void => {
      if (!isOpen) return;
      void close();
      onBroken();
    };
    stream.on("error", lost);
    stream.on("close", lost);
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}

// What the replication protocol and pgoutput call their messages.
const XLOG_DATA = "w".charCodeAt(0);
const KEEPALIVE = "k".charCodeAt(0);
const INSERT = "I".charCodeAt(0);
const NULL_VALUE = "n".charCodeAt(0);

/** "Everything up to here has been read." Asked for now and then; who does not answer is disconnected. */
function statusUpdate(position: Buffer): Buffer {
  const update = Buffer.alloc(34);
  update.write("r");
  for (const at of [1, 9, 17]) position.copy(update, at);
  return update;
}

/** The row of an insert. Its columns are those of the publication, in the order of the table. */
function insertedBroadcast(message: Buffer): Broadcast | undefined {
  if (message[0] !== INSERT) return undefined;
  const values: (string | null)[] = [];
  // The table's number, the letter N, and how many columns follow.
  let at = 8;
  while (at < message.length) {
    const isNull = message[at] === NULL_VALUE;
    const start = at + (isNull ? 1 : 5);
    const end = start + (isNull ? 0 : message.readUInt32BE(at + 1));
    values.push(isNull ? null : message.toString("utf8", start, end));
    at = end;
  }
  const [topic, payload, event, isPrivate, id] = values;
  return topic && payload && event && id && isPrivate === "t" ? { id, topic, event, payload } : undefined;
}
