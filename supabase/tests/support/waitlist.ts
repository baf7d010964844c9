import type { WaitlistData, WaitlistRequest } from "../../../src/lib/waitlist.ts";
import { call, expectData } from "./calls.ts";
import { assign, type Clinic, createClient, createUser, TIME_ZONE, type User } from "./clinic.ts";
import { sql } from "./stack.ts";

/** A login with the role client that stands for a client. */
export async function createFamily(clinic: Clinic, clientId: string): Promise<User> {
  const user = await createUser();
  await sql`
    insert into public.user_roles (organization_id, user_id, role) values (${clinic.id}, ${user.id}, 'client')`;
  await sql`
    insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
    values (${clinic.id}, ${clientId}, ${user.id}, 'parent', current_date - 30)`;
  return user;
}

/** A client on Rosa's and Theo's care teams. */
export async function createAssignedClient(clinic: Clinic): Promise<string> {
  const client = await createClient(clinic.id);
  await Promise.all([clinic.rosa, clinic.theo].map(({ id }) => assign(clinic.id, id, client)));
  return client;
}

export const ANY_TIME = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({
  weekday,
  local_start: "00:00",
  local_end: "24:00",
}));

/** Waiting for an hour of 97153 at any time of any day, but for the changes. */
export function joinBody(clientId: string, changes: object = {}) {
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  return {
    action: "join",
    client_id: clientId,
    service_code: "97153",
    duration_minutes: 60,
    wanted_from: tomorrow,
    time_zone: TIME_ZONE,
    wanted_times: ANY_TIME,
    ...changes,
  } satisfies Partial<WaitlistRequest>;
}

export async function join(user: User, clientId: string, changes: object = {}) {
  return (await expectData<WaitlistData>(await call("waitlist", user, joinBody(clientId, changes)), 200))
    .entry;
}

export async function leave(user: User, waitlist_entry_id: string) {
  const answer = await call("waitlist", user, { action: "leave", waitlist_entry_id });
  return (await expectData<WaitlistData>(answer, 200)).entry;
}

export interface Offer {
  id: string;
  entry_id: string;
  client_id: string;
  therapist_id: string;
  start_time: Date;
  end_time: Date;
  status: string;
  live: boolean;
}

/** Every offer that a clinic ever made, in the order in which they were made. */
export async function offersOf(clinic: Clinic): Promise<Offer[]> {
  return sql<Offer[]>`
    select id, waitlist_entry_id as entry_id, client_id, therapist_id, start_time, end_time, status,
      status = 'held' and expires_at > clock_timestamp() as live
    from public.session_holds
    where organization_id = ${clinic.id} and waitlist_entry_id is not null
    order by created_at`;
}

/** One run of the cron job, for one clinic. Says how many offers it made. */
export async function sweep(clinic: Clinic, client = sql): Promise<number> {
  const [row] = await client`select app.sweep_waitlist(only_organization => ${clinic.id}) as made`;
  return row?.made;
}
