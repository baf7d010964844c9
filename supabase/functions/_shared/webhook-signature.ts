/**
 * Signing by the Standard Webhooks specification: HMAC-SHA256 over id, timestamp and body, in base64, one signature for each
 * secret that is live, so that a receiver may change over in its own time.
 */

/** The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of a message. */
export async function signatureHeaders(
  id: string,
  moment: Date,
  body: string,
  secrets: readonly string[],
): Promise<Record<string, string>> {
  const timestamp = Math.floor(moment.getTime() / 1000);
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  const signatures = await Promise.all(secrets.map(async (secret) => `v1,${await hmac(secret, signed)}`));
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signatures.join(" "),
  };
}

/** `secret` is `whsec_` and the key in base64. */
async function hmac(secret: string, message: BufferSource): Promise<string> {
  const raw = Uint8Array.from(atob(secret.replace(/^whsec_/, "")), (character) => character.charCodeAt(0));
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", key, message);
  return btoa(String.fromCharCode(...new Uint8Array(signature)));
}
