import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { toProblem } from "../../../src/lib/problems.ts";
import { MAX_BODY_BYTES, readJson } from "./body.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A body of which the chunks arrive, and then nothing more, unless it is whole. */
function arriving(chunks: string[], whole: boolean, headers: Record<string, string> = {}) {
  const cancelled = vi.fn();
  const body = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      if (whole) controller.close();
    },
    cancel: cancelled,
  });
  const request = new Request("http://localhost/", {
    method: "POST",
    headers,
    body,
    duplex: "half",
  } as RequestInit);
  return { request, cancelled };
}

const tooSlow = {
  problem: toProblem("invalid_json", {
    detail: "The body did not arrive within 20 seconds.",
    reason: "too_slow",
  }),
};

it("a body that comes in pieces is put together, and leaves no timer behind", async () => {
  const { request } = arriving(['{"a":', '"ä"}'], true);
  expect(await readJson(request)).toEqual({ json: { a: "ä" } });
  expect(vi.getTimerCount()).toBe(0);
});

it("a body that stops halfway is given up in time", async () => {
  const { request, cancelled } = arriving(['{"a":'], false);
  const reading = readJson(request);
  await vi.advanceTimersByTimeAsync(19_999);
  expect(cancelled).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(await reading).toEqual(tooSlow);
  expect(cancelled).toHaveBeenCalledOnce();
});

it("so is one that is too large and does not end", async () => {
  const headers = { "content-length": String(MAX_BODY_BYTES + 1) };
  const { request, cancelled } = arriving(["{"], false, headers);
  const reading = readJson(request);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(await reading).toEqual(tooSlow);
  expect(cancelled).toHaveBeenCalledOnce();
});

it("one that breaks off is the caller's, and no defect", async () => {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"a":'));
    },
    pull(controller) {
      controller.error(new Error("connection reset"));
    },
  });
  const request = new Request("http://localhost/", { method: "POST", body, duplex: "half" } as RequestInit);
  expect(await readJson(request)).toEqual({
    problem: toProblem("invalid_json", { detail: "The body broke off.", reason: "incomplete" }),
  });
  expect(vi.getTimerCount()).toBe(0);
});
