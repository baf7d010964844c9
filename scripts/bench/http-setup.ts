// What the benchmarks over HTTP share: schedulers who can sign in, calendars that are open around the clock, and a process of
// its own that asks, so that it takes no time from the gateway.

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import type { Stack } from "../stack/index.ts";
import { projectRoot } from "../stack/paths.ts";
import { prepareBooking } from "./booking-setup.ts";
import { loadNetwork } from "./network.ts";
import { type Clinic, fillCalendars } from "./scheduling-network.ts";

const password = "correct horse battery staple";

/** What the asking process is told. */
export interface Target {
  url: string;
  publishableKey: string;
  password: string;
  /** Schedulers of the clinic. */
  emails: string[];
  /** One of another clinic, who may call ten times a minute; a network of one clinic has none. */
  limited: { email: string; therapist: string; client: string } | null;
  therapists: string[];
  /** Clients of the therapists, ten each. */
  clients: string[][];
  /** The first hour that nobody has booked. */
  base: number;
}

/** Two clinics, one of them with logins for its schedulers. */
export async function prepareHttp(
  stack: Stack,
  rows: number,
  loginCount: number,
): Promise<{ clinic: Clinic; target: Target }> {
  await loadNetwork(stack.adminDatabaseUrl, rows, []);
  const clinic = await fillCalendars(stack.adminDatabaseUrl);
  await prepareBooking(stack.adminDatabaseUrl);
  const admin = postgres(stack.adminDatabaseUrl, {
    max: 1,
    onnotice: () => {},
    connection: { session_replication_role: "replica" },
  });
  try {
    await admin`update public.organizations set calls_per_minute = 10 where id = md5('organization 1')::uuid`;
    const users = await admin<{ email: string; organization: string }[]>`
      with chosen as (
        select it.id, it.email, membership.organization_id
        from auth.users it
        join public.user_roles membership on membership.user_id = it.id
        where it.email like '%-booker@bench.example' and split_part(it.email, '-', 1)::integer <= ${loginCount}
        union all
        select it.id, it.email, membership.organization_id
        from public.user_roles membership
        join auth.users it on it.id = membership.user_id
        where membership.role = 'internal_ops' and membership.organization_id = md5('organization 1')::uuid
      ),
      login as (
        update auth.users it
        set instance_id = '00000000-0000-0000-0000-000000000000', aud = 'authenticated', role = 'authenticated',
          encrypted_password = extensions.crypt(${password}, extensions.gen_salt('bf', 4)), email_confirmed_at = now(),
          raw_app_meta_data = '{"provider": "email", "providers": ["email"]}', raw_user_meta_data = '{}',
          created_at = now(), updated_at = now(), confirmation_token = '', recovery_token = '', email_change = '',
          email_change_token_new = ''
        from chosen
        where chosen.id = it.id
      ),
      identity as (
        insert into auth.identities (id, user_id, provider_id, provider, identity_data, created_at, updated_at)
        select gen_random_uuid(), id, id::text, 'email',
          jsonb_build_object('sub', id, 'email', email, 'email_verified', true), now(), now()
        from chosen
      )
      select email, organization_id as organization from chosen order by email`;
    const [limited] = users.filter(({ organization }) => organization !== clinic.organization);
    const [other] = await admin<{ therapist: string; client: string }[]>`
      select therapist_id as therapist, client_id as client from public.care_team_assignments
      where organization_id = md5('organization 1')::uuid and team_role = 'therapist' limit 1`;
    const clients = await admin<{ ids: string[] }[]>`
      select array_agg(md5('client ' || therapist * 10 + number)::uuid order by number) as ids
      from generate_series(0, ${clinic.therapists.length - 1}::integer) therapist
      cross join generate_series(0, 9) number
      group by therapist
      order by therapist`;
    const day = 24 * 3_600_000;
    const target: Target = {
      url: stack.url,
      publishableKey: stack.publishableKey,
      password,
      emails: users
        .filter(({ organization }) => organization === clinic.organization)
        .map(({ email }) => email),
      limited: limited && other ? { email: limited.email, ...other } : null,
      therapists: clinic.therapists,
      clients: clients.map(({ ids }) => ids),
      base: Math.ceil((clinic.rangeEnd.getTime() + 30 * day) / day) * day,
    };
    return { clinic, target };
  } finally {
    await admin.end();
  }
}

/** What to do for how long. */
export type Job =
  | { kind: "one by one"; what: "book" | "bad body" | "nobody"; calls: number }
  | { kind: "mixed"; users: number; seconds: number; burst: boolean };

/** An answer, as the asking process saw it; milliseconds, `at` since the job began. */
export interface Answer {
  operation: string;
  at: number;
  ms: number;
  status: number;
  retryAfter: boolean;
}

export interface Asker {
  run(job: Job): Promise<Answer[]>;
  stop(): void;
}

/** Starts the process that asks. */
export async function startAsker(target: Target): Promise<Asker> {
  const child: ChildProcess = fork(fileURLToPath(new URL("./http-client.ts", import.meta.url)), {
    cwd: projectRoot,
    execArgv: ["--import", "tsx"],
  });
  const said = (): Promise<Answer[]> =>
    new Promise((resolve, reject) => {
      const gone = (code: number | null): void => reject(new Error(`the asking process ended with ${code}`));
      child.once("exit", gone);
      child.once("message", (message) => {
        child.off("exit", gone);
        const { error, answers } = message as { error?: string; answers: Answer[] };
        if (error) reject(new Error(error));
        else resolve(answers);
      });
    });
  const ask = (message: object): Promise<Answer[]> => {
    const answered = said();
    child.send(message);
    return answered;
  };
  await ask({ target });
  return { run: (job) => ask({ job }), stop: () => void child.kill() };
}
