-- Families and referring practices: the few columns that they see, and referrals.
--
-- Promises
--   * A patient or guardian sees their own child's appointments in a handful of columns and nothing else; no policy of a
--     base table lets them in, so no other column is in reach.
--   * A referring practice sees the clients it referred: status and a schedule summary.

create table public.referrals (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id),
  reference text not null,
  client_id uuid,
  status text not null default 'submitted',
  status_changed_at timestamptz not null,
  status_changed_by uuid,
  created_at timestamptz not null,
  created_by uuid,
  updated_at timestamptz not null,
  updated_by uuid,
  constraint referrals_organization_id_id_key unique (organization_id, id),
  constraint referrals_client_fkey
    foreign key (organization_id, client_id) references public.clients (organization_id, id),
  constraint referrals_status_known check (status in ('submitted', 'accepted', 'declined')),
  constraint referrals_accepted_with_client check ((status = 'accepted') = (client_id is not null)),
  constraint referrals_reference_form check (reference ~ '^[A-Za-z0-9._/-]{1,64}$')
);
comment on table public.referrals is
  'A referring practice sends a client. Who referred is created_by. reference is the practice''s own code, never a name.';
create index referrals_client_idx on public.referrals (organization_id, client_id);
create index referrals_created_by_idx on public.referrals (created_by);
select app.add_stamps('public.referrals', 'status');

alter table public.referrals enable row level security;
grant select, insert (organization_id, reference), update (client_id, status)
on public.referrals to authenticated, service_role;

create policy "referring practices see their referrals and schedulers all" on public.referrals
  for select to authenticated
  using (
    (created_by = (select auth.uid())
      and organization_id = any ((select app.org_ids_with_role('partner_provider'))::uuid[]))
    or organization_id = any ((select app.org_ids_with_role('internal_ops', 'admin', 'super_admin'))::uuid[])
  );
create policy "referring practices refer" on public.referrals
  for insert to authenticated
  with check (
    organization_id = any ((select app.org_ids_with_role('partner_provider'))::uuid[])
    and status = 'submitted'
  );
create policy "admins answer referrals" on public.referrals
  for update to authenticated
  using (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]))
  with check (organization_id = any ((select app.org_ids_with_role('admin'))::uuid[]));
select app.require_second_factor('public.referrals');

-- ---------------------------------------------------------------------------------------------------------
-- Views: security_invoker over functions that give the caller's own rows and few columns. The functions plan once and
-- by index, for the reason given at app.keep_ledger_for_holds.
-- ---------------------------------------------------------------------------------------------------------

create function app.family_clients()
returns table (client_id uuid, organization_id uuid, status text)
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  own uuid[] := app.guarded_client_ids();
begin
  return query
    select client.id, client.organization_id, client.status
    from public.clients client
    where client.id = any (own);
end
$$;
comment on function app.family_clients is 'Definer: families have no policy on clients; gives those of app.guarded_client_ids only.';

create view public.family_clients with (security_invoker = true) as
  select family.client_id, family.organization_id, family.status
  from app.family_clients() family;
comment on view public.family_clients is 'For the role client: the clients the caller stands for. Who they are: read_clients.';

create function app.family_sessions()
returns table (
  session_id uuid, client_id uuid, start_time timestamptz, end_time timestamptz, time_zone text, status text,
  therapist_name text, service_name text)
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  own uuid[] := app.guarded_client_ids();
begin
  return query
    -- Names by subquery, a look-up each: a join may be planned as a walk through every therapist there is.
    select session.id, session.client_id, session.start_time, session.end_time, session.time_zone, session.status,
      (select therapist.display_name
        from public.therapists therapist
        where therapist.organization_id = session.organization_id and therapist.id = session.therapist_id),
      (select service.name
        from public.services service
        where service.organization_id = session.organization_id and service.id = session.service_id)
    from public.sessions session
    where session.client_id = any (own);
end
$$;
comment on function app.family_sessions is 'Definer: families have no policy on sessions; gives those of app.guarded_client_ids only.';

create view public.family_sessions with (security_invoker = true) as
  select family.session_id, family.client_id, family.start_time, family.end_time, family.time_zone, family.status,
    family.therapist_name, family.service_name
  from app.family_sessions() family;
comment on view public.family_sessions is 'For the role client: when, with whom and what; no notes, codes or reasons.';

create function app.referral_summaries()
returns table (
  referral_id uuid, organization_id uuid, reference text, status text, client_status text,
  next_session_at timestamptz, upcoming_sessions bigint)
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  caller uuid := auth.uid();
  organizations uuid[] := app.org_ids_with_role('partner_provider');
  barred uuid[] := app.org_ids_needing_second_factor();
begin
  return query
    select referral.id, referral.organization_id, referral.reference, referral.status, client.status,
      min(session.start_time), count(session.id)
    from public.referrals referral
    left join public.clients client
      on client.organization_id = referral.organization_id and client.id = referral.client_id
    left join public.sessions session
      on session.client_id = client.id and session.status = 'scheduled' and session.start_time > now()
    where referral.created_by = caller
      and referral.organization_id = any (organizations)
      and referral.organization_id <> all (barred)
    group by referral.id, client.status;
end
$$;
comment on function app.referral_summaries is
  'Definer: referring practices have no policy on clients or sessions; gives the caller''s own referrals only.';

create view public.referral_summaries with (security_invoker = true) as
  select summary.referral_id, summary.organization_id, summary.reference, summary.status, summary.client_status,
    summary.next_session_at, summary.upcoming_sessions
  from app.referral_summaries() summary;
comment on view public.referral_summaries is 'For the role partner_provider: what became of the clients it referred.';

grant execute on function app.family_clients, app.family_sessions, app.referral_summaries to authenticated;
grant select on public.family_clients, public.family_sessions, public.referral_summaries to authenticated;
