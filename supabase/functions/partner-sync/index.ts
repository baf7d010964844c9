/** POST partner-sync: a partner's software enrols a client, or reads the schedule of those it enrolled. */
import { partnerRequestSchema } from "../../../src/lib/partner.ts";
import { serviceAccount } from "../_shared/callers.ts";
import { serve } from "../_shared/serve.ts";

export default {
  fetch: serve({
    name: "partner-sync",
    authenticate: serviceAccount,
    request: partnerRequestSchema,
    rpc: "partner_sync",
    status: 200,
  }),
};
