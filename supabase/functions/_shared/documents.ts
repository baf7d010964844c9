/**
 * The signed URLs of documents. Whether somebody may have one, an RPC has decided as the caller, and put on record, before
 * anything is signed here.
 */
import { resolveEnv } from "@supabase/server/core";
import { createClient } from "@supabase/supabase-js";
import { decodeJwt } from "jose";
import { z } from "zod";
import { DOCUMENT_BUCKET, DOCUMENT_LINK_SECONDS } from "../../../src/lib/documents.ts";
import { guid } from "../../../src/lib/fields.ts";
import { toProblem } from "../../../src/lib/problems.ts";
import { clientOf, type RpcAnswer } from "./rpc.ts";
import type { Ask, Context } from "./serve.ts";

const RETRY_SECONDS = 2;
const STORAGE_TIMEOUT_MS = 10_000;

const announcedSchema = z.object({ document: z.looseObject({ id: guid }), path: z.string() });
const finishedSchema = announcedSchema.pick({ document: true });

/** Announces an upload, and signs it as the caller: Storage asks the policies whether this path is theirs to write. */
export async function uploadDocument(request: unknown, ask: Ask, context: Context): Promise<RpcAnswer> {
  const answer = await ask("request_document", request, "with the caller's idempotency key");
  if ("problem" in answer) return answer;
  const { document, path } = announcedSchema.parse(answer.data);
  const { replayed } = answer;
  const { data } = await clientOf(context, impatiently)
    .storage.from(DOCUMENT_BUCKET)
    .createSignedUploadUrl(path);
  if (data !== null) {
    return { data: { document, upload: { bucket: DOCUMENT_BUCKET, path, token: data.token } }, replayed };
  }
  // Of a call that is repeated: it is stored by now, or it is too late. Else Storage does not answer.
  const finished = await ask("finish_document", { document_id: document.id });
  if ("data" in finished) {
    return { data: { ...finishedSchema.parse(finished.data), upload: null }, replayed };
  }
  const { problem } = finished;
  const isAwaited = "errors" in problem && problem.errors.some(({ code }) => code === "not_uploaded");
  return isAwaited ? unavailable() : finished;
}

/**
 * Puts the read on record, and signs a link. With the secret key: a policy by which callers could sign 60 seconds would let
 * them sign years, download without a record, and list.
 */
export async function readDocument(request: unknown, ask: Ask, context: Context): Promise<RpcAnswer> {
  const answer = await ask("read_document", request);
  if ("problem" in answer) return answer;
  const { document, path } = announcedSchema.parse(answer.data);
  const { data } = await storageOf(context).createSignedUrl(path, DOCUMENT_LINK_SECONDS);
  if (data === null) return unavailable();
  const { exp = 0 } = decodeJwt(new URL(data.signedUrl).searchParams.get("token") ?? "");
  const expires_at = new Date(exp * 1_000).toISOString();
  return { data: { document, url: data.signedUrl, expires_at }, replayed: false };
}

/** The bucket, with the secret key. */
function storageOf({ requestId }: Context) {
  const { data: env, error } = resolveEnv();
  if (error) throw error;
  const secretKey = env.secretKeys.default ?? Object.values(env.secretKeys)[0];
  if (secretKey === undefined) throw new TypeError("no secret key is configured");
  return createClient(env.url, secretKey, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: { fetch: impatiently, headers: { "X-Request-Id": requestId } },
  }).storage.from(DOCUMENT_BUCKET);
}

const impatiently: typeof fetch = (input, init) =>
  fetch(input, { ...init, signal: AbortSignal.timeout(STORAGE_TIMEOUT_MS) });

function unavailable(): RpcAnswer {
  return { problem: toProblem("unavailable", { retry_after: RETRY_SECONDS }) };
}
