/** POST insights-send: sends the counts of organizations that turned insights on. For the job `send_insights`, with the secret key. */
import process from "node:process";
import { z } from "zod";
import { guid } from "../../../src/lib/fields.ts";
import { secretKey } from "../_shared/callers.ts";
import { sendDueInsights } from "../_shared/insights-send.ts";
import { serve } from "../_shared/serve.ts";

export default {
  fetch: serve({
    name: "insights-send",
    authenticate: secretKey,
    /** Left out, those of every organization. */
    request: z.strictObject({ organization_id: guid.optional() }),
    status: 200,
    converse: (request, ask) =>
      sendDueInsights(request, ask, {
        url: process.env.HOLDFAST_INSIGHTS_URL,
        testReceiver: process.env.HOLDFAST_WEBHOOK_TEST_RECEIVER,
      }),
  }),
};
