// The live database's address and what may be said of it. No sentence made here has the password in it: sentences are
// written from the parts of the URL, never from the URL.

/** Ends the command: nothing was done, or all of it was undone. */
export class CommandError extends Error {
  override name = "CommandError";
  /** A word for scripts: `usage`, `reference_failed`, or the code of the driver or the server (`ECONNREFUSED`, `28P01`). */
  readonly code: string;
  readonly exitCode: number;

  constructor(code: string, message: string, exitCode = 2) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
  }
}

export interface Remote {
  url: string;
  /** `host:port/database as user`, for people. */
  label: string;
}

/** Checks a Postgres URL. Throws a CommandError that does not repeat it. */
export function parseRemote(text: string): Remote {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    !url ||
    !["postgres:", "postgresql:"].includes(url.protocol) ||
    url.hostname === "" ||
    !isDecodable(url)
  ) {
    throw new CommandError(
      "usage",
      "the database's address is not a URL like postgres://user:password@host:5432/postgres; " +
        "characters such as @ / : # % in a password are written percent-encoded.",
    );
  }
  const user = url.username === "" ? "" : ` as ${decodeURIComponent(url.username)}`;
  const database = decodeURIComponent(url.pathname.slice(1)) || "postgres";
  return { url: text, label: `${url.hostname}:${url.port || "5432"}/${database}${user}` };
}

/** What the driver or the server said, as a sentence about the remote. */
export function connectionError(error: unknown, { url, label }: Remote): CommandError {
  const { code = "unknown", message = String(error) } = error as { code?: string; message?: string };
  const reason = reasons[code] ?? withoutPassword(message, url);
  return new CommandError(code, `Cannot read ${label}: ${reason}`);
}

const reasons: Record<string, string> = {
  ECONNREFUSED: "nothing listens there.",
  ENOTFOUND: "no host has that name.",
  EAI_AGAIN: "the name of the host could not be looked up; is there a network?",
  EHOSTUNREACH: "the host cannot be reached.",
  ENETUNREACH:
    "its network cannot be reached; a hosted project's direct address may need IPv6, its pooler's does not.",
  ETIMEDOUT: "the host did not answer in time.",
  CONNECT_TIMEOUT: "no Postgres answered in time; is it the database's port, and may this machine reach it?",
  ECONNRESET: "the connection was cut, as by a server without TLS that is asked for it.",
  CONNECTION_CLOSED: "the connection was cut.",
  "28P01": "the password is wrong.",
  "28000": "the server does not let this user in.",
  "3D000": "there is no such database.",
  "57014": "it took longer than a minute.",
};

function withoutPassword(message: string, url: string): string {
  const { password } = new URL(url);
  if (password === "") return message;
  return message.replaceAll(password, "***").replaceAll(decodeURIComponent(password), "***");
}

/** A stray % in it ends the driver. */
function isDecodable({ username, password, pathname }: URL): boolean {
  try {
    decodeURIComponent(username + password + pathname);
    return true;
  } catch {
    return false;
  }
}
