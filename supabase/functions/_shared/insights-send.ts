/**
 * Sending insights, one message at a time: each is claimed right before it is sent, so that an organization that turns them
 * off is asked for no more.
 */
import { insightsClaimSchema } from "../../../src/lib/insights.ts";
import type { RpcAnswer } from "./rpc.ts";
import type { Ask } from "./serve.ts";
import { postMessage } from "./webhook-post.ts";

// A lease is of 60 seconds and an attempt of 15.
const KEEP_CLAIMING_MS = 30_000;

/** Sends what is due; answers how many messages were sent, and how many of them the receiver took. No URL, nothing is claimed. */
export async function sendDueInsights(
  request: Record<string, unknown>,
  ask: Ask,
  { url, testReceiver }: { url: string | undefined; testReceiver: string | undefined },
): Promise<RpcAnswer> {
  const began = performance.now();
  let attempted = 0;
  let taken = 0;
  while (url && performance.now() - began < KEEP_CLAIMING_MS) {
    const answer = await ask("claim_insights", request);
    if ("problem" in answer) return answer;
    const claim = insightsClaimSchema.parse(answer.data);
    if (claim.message === null) break;
    const { status_code } = await postMessage({
      url,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(claim.message),
      testReceiver,
    });
    await ask("record_insights", { lease_id: claim.lease_id, status_code });
    attempted += 1;
    if (status_code !== undefined && status_code >= 200 && status_code < 300) taken += 1;
  }
  return { data: { attempted, taken }, replayed: false };
}
