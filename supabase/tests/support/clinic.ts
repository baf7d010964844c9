import { randomUUID } from "node:crypto";
import type { SupabaseClient } from "@supabase/supabase-js";
import type { Database } from "../../../src/lib/database.types.ts";
import { connect, sql } from "./stack.ts";

export const PASSWORD = "correct horse battery staple";
type Role = "admin" | "internal_ops" | "therapist" | "supervisor";

/** Somebody with a login, signed in over HTTP the first time a token is asked for. */
export class User {
  private session: Promise<SupabaseClient<Database>> | undefined;

  constructor(
    readonly id: string,
    readonly email: string,
  ) {}

  /** A supabase-js client that is signed in as this user. */
  client(): Promise<SupabaseClient<Database>> {
    this.session ??= signIn(this.email);
    return this.session;
  }

  async token(): Promise<string> {
    const { data } = await (await this.client()).auth.getSession();
    if (!data.session) throw new Error(`${this.email} is not signed in`);
    return data.session.access_token;
  }
}

async function signIn(email: string): Promise<SupabaseClient<Database>> {
  const client = connect();
  const { error } = await client.auth.signInWithPassword({ email, password: PASSWORD });
  if (error) throw error;
  return client;
}

/** What an access token says of the user, for calls on a database connection. They have a session besides those they sign in to. */
export function claimsOf({ id }: Pick<User, "id">): string {
  return JSON.stringify({ sub: id, session_id: id, role: "authenticated", aal: "aal1" });
}

/** A login with a role in an organization, or with none. */
export async function createUser(role?: Role, organizationId?: string): Promise<User> {
  const id = randomUUID();
  const email = `${id}@test.example`;
  await sql`
    with login as (
      insert into auth.users (
        id, instance_id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data,
        raw_user_meta_data, created_at, updated_at, confirmation_token, recovery_token, email_change,
        email_change_token_new)
      values (
        ${id}, '00000000-0000-0000-0000-000000000000', 'authenticated', 'authenticated', ${email},
        extensions.crypt(${PASSWORD}, extensions.gen_salt('bf', 4)), now(),
        '{"provider": "email", "providers": ["email"]}', '{}', now(), now(), '', '', '', '')
      returning id, email),
    session as (insert into auth.sessions (id, user_id, created_at) select id, id, now() from login)
    insert into auth.identities (id, user_id, provider_id, provider, identity_data, created_at, updated_at)
    select gen_random_uuid(), id, id::text, 'email',
      jsonb_build_object('sub', id, 'email', email, 'email_verified', true), now(), now()
    from login`;
  if (role && organizationId) {
    await sql`insert into public.user_roles (organization_id, user_id, role) values (${organizationId}, ${id}, ${role})`;
  }
  return new User(id, email);
}

export interface Therapist {
  id: string;
  user: User;
}

/** A tenant of its own for one test or file: two therapists, two clients that both may treat, and who runs it. */
export interface Clinic {
  id: string;
  admin: User;
  scheduler: User;
  rosa: Therapist;
  theo: Therapist;
  /** On both care teams. */
  aspen: string;
  /** On both care teams. */
  birch: string;
  /** On nobody's care team. */
  unassigned: string;
  room: string;
}

export const TIME_ZONE = "America/Los_Angeles";

export async function createClinic(): Promise<Clinic> {
  const id = randomUUID();
  await sql`
    insert into public.organizations (id, name, time_zone, calls_per_minute, total_calls_per_minute)
    values (${id}, ${`Clinic ${id}`}, ${TIME_ZONE}, 100000, 1000000)`;
  await sql`
    insert into public.services (organization_id, service_code, name, cpt_code, client_lane, is_group)
    values
      (${id}, '97153', 'Direct therapy', '97153', 0, false),
      (${id}, '97155', 'Supervision', '97155', 1, false),
      (${id}, '97154', 'Group therapy', '97154', 0, true)`;
  const [admin, scheduler, rosa, theo, aspen, birch, unassigned, room] = await Promise.all([
    createUser("admin", id),
    createUser("internal_ops", id),
    createTherapist(id),
    createTherapist(id),
    createClient(id),
    createClient(id),
    createClient(id),
    createRoom(id),
  ]);
  await Promise.all(
    [rosa, theo].flatMap((therapist) => [aspen, birch].map((client) => assign(id, therapist.id, client))),
  );
  return { id, admin, scheduler, rosa, theo, aspen, birch, unassigned, room };
}

export async function createTherapist(organizationId: string): Promise<Therapist> {
  const user = await createUser("therapist", organizationId);
  const id = randomUUID();
  await sql`
    insert into public.therapists (id, organization_id, user_id, display_name, credential)
    values (${id}, ${organizationId}, ${user.id}, 'A therapist', 'RBT')`;
  await workRoundTheClock(organizationId, id);
  return { id, user };
}

/** Weekly hours without a gap, for tests that are not about hours. */
async function workRoundTheClock(organizationId: string, therapistId: string): Promise<void> {
  await sql`
    insert into public.therapist_availability (
      organization_id, therapist_id, weekday, local_start, local_end, effective_from, time_zone)
    select ${organizationId}, ${therapistId}, weekday, '00:00', '24:00', '2020-01-01', ${TIME_ZONE}
    from generate_series(1, 7) weekday`;
}

export async function createClient(organizationId: string): Promise<string> {
  const id = randomUUID();
  await sql`insert into public.clients (id, organization_id, full_name) values (${id}, ${organizationId}, 'A client')`;
  return id;
}

async function createRoom(organizationId: string): Promise<string> {
  const id = randomUUID();
  await sql`insert into public.rooms (id, organization_id, name) values (${id}, ${organizationId}, ${`Room ${id}`})`;
  return id;
}

/** Puts the therapist on the client's care team from last month on. */
export async function assign(organizationId: string, therapistId: string, clientId: string): Promise<void> {
  await sql`
    insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
    values (${organizationId}, ${therapistId}, ${clientId}, 'therapist', current_date - 30)`;
}
