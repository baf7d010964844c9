// Runs beside a stack as its own process and outlives it by a moment. Its stdin is a pipe held by the stack's process:
// when that process ends, however it ends (kill -9 included), the pipe closes and the children are ended here.
// Plain JavaScript, because Node 20 runs no TypeScript without a loader. Protocol, one JSON message a line:
//   {"watch": pid, "signal": "SIGINT"}   {"unwatch": pid}   {"remove": "/tmp/dir"}   {"keep": "/tmp/dir"}

import { rmSync } from "node:fs";
import { createInterface } from "node:readline";

const children = new Map();
const folders = new Set();

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const message = JSON.parse(line);
  if (message.watch) children.set(message.watch, message.signal);
  if (message.unwatch) children.delete(message.unwatch);
  if (message.remove) folders.add(message.remove);
  if (message.keep) folders.delete(message.keep);
});
lines.on("close", async () => {
  for (const [pid, signal] of children) send(pid, signal);
  const patience = Date.now() + 10_000;
  while ([...children.keys()].some((pid) => send(pid, 0)) && Date.now() < patience) await pause(50);
  for (const pid of children.keys()) send(pid, "SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit(0);
});

function send(pid, signal) {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
