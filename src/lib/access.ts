/** What `break_glass` and `choose_organization` answer, and the RPCs of service accounts. */
import { z } from "zod";
import { instant } from "./fields.ts";

export const brokenGlassSchema = z.object({ grant_id: z.guid(), expires_at: instant });

/** Nothing: 204. */
export const chosenOrganizationSchema = z.null();

export const issuedTokenSchema = z.object({
  account_id: z.guid(),
  token: z.string(),
  token_expires_at: instant,
});
export const revokedAccountSchema = z.object({ account_id: z.guid(), disabled_at: instant });
// Rows: their instants are as PostgREST spells them, and `Date` reads them.
export const accountTokensSchema = z.array(
  z.object({
    prefix: z.string(),
    created_at: z.string(),
    expires_at: z.string(),
    revoked_at: z.string().nullable(),
    last_used_at: z.string().nullable(),
  }),
);
