// The stack's clock: runs the jobs that are due (app.jobs), as pg_cron does on a hosted project, and calls the functions that
// send something outside, as pg_net does there.

import postgres from "postgres";

export interface ClockOptions {
  /** As role postgres. */
  databaseUrl: string;
  /** Where the API is, and the key that the deliverer is called with. */
  url: string;
  secretKey: string;
  log: (line: string) => void;
}

/** The functions that send what a job finds due. */
const senders: Record<string, string> = {
  deliver_webhooks: "webhooks-deliver",
  send_insights: "insights-send",
};

const LOOK_EVERY_MS = 1_000;

/** Starts the clock; what it returns stops it, once the job that runs has ended. */
export function startClock({ databaseUrl, url, secretKey, log }: ClockOptions): () => Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  let stopped = false;
  let wake = () => {};
  const wakeFunction = (name: string) =>
    fetch(`${url}/functions/v1/${name}`, {
      method: "POST",
      headers: { apikey: secretKey, "content-type": "application/json" },
      body: "{}",
    });

  const look = async (): Promise<void> => {
    const [due] = await sql<[{ jobs: string[] }]>`select app.due_jobs() as jobs`;
    for (const job of due.jobs) {
      if (stopped) return;
      const [run] = await sql<[{ answer: { outcome: string; done?: number; sqlstate?: string } }]>`
        select app.run_job(${job}) as answer`;
      const { outcome, done = 0, sqlstate } = run.answer;
      if (outcome === "failed") log(`job ${job} failed: ${sqlstate}`);
      const sender = senders[job];
      if (sender && done > 0) await wakeFunction(sender);
    }
  };
  const running = (async () => {
    while (!stopped) {
      await look().catch((error) => log(`clock: ${error}`));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_EVERY_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (stopped) wake();
      });
    }
  })();
  return async () => {
    stopped = true;
    wake();
    await running;
    await sql.end({ timeout: 1 });
  };
}
