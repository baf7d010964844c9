import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { expect, it } from "vitest";
import { signatureHeaders } from "./webhook-signature.ts";

it("signs the published example of the specification", async () => {
  const headers = await signatureHeaders(
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    new Date(1_614_265_330_000),
    '{"test": 2432232314}',
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
  );
  expect(headers["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
});

it("signs any body so that the published library accepts it by each secret, and by no other", async () => {
  const secret = fc
    .uint8Array({ minLength: 24, maxLength: 64 })
    .map((bytes) => `whsec_${Buffer.from(bytes).toString("base64")}`);
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(secret, { minLength: 2, maxLength: 3 }),
      fc.json(),
      async ([other = "", ...live], body) => {
        const headers = await signatureHeaders("msg_1", new Date(), body, live);
        for (const one of live) expect(new Webhook(one).verify(body, headers)).toEqual(JSON.parse(body));
        expect(() => new Webhook(other).verify(body, headers)).toThrow("No matching signature");
        expect(() => new Webhook(live[0] ?? "").verify(`${body} `, headers)).toThrow("No matching signature");
      },
    ),
    { numRuns: 50 },
  );
});

it("is verified by the code for n8n in docs/webhooks.md, which refuses what is forged or old", async () => {
  const [, code = ""] = readFileSync("docs/webhooks.md", "utf8").match(/```js\n([\s\S]*?)```/) ?? [];
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
  const node = AsyncFunction("require", "Buffer", "$input", "$env", code);
  const [secret, other] = ["a", "b"].map(
    (letter) => `whsec_${Buffer.from(letter.repeat(32)).toString("base64")}`,
  );
  const run = async (moment: Date, body: string, sent = body): Promise<unknown> => {
    const headers = await signatureHeaders("msg_1", moment, body, [other ?? "", secret ?? ""]);
    return node.call(
      { helpers: { getBinaryDataBuffer: async () => Buffer.from(sent) } },
      createRequire(import.meta.url),
      Buffer,
      { first: () => ({ json: { headers } }) },
      { HOLDFAST_WEBHOOK_SECRET: secret },
    );
  };
  expect(await run(new Date(), '{"type":"é"}')).toEqual([{ json: { type: "é" } }]);
  await expect(run(new Date(), "{}", '{"a":1}')).rejects.toThrow("not from Holdfast");
  await expect(run(new Date(Date.now() - 400_000), "{}")).rejects.toThrow("not from Holdfast");
});
