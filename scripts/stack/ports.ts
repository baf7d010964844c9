// Free ports for tests, and for the interactive stack's fixed ports a clear answer to "who is on it?".

import { execFile } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { createServer } from "node:net";
import { promisify } from "node:util";

/** A loopback TCP port that was free a moment ago. Another process may take it first: callers retry. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => {
        if (address && typeof address === "object") resolve(address.port);
        else reject(new Error("no TCP port available"));
      });
    });
  });
}

/** Whether nothing listens on a loopback port. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

export interface PortHolder {
  pid: number;
  command: string;
}

/** The process that listens on a port, as far as this system tells an unprivileged user. */
export async function portHolder(port: number): Promise<PortHolder | undefined> {
  return (await holderFromProc(port)) ?? (await holderFromLsof(port));
}

async function holderFromProc(port: number): Promise<PortHolder | undefined> {
  const inodes = new Set<string>();
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const lines = (await readFile(table, "utf8").catch(() => "")).split("\n").slice(1);
    for (const line of lines) {
      const fields = line.trim().split(/\s+/);
      const listening = fields[3] === "0A";
      if (listening && fields[1]?.endsWith(`:${hexPort}`) && fields[9]) inodes.add(`socket:[${fields[9]}]`);
    }
  }
  if (inodes.size === 0) return undefined;
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "");
      if (inodes.has(target)) return { pid: Number(pid), command: await commandOf(Number(pid)) };
    }
  }
  return undefined;
}

async function holderFromLsof(port: number): Promise<PortHolder | undefined> {
  const run = promisify(execFile);
  const listing = await run("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fpc"]).catch(() => undefined);
  const pid = listing?.stdout.match(/^p(\d+)$/m)?.[1];
  if (!pid) return undefined;
  const name = listing?.stdout.match(/^c(.+)$/m)?.[1] ?? "";
  const full = await run("ps", ["-o", "command=", "-p", pid]).catch(() => undefined);
  return { pid: Number(pid), command: full?.stdout.trim() || name };
}

async function commandOf(pid: number): Promise<string> {
  const raw = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return raw.split("\0").filter(Boolean).join(" ");
}
