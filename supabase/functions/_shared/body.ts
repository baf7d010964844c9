/**
 * Reading a request's body without trusting its length or its content.
 */
import { type Problem, toProblem } from "../../../src/lib/problems.ts";

/** Most bytes of a body: 2 MB. */
export const MAX_BODY_BYTES = 2_097_152;
// Of a body that is too large, so much is read on: a caller who is still writing when the connection ends sees that,
// and not the answer.
const MAX_DISCARDED_BYTES = 16_777_216;
// Who sends a body drop by drop keeps others' requests out.
const BODY_SECONDS = 20;

/** The body as JSON, or the problem with it: `payload_too_large`, `invalid_json` (also for one that breaks off, or takes too long). */
export async function readJson(request: Request): Promise<{ json: unknown } | { problem: Problem }> {
  const reader = request.body?.getReader();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    // Ends what is being read, too.
    reader?.cancel().catch(() => {});
  }, BODY_SECONDS * 1_000);
  const declared = Number(request.headers.get("content-length") ?? 0);
  const bytes = await readBytes(reader, declared)
    // The connection ended: who would be answered is gone, and nothing here is at fault.
    .catch(() => undefined)
    .finally(() => clearTimeout(timer));
  if (late) {
    const detail = `The body did not arrive within ${BODY_SECONDS} seconds.`;
    return { problem: toProblem("invalid_json", { detail, reason: "too_slow" }) };
  }
  if (bytes === undefined) {
    return { problem: toProblem("invalid_json", { detail: "The body broke off.", reason: "incomplete" }) };
  }
  if (bytes === null) return { problem: toProblem("payload_too_large") };
  try {
    return { json: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) };
  } catch {
    return { problem: toProblem("invalid_json") };
  }
}

/** The body's bytes, or null as soon as they are too many; a Content-Length is believed only when it says so. */
async function readBytes(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined,
  declared: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  if (declared > MAX_BODY_BYTES) {
    await discard(reader);
    return null;
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    length += next.value.byteLength;
    if (length > MAX_BODY_BYTES) {
      await discard(reader);
      return null;
    }
    chunks.push(next.value);
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

/** Reads what is left to its end, or to where patience ends. */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<void> {
  for (let length = 0; length < MAX_DISCARDED_BYTES; ) {
    const next = await reader?.read();
    if (!next || next.done) return;
    length += next.value.byteLength;
  }
  await reader?.cancel();
}
