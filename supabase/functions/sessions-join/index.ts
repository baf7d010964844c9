/** POST sessions-join: holds a place in a group, or in a team, that exists. */
import { joinRequestSchema } from "../../../src/lib/join.ts";
import { serve } from "../_shared/serve.ts";

export default {
  fetch: serve({
    name: "sessions-join",
    request: joinRequestSchema,
    rpc: "join_slot",
    status: 201,
  }),
};
