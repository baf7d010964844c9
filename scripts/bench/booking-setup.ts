// What the `booking` benchmark needs of a database: a clinic that books around the clock, a user for every client of the
// benchmark, tables as tutorials make them, and copies of ours without the constraint that forbids an overlap.

import postgres, { type Sql } from "postgres";

/** As many loops as book at once, and so many users: calls are counted by user, in a row that only one can write at a time. */
export const mostClients = 32;

/** Therapists that everybody wants when they are hot. */
export const hotTherapists = 4;

/** Tables of ours that a booking writes and that the unsafe side needs without their exclusion constraints. */
export const copied = ["session_holds", "calendar_claims", "sessions", "session_charges"];

/** Runs as the superuser, after `loadNetwork` and `fillCalendars`. */
export async function prepareBooking(adminUrl: string): Promise<void> {
  const sql = postgres(adminUrl, {
    max: 1,
    onnotice: () => {},
    connection: { session_replication_role: "replica", timezone: "UTC" },
  });
  try {
    await sql.unsafe(`
      update public.therapist_availability set local_start = '00:00', local_end = '24:00';
      insert into auth.users (id, email)
      select md5('booker ' || number)::uuid, number || '-booker@bench.example' from generate_series(1, ${mostClients}) number;
      insert into auth.sessions (id, user_id, created_at)
      select md5('booker ' || number)::uuid, md5('booker ' || number)::uuid, now() from generate_series(1, ${mostClients}) number;
      insert into public.user_roles (organization_id, user_id, role, created_at, updated_at)
      select md5('organization 0')::uuid, md5('booker ' || number)::uuid, 'internal_ops', now(), now()
      from generate_series(1, ${mostClients}) number;
    `);
  } finally {
    await sql.end();
  }
}

/** Runs as the tables' owner. */
export async function createTables(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create schema if not exists bench;
    grant usage on schema bench to authenticated;
    create sequence bench.attempts;

    create table bench.appointments (
      id uuid primary key default gen_random_uuid(),
      organization_id uuid not null references public.organizations (id),
      therapist_id uuid not null references public.therapists (id),
      client_id uuid not null references public.clients (id),
      start_time timestamptz not null,
      end_time timestamptz not null,
      status text not null default 'held',
      created_at timestamptz not null default now()
    );
    create index on bench.appointments (organization_id);
    create index on bench.appointments (therapist_id, start_time);
    create index on bench.appointments (client_id, start_time);
    alter table bench.appointments enable row level security;
    create policy "staff book" on bench.appointments to authenticated
      using (organization_id = any ((select app.org_ids_with_role('internal_ops'))::uuid[]))
      with check (organization_id = any ((select app.org_ids_with_role('internal_ops'))::uuid[]));
    grant select, insert, update on bench.appointments to authenticated;
  `);
  for (const table of copied) {
    await sql.unsafe(`create table bench.${table} (like public.${table} including all)`);
    const constraints = await sql<{ name: string }[]>`
      select conname as name from pg_constraint
      where conrelid = ${`bench.${table}`}::regclass and contype = 'x'`;
    for (const { name } of constraints)
      await sql.unsafe(`alter table bench.${table} drop constraint "${name}"`);
  }
  // The exclusion constraints' indexes went with them: the check and the comparison need theirs.
  await sql.unsafe(`
    create index on bench.calendar_claims using gist (subject_id, lane, during, slot_id);
    create index on bench.sessions using gist (therapist_id, tstzrange(start_time, end_time), slot_id)
      where status in ('scheduled', 'in_progress', 'completed');
  `);
}
