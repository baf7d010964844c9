// What races have in common: many callers at once, and what came of it.

import postgres from "postgres";
import { call, type FunctionName } from "./calls.ts";
import { claimsOf, createUser, type User } from "./clinic.ts";
import { stack } from "./stack.ts";

export interface Answer {
  status: number;
  code: string | undefined;
  data: unknown;
}

export async function ask(name: FunctionName, user: User, body: unknown): Promise<Answer> {
  const response = await call(name, user, body);
  const { code, data } = (await response.json()) as { code?: string; data?: unknown };
  return { status: response.status, code, data };
}

/** How often each outcome was given: `201`, or the problem's code. */
export function tally(answers: Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, code } of answers) {
    const outcome = code ?? String(status);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

/** Schedulers, signed in before the race, so that they start together. */
export async function createSchedulers(organizationId: string, howMany: number): Promise<User[]> {
  const schedulers = await Promise.all(
    Array.from({ length: howMany }, () => createUser("internal_ops", organizationId)),
  );
  await Promise.all(schedulers.map((user) => user.token()));
  return schedulers;
}

export const at = <T>(items: T[], index: number): T => items[index % items.length] as T;

/** Clients of the database itself, each with a connection of its own. */
export async function withDatabaseClients<T>(
  howMany: number,
  work: (client: postgres.Sql, index: number) => Promise<T>,
): Promise<T[]> {
  const clients = Array.from({ length: howMany }, () =>
    postgres(stack.databaseUrl, { max: 1, onnotice: () => {} }),
  );
  try {
    await Promise.all(clients.map((client) => client`select 1`));
    return await Promise.all(clients.map(work));
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

/** What an RPC answers. */
export interface RpcAnswer {
  data?: unknown;
  problem?: { code: string; version?: number };
}

/** Calls an RPC on a database connection as a user, as PostgREST would. */
export async function rpc(
  client: postgres.Sql,
  user: User,
  name: string,
  request: object,
): Promise<RpcAnswer> {
  return client.begin((transaction) => rpcWithin(transaction, user, name, request)) as Promise<RpcAnswer>;
}

/** The same within a transaction, which goes on as its owner afterwards. */
export async function rpcWithin(
  transaction: postgres.TransactionSql,
  user: User,
  name: string,
  request: object,
): Promise<RpcAnswer> {
  await transaction`select set_config('request.jwt.claims', ${claimsOf(user)}, true)`;
  await transaction`set local role authenticated`;
  const [row] =
    await transaction`select public.${transaction(name)}(${transaction.json(request as never)}) as answer`;
  await transaction`reset role`;
  return row?.answer;
}
