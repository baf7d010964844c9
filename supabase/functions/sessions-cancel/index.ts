/** POST sessions-cancel: releases a hold, or cancels sessions. */
import { cancelRequestSchema } from "../../../src/lib/contracts.ts";
import { serve } from "../_shared/serve.ts";

export default {
  fetch: serve({
    name: "sessions-cancel",
    request: cancelRequestSchema,
    rpc: "cancel_sessions",
    status: 200,
  }),
};
