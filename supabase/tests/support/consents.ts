// Consents for tests that are about them: forms, and signing over REST as any HTTP client would.

import { randomUUID } from "node:crypto";
import { request as httpRequest } from "node:http";
import type { Clinic, User } from "./clinic.ts";
import { sql, stack } from "./stack.ts";

export interface Form {
  id: string;
  code: string;
}

/** A published form of the clinic. */
export async function publishForm(clinic: Clinic, code = "telehealth", version = 1): Promise<Form> {
  const id = randomUUID();
  await sql`
    insert into public.consent_forms (id, organization_id, form_code, version, title, body)
    values (${id}, ${clinic.id}, ${code}, ${version}, 'Telehealth', 'We meet by video.')`;
  await sql`update public.consent_forms set status = 'published' where id = ${id}`;
  return { id, code };
}

/** From today on the service asks for the form. */
export async function requireConsent(clinic: Clinic, form: Form, serviceCode = "97153"): Promise<void> {
  await sql`
    insert into public.service_consents (organization_id, service_id, form_code, starts_on)
    select ${clinic.id}, id, ${form.code}, current_date - 1
    from public.services
    where organization_id = ${clinic.id} and service_code = ${serviceCode}`;
}

export interface RpcBody {
  data?: Record<string, unknown>;
  replayed?: boolean;
  problem?: { code: string; errors?: { field: string; code: string }[]; forms?: string[] };
}

export interface Sender {
  headers?: Record<string, string>;
  /** Which of this machine's addresses the call comes from. */
  localAddress?: string;
}

/** A raw call of an RPC over REST. */
export async function callRest(
  name: string,
  user: User,
  args: object,
  { headers = {}, localAddress }: Sender = {},
): Promise<{ status: number; body: RpcBody }> {
  const body = JSON.stringify(args);
  const url = new URL(`${stack.url}/rest/v1/rpc/${name}`);
  const token = await user.token();
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      url,
      {
        method: "POST",
        ...(localAddress && { localAddress }),
        headers: {
          apikey: stack.publishableKey,
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, body: text === "" ? {} : JSON.parse(text) });
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

export async function sign(user: User, clientId: string, form: Form, sender: Sender = {}): Promise<RpcBody> {
  const request = { client_id: clientId, form_id: form.id, typed_name: "Pat Parent" };
  const { status, body } = await callRest("sign_consent", user, { request }, sender);
  if (status !== 200) throw new Error(`sign_consent answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

export async function terminate(user: User, signatureId: unknown): Promise<RpcBody> {
  const request = { signature_id: signatureId, reason: "We meet at the clinic now" };
  return (await callRest("terminate_consent", user, { request })).body;
}
