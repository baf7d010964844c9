/** POST webhooks-deliver: sends the messages that are due. For the job `deliver_webhooks`, with the secret key. */
import process from "node:process";
import { z } from "zod";
import { guid } from "../../../src/lib/fields.ts";
import { secretKey } from "../_shared/callers.ts";
import { serve } from "../_shared/serve.ts";
import { deliverDue } from "../_shared/webhook-deliver.ts";

export default {
  fetch: serve({
    name: "webhooks-deliver",
    authenticate: secretKey,
    /** Left out, the messages of every organization. */
    request: z.strictObject({ organization_id: guid.optional() }),
    status: 200,
    converse: (request, ask) => deliverDue(request, ask, process.env.HOLDFAST_WEBHOOK_TEST_RECEIVER),
  }),
};
