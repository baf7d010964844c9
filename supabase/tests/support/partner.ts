import { expect } from "vitest";
import {
  type PartnerEnrolData,
  type PartnerRequest,
  type PartnerScheduleData,
  partnerEnrolResponseSchema,
  partnerScheduleResponseSchema,
  SERVICE_SCOPES,
  type ServiceScope,
} from "../../../src/lib/partner.ts";
import type { ProblemCode } from "../../../src/lib/problems.ts";
import { confirm, expectData, expectProblem, hold, time } from "./calls.ts";
import type { Clinic, User } from "./clinic.ts";
import { expectAsDocumented } from "./reference.ts";
import { sql, stack } from "./stack.ts";

export interface Account {
  account_id: string;
  token: string;
  token_expires_at: string;
}
export type Answer<Data> = {
  data?: Data;
  replayed?: boolean;
  problem?: { code: ProblemCode; errors?: unknown };
};

/** Every token that this file was given, to look for at its end. */
export const issued: string[] = [];
export const DAY_MS = 86_400_000;

/** An RPC over REST, as a user or, without one, as anybody who has the publishable key. */
export async function rpc<Data>(user: User | null, name: string, args: object): Promise<Answer<Data>> {
  const response = await fetch(`${stack.url}/rest/v1/rpc/${name}`, {
    method: "POST",
    headers: {
      apikey: stack.publishableKey,
      "content-type": "application/json",
      ...(user && { authorization: `Bearer ${await user.token()}` }),
    },
    body: JSON.stringify(args),
  });
  const body = (await response.json()) as Answer<Data> & { code?: ProblemCode };
  return response.ok ? body : { problem: { code: body.code as ProblemCode } };
}

export async function create(
  at: Clinic,
  scopes: readonly ServiceScope[] = SERVICE_SCOPES,
  changes: object = {},
): Promise<Account> {
  const args = { organization: at.id, name: "Referring practice", scopes, ...changes };
  return kept(await rpc<Account>(at.admin, "create_service_account", args));
}

export async function rotate(at: Clinic, account: Account, changes: object = {}): Promise<Account> {
  const args = { account: account.account_id, ...changes };
  return kept(await rpc<Account>(at.admin, "rotate_service_account_token", args));
}

export function kept({ data, problem }: Answer<Account>): Account {
  if (!data) throw new Error(JSON.stringify(problem));
  issued.push(data.token);
  return data;
}

export async function sync(token: string | null, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${stack.url}/functions/v1/partner-sync`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify(body),
  });
  await expectAsDocumented("partner-sync", response);
  return response;
}

export async function enrol(token: string, reference: string): Promise<PartnerEnrolData> {
  const data = await expectData<unknown>(await sync(token, { operation: "enrol", reference }), 200);
  return partnerEnrolResponseSchema.parse({ data }).data;
}

export async function schedule(token: string, request: object = {}): Promise<PartnerScheduleData> {
  const data = await expectData<unknown>(await sync(token, { operation: "schedule", ...request }), 200);
  expect(Object.keys(data as object).sort()).toEqual(["from", "next", "referrals", "to"]);
  return partnerScheduleResponseSchema.parse({ data }).data;
}

/** The clinic takes the referral for one of its clients. */
export async function accept(at: Clinic, reference: string, client: string): Promise<void> {
  const admin = await at.admin.client();
  const { error, data } = await admin
    .from("referrals")
    .update({ status: "accepted", client_id: client })
    .eq("reference", reference)
    .select("id");
  expect(error).toBeNull();
  expect(data).toHaveLength(1);
}

export async function book(at: Clinic, day: number, hour: number, changes: object = {}) {
  const { hold_key } = await hold(at, time(day, hour), changes, at.scheduler);
  return (await confirm(at.scheduler, hold_key)).session;
}

export const events = (at: Clinic | null, account: Account | null, action = "partner.%") => sql`
  select action, decision, code, table_name, row_id, actor_id, details
  from audit.events
  where organization_id is not distinct from ${at?.id ?? null}
    and action like ${action}
    and (${account?.account_id ?? null}::text is null
      or details ->> 'service_account_id' = ${account?.account_id ?? null})
  order by id`;

export const referralsOf = (at: Clinic) => sql`
  select reference, status, created_by, service_account_id
  from public.referrals
  where organization_id = ${at.id} and service_account_id is not null
  order by reference`;

export async function refused<Code extends ProblemCode>(token: string | null, request: unknown, code: Code) {
  return expectProblem(await sync(token, request), code);
}

export async function accountsSeen(user: User, { account_id }: Account): Promise<unknown> {
  const response = await fetch(`${stack.url}/rest/v1/service_accounts?select=*&id=eq.${account_id}`, {
    headers: { apikey: stack.publishableKey, authorization: `Bearer ${await user.token()}` },
  });
  return response.json();
}

export const ANYTHING: PartnerRequest = { operation: "schedule" };
