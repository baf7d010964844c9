/**
 * Delivering: claim what is due, send it, record what came of each, until nothing is due or time is up. Which message is
 * due, in which order, and when it is tried again, the database says.
 */
import { z } from "zod";
import type { RpcAnswer } from "./rpc.ts";
import type { Ask } from "./serve.ts";
import { type Answer, postMessage } from "./webhook-post.ts";
import { signatureHeaders } from "./webhook-signature.ts";

// A lease is of 60 seconds and an attempt of 15: what is claimed last still ends within its lease.
const KEEP_CLAIMING_MS = 30_000;

const claimSchema = z.object({
  lease_id: z.string(),
  deliveries: z.array(
    z.object({ id: z.string(), url: z.string(), body: z.string(), secrets: z.array(z.string()).min(1) }),
  ),
});
type Delivery = z.output<typeof claimSchema>["deliveries"][number];

/** Sends what is due; answers how many attempts were made, and how many of them the receiver took. */
export async function deliverDue(
  request: Record<string, unknown>,
  ask: Ask,
  testReceiver: string | undefined,
): Promise<RpcAnswer> {
  const began = performance.now();
  let attempted = 0;
  let delivered = 0;
  while (performance.now() - began < KEEP_CLAIMING_MS) {
    const answer = await ask("claim_webhook_deliveries", request);
    if ("problem" in answer) return answer;
    const { lease_id, deliveries } = claimSchema.parse(answer.data);
    if (deliveries.length === 0) break;
    const outcomes = await Promise.all(
      deliveries.map(async (delivery) => {
        const outcome = await attempt(delivery, testReceiver);
        // What is not recorded, for whatever reason, is sent again when its lease ends.
        await ask("record_webhook_attempt", { delivery_id: delivery.id, lease_id, ...outcome });
        return outcome;
      }),
    );
    attempted += outcomes.length;
    delivered += outcomes.filter(({ status_code: status = 0 }) => status >= 200 && status < 300).length;
  }
  return { data: { attempted, delivered }, replayed: false };
}

async function attempt(
  { id, url, body, secrets }: Delivery,
  testReceiver: string | undefined,
): Promise<Answer & { duration_ms: number }> {
  const began = performance.now();
  const headers = await signatureHeaders(`msg_${id}`, new Date(), body, secrets);
  const answer = await postMessage({ url, headers, body, testReceiver });
  return { ...answer, duration_ms: Math.round(performance.now() - began) };
}
