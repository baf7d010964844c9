// Runs the checks in one transaction, each by itself: one that cannot be read is a finding, and the others go on.

import type { TransactionSql } from "postgres";
import { byHand, type Check, checks, type Finding } from "./checks.ts";

/** The findings of a database as the transaction sees it, given the versions of this checkout's migrations. */
export async function examine(transaction: TransactionSql, migrations: string[]): Promise<Finding[]> {
  await transaction`set local statement_timeout = '60s'`;
  const findings: Finding[] = [];
  for (const check of checks(migrations)) findings.push(await find(transaction, check));
  return [...findings, ...byHand];
}

async function find(transaction: TransactionSql, check: Check): Promise<Finding> {
  const { name, query, todo } = check;
  try {
    const [row] = await transaction.savepoint((inner) =>
      inner.unsafe<Pick<Finding, "state" | "found">[]>(query),
    );
    if (!row) throw new Error(`the check ${name} gave no row`);
    return { name, ...row, todo: row.state === "ok" ? "" : todo };
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    // A statement that fails is a finding, of which the code says enough; a lost connection is none.
    if (typeof code !== "string" || !/^(22|25|3F|42|54|57014|P0|XX)/.test(code)) throw error;
    return { name, state: "fail", found: `could not be read (${code})`, todo };
  }
}
