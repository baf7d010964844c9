// The memory of this process and of the servers that it started.

import { readdir, readFile } from "node:fs/promises";
import type { Memory } from "./load-report.ts";

/** Memory of the processes' own, without what they share: in megabytes. Undefined where there is no /proc. */
export async function memoryOfStack(): Promise<Omit<Memory, "at"> | undefined> {
  const processes = await readProcesses().catch(() => []);
  if (processes.length === 0) return undefined;
  const children = processes.filter(({ parent }) => parent === process.pid);
  const servers = children.filter(({ name }) => name === "postgres");
  const backends = processes.filter(({ parent }) => servers.some(({ pid }) => pid === parent));
  const megabytes = async (those: { pid: number }[]): Promise<number> => {
    const texts = await Promise.all(
      those.map(({ pid }) => readFile(`/proc/${pid}/status`, "utf8").catch(() => "")),
    );
    return texts.reduce((sum, text) => sum + Number(text.match(/RssAnon:\s+(\d+)/)?.[1] ?? 0), 0) / 1024;
  };
  return {
    postgres: await megabytes([...servers, ...backends]),
    functions: await megabytes(children.filter(({ name }) => name === "deno")),
    gateway: await megabytes([{ pid: process.pid }]),
  };
}

async function readProcesses(): Promise<{ pid: number; parent: number; name: string }[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")));
  return stats.flatMap((text) => {
    const [, pid, name = "", parent] = text.match(/^(\d+) \((.*)\) \S (\d+)/) ?? [];
    return pid ? [{ pid: Number(pid), parent: Number(parent), name }] : [];
  });
}
