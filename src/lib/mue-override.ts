/** A limit of units that was exceeded on purpose, on the wire: what the RPC `override_mue` takes and answers. */
import { z } from "zod";
import { guid, text } from "./fields.ts";

export const overrideMueRequestSchema = z.strictObject({
  session_id: guid,
  /** Why so many units were necessary: 1 to 500 characters. */
  reason: text(500),
});

export const overriddenMueSchema = z.object({
  session_id: guid,
  /** Of a session that has both charges the actual one is overridden. */
  kind: z.enum(["planned", "actual"]),
  cpt_code: z.string(),
  mue_limit: z.int(),
  /** Units of the code in the client's day. */
  mue_units: z.int(),
});
