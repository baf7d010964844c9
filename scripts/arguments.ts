// What a command of this machine was asked for. Those that take a database's address begin in command.ts: what parseArgs says may
// repeat a password.

import { type ParseArgsConfig, parseArgs } from "node:util";

/** Ends the process where help is asked for (exit code 0), or something that there is not (2), before anything has begun. */
export function argumentsOf<const Config extends ParseArgsConfig>(
  usage: string,
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  if (process.argv.includes("--help")) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exit(2);
  }
}
