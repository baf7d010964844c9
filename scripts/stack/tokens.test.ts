import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPair, SignJWT } from "jose";
import postgres from "postgres";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadKeys, type StackKeys } from "./keys.ts";
import { createTokenService, InvalidToken, type TokenService } from "./tokens.ts";

// Only what the gateway verifies: here tokens can be signed with the project's own key that it would never issue.
const issuer = "http://127.0.0.1:1/auth/v1";
const unused = postgres("postgres://127.0.0.1:1/unused");
let folder: string;
let keys: StackKeys;
let tokens: TokenService;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-tokens-"));
  keys = await loadKeys(folder);
  tokens = createTokenService(keys, issuer, unused);
});
afterAll(() => Promise.all([rm(folder, { recursive: true }), unused.end()]));

interface Changes {
  issuer?: string;
  audience?: string;
  expiry?: string;
  key?: CryptoKey;
}

const sign = ({ issuer: by = issuer, audience = "authenticated", expiry = "1 hour", key }: Changes = {}) =>
  new SignJWT({ role: "authenticated" })
    .setProtectedHeader({ alg: "ES256", kid: keys.kid })
    .setSubject("a user")
    .setIssuer(by)
    .setAudience(audience)
    .setIssuedAt("2 hours ago")
    .setExpirationTime(expiry)
    .sign(key ?? keys.signingKey);

it("a token of this project is taken", async () => {
  expect(await tokens.verify(await sign())).toMatchObject({ sub: "a user", iss: issuer });
});

it("an expired one, one of another issuer, audience or project is not", async () => {
  const other = await generateKeyPair("ES256");
  const refused: Changes[] = [
    { expiry: "1 hour ago" },
    { issuer: "https://elsewhere.example/auth/v1" },
    { audience: "somebody else" },
    { key: other.privateKey },
  ];
  for (const changes of refused) {
    await expect(tokens.verify(await sign(changes)), JSON.stringify(changes)).rejects.toThrow(InvalidToken);
  }
});
