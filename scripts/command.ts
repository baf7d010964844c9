// How the commands that are given a database's address begin and end. What they are given is not repeated: it may be an address
// with its password.

import { type ParseArgsConfig, parseArgs } from "node:util";
import postgres, { type Sql } from "postgres";
import { CommandError, connectionError, type Remote } from "./remote.ts";

/**
 * Runs a command to its exit code: 0 where help is asked for, the error's where one is thrown. With --json a failure too is
 * told as JSON.
 */
export async function runCommand<const Config extends ParseArgsConfig>(
  name: string,
  usage: string,
  config: Config,
  run: (given: ReturnType<typeof parseArgs<Config>>) => Promise<number>,
): Promise<number> {
  if (process.argv.includes("--help")) {
    process.stdout.write(usage);
    return 0;
  }
  try {
    return await run(readArguments(config));
  } catch (error) {
    const { code, message, exitCode } =
      error instanceof CommandError ? error : new CommandError("unexpected", String(error));
    process.stderr.write(`${name}: ${message} (${code})\n${code === "usage" ? `\n${usage}` : ""}`);
    if (process.argv.includes("--json")) printJson({ error: { code, message } });
    return exitCode;
  }
}

function readArguments<const Config extends ParseArgsConfig>(config: Config) {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new CommandError("usage", wrongArgument(String(error)));
  }
}

/** What parseArgs refused; of what it says, nothing but the name of an option. */
function wrongArgument(said: string): string {
  const [, unknown] = /: Unknown option '(--[a-z-]+)'/.exec(said) ?? [];
  if (unknown) return `there is no option ${unknown}.`;
  const [, bare] = /: Option '(--[a-z-]+)(?: <value>)?' argument/.exec(said) ?? [];
  return bare ? `${bare} is without its value.` : "there is an argument too many.";
}

/** Works on one connection; what the driver or the server says is told of the remote. */
export async function withDatabase<Result>(
  remote: Remote,
  work: (sql: Sql) => Promise<Result>,
): Promise<Result> {
  const sql = postgres(remote.url, { max: 1, connect_timeout: 15, onnotice: () => {} });
  try {
    return await work(sql);
  } catch (error) {
    throw error instanceof CommandError ? error : connectionError(error, remote);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

export function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Tells on stderr how far a command is, after how many seconds. */
export function tellProgress(line: string): void {
  process.stderr.write(`${process.uptime().toFixed(1).padStart(6)} s  ${line}\n`);
}
