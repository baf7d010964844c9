-- Worlds for the matrix: for every persona a clinic of its own in which its login is linked to everything there is
-- (therapist row, care team, supervision, guardianship, referral, hold), so that only the role makes a difference.
-- Commits the schema `access`, which both 90-matrix-cells and supabase/tests/access/matrix.test.ts stand on; the two may
-- run at once, so it is never dropped.
begin;

select pg_advisory_xact_lock(hashtext('schema access'));
set local client_min_messages = warning;
create schema if not exists access;
comment on schema access is 'The matrix of who may do what, and what runs it. Not part of the project; not exposed by the API.';

create table if not exists access.worlds (
  world text primary key, elsewhere text not null, persona text not null, login uuid not null
);

create or replace function access.id(label text) returns uuid language sql immutable set search_path = '' as $$
  select pg_catalog.md5(label)::uuid
$$;
create or replace function access.at(hour integer) returns timestamptz language sql stable set search_path = '' as $$
  select (current_date + 30)::timestamp at time zone 'UTC' + pg_catalog.make_interval(hours => hour)
$$;

create or replace function access.add_login(label text) returns uuid language sql set search_path = '' as $$
  insert into auth.users (id, email) values (access.id(label), access.id(label) || '@access.example') returning id
$$;

create or replace function access.create_world(run text, persona text, of_login uuid default null)
returns text language plpgsql set search_path = '' as $$
declare
  world text := run || ' ' || persona;
  org uuid := access.id(world);
  login uuid := coalesce(of_login, access.add_login(world || ' login'));
  colleague uuid := access.add_login(world || ' colleague login');
begin
  perform access.add_login(world || ' newcomer login');
  insert into access.worlds values (world, run || ' elsewhere', persona, login);
  insert into public.organizations (id, name, time_zone, requires_mfa, calls_per_minute)
  values (org, world, 'UTC', persona = 'admin at aal1', 100000);

  insert into public.user_roles (id, organization_id, user_id, role)
  values (access.id(world || ' colleague role'), org, colleague, 'therapist');
  insert into public.user_roles (id, organization_id, user_id, role)
  select access.id(world || ' role'), case when held.role <> 'super_admin' then org end, login, held.role
  from (select case
    when persona in ('revoked therapist', 'banned therapist') then 'therapist'
    when persona = 'admin at aal1' then 'admin'
    when persona = 'super_admin with break-glass' then 'super_admin'
    when persona not in ('anon', 'no_role', 'service_role', 'elsewhere') then persona end) held (role)
  where held.role is not null;
  insert into public.user_roles (id, organization_id, user_id, role, kind, reason, expires_at)
  select access.id(world || ' break-glass'), org, login, 'super_admin', 'break_glass', 'The clinic cannot sign in', now() + interval '1 hour'
  where persona = 'super_admin with break-glass';

  insert into public.therapists (id, organization_id, user_id, display_name, credential) values
    (access.id(world || ' me'), org, login, 'Me', 'BCBA'),
    (access.id(world || ' colleague'), org, colleague, 'Colleague', 'RBT'),
    (access.id(world || ' supervised'), org, null, 'Supervised', 'RBT');
  insert into public.clients (id, organization_id, full_name)
  select access.id(world || ' ' || client), org, client from unnest(array['mine', 'theirs', 'reviewed', 'caseload', 'free']) client;
  insert into public.rooms (id, organization_id, name) values (access.id(world || ' room'), org, 'Room');
  insert into public.services (id, organization_id, service_code, name, cpt_code, is_group) values
    (access.id(world || ' service'), org, '97153', 'Direct', '97153', false), (access.id(world || ' group service'), org, '97154', 'Group', '97154', true);
  insert into public.care_team_assignments (id, organization_id, therapist_id, client_id, team_role, starts_on)
  select access.id(concat_ws(' ', world, team.who, 'of', team.whom)), org, access.id(world || ' ' || team.who), access.id(world || ' ' || team.whom), team.team_role, current_date - 30
  from (values ('me', 'mine', 'therapist'), ('me', 'reviewed', 'psychiatrist'), ('colleague', 'mine', 'therapist'),
    ('colleague', 'theirs', 'therapist'), ('colleague', 'reviewed', 'therapist'), ('supervised', 'caseload', 'therapist')) team (who, whom, team_role);
  insert into public.supervisions (id, organization_id, supervisor_id, therapist_id, starts_on) values
    (access.id(world || ' my supervision'), org, access.id(world || ' me'), access.id(world || ' supervised'), current_date - 30),
    (access.id(world || ' colleague supervision'), org, access.id(world || ' colleague'), access.id(world || ' supervised'), current_date - 30);
  insert into public.client_guardians (id, organization_id, client_id, user_id, relationship, starts_on) values
    (access.id(world || ' my guardianship'), org, access.id(world || ' mine'), login, 'parent', current_date - 30),
    (access.id(world || ' colleague guardianship'), org, access.id(world || ' theirs'), colleague, 'parent', current_date - 30);

  insert into public.sessions (id, organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
  select access.id(world || ' ' || booked.label), org, access.id(world || ' ' || booked.who), access.id(world || ' ' || booked.whom),
    access.id(world || ' service'), access.at(booked.hour), access.at(booked.hour + 1), 'UTC'
  from (values ('my session', 'me', 'mine', 10), ('session of my client', 'colleague', 'mine', 12), ('colleague session', 'colleague', 'theirs', 14),
    ('supervised session', 'supervised', 'caseload', 10), ('session under review', 'colleague', 'reviewed', 16),
    ('my last session', 'me', 'mine', 23), ('colleague last session', 'colleague', 'theirs', 23)) booked (label, who, whom, hour);
  insert into public.session_groups (id, organization_id, therapist_id, service_id, start_time, end_time)
  select access.id(concat_ws(' ', world, who, 'group')), org, access.id(world || ' ' || who), access.id(world || ' group service'), access.at(18), access.at(19)
  from unnest(array['me', 'colleague', 'supervised']) who;

  perform set_config('request.jwt.claims', jsonb_build_object('sub', maker.maker)::text, true), access.hold(world, maker.label, maker.who, maker.whom, maker.hour)
  from (values ('hold I made', 'colleague', 'theirs', 4, login), ('hold for me', 'me', 'mine', 4, login), ('hold on my time', 'me', 'mine', 6, colleague),
    ('colleague hold', 'colleague', 'theirs', 6, colleague), ('supervised hold', 'supervised', 'caseload', 4, colleague)) maker (label, who, whom, hour, maker);
  perform set_config('request.jwt.claims', jsonb_build_object('sub', colleague)::text, true);
  insert into public.referrals (id, organization_id, reference) values (access.id(world || ' colleague referral'), org, 'THEIRS');
  perform set_config('request.jwt.claims', jsonb_build_object('sub', login)::text, true);
  insert into public.referrals (id, organization_id, reference) values (access.id(world || ' my referral'), org, 'MINE');
  perform set_config('request.jwt.claims', '', true);

  insert into public.service_accounts (id, organization_id, name, scopes) values (access.id(world || ' account'), org, 'Partner', '{schedule:read}');
  insert into public.service_account_tokens (id, organization_id, service_account_id, token_hash, prefix, expires_at)
  values (access.id(world || ' token'), org, access.id(world || ' account'), sha256(convert_to(world || ' token', 'UTF8')), 'hf_abcdef', now() + interval '1 day');
  insert into public.access_alerts (id, organization_id, kind) values (access.id(world || ' alert'), org, 'break_glass');
  insert into public.active_organizations (user_id, organization_id) values (login, org), (colleague, org);
  insert into public.idempotency_keys (organization_id, user_id, operation, key, request_hash, response) values (org, login, 'hold_sessions', 'key', '', '{}');
  insert into audit.events (organization_id, actor_id, action, decision, code, row_id) values (org, login, 'rpc.hold_sessions', 'deny', 'forbidden', access.id(world));
  return world;
end
$$;

create or replace function access.hold(world text, label text, who text, whom text, hour integer) returns void language sql set search_path = '' as $$
  insert into public.session_holds (id, organization_id, batch_key, therapist_id, client_id, service_id, start_time, end_time, time_zone, expires_at)
  values (access.id(world || ' ' || label), access.id(world), access.id(world || ' ' || label), access.id(world || ' ' || who), access.id(world || ' ' || whom),
    access.id(world || ' service'), access.at(hour), access.at(hour + 1), 'UTC', clock_timestamp() + interval '10 minutes')
$$;

create or replace function access.end_access(of_world text) returns void language plpgsql set search_path = '' as $$
declare
  this access.worlds := (select it from access.worlds it where it.world = of_world);
begin
  update public.user_roles set revoked_at = now() where id = access.id(of_world || ' role') and this.persona = 'revoked therapist';
  update auth.users set banned_until = now() + interval '1 day' where id = this.login and this.persona = 'banned therapist';
end
$$;
comment on function access.end_access is 'Revokes or bans whom the persona says, after they signed in: their token lives on.';

-- The row that a scope means: a label of create_world, or the key itself.
create or replace function access.target(of_world text, relation text, scope text) returns text language plpgsql stable set search_path = '' as $$
declare
  this access.worlds := (select it from access.worlds it where it.world = of_world);
  here text := case scope when 'other organization' then this.elsewhere else of_world end;
  mine boolean := scope = 'own row';
  label text;
begin
  if relation in ('roles', 'role_permissions', 'cpt_codes') then
    return case relation when 'cpt_codes' then '97153' else 'partner_provider' end;
  elsif relation = 'denied_attempts' then
    return (select event.id from audit.events event where event.organization_id = access.id(here) and event.row_id = access.id(here));
  elsif relation = 'active_organizations' then
    return case when mine then this.login else access.id(here || ' colleague login') end;
  elsif relation = 'idempotency_keys' then
    return this.login;
  end if;
  label := case
    when relation = 'organizations' then null
    when relation = 'user_roles' then case when mine and this.persona = 'super_admin with break-glass' then 'break-glass' when mine then 'role' else 'colleague role' end
    when relation = 'therapists' then case when mine then 'me' else 'colleague' end
    when relation in ('clients', 'family_clients') then
      case scope when 'own row' then 'mine' when 'assigned client' then 'mine' when 'client for review' then 'reviewed' when 'supervised row' then 'caseload' else 'theirs' end
    when relation = 'care_team_assignments' then
      case scope when 'own row' then 'me of mine' when 'assigned client' then 'colleague of mine' when 'supervised row' then 'supervised of caseload' else 'colleague of theirs' end
    when relation in ('sessions', 'family_sessions', 'calendar_claims') then
      case scope when 'own row' then 'my session' when 'assigned client' then 'session of my client' when 'client for review' then 'session under review'
        when 'supervised row' then 'supervised session' else 'colleague session' end
    when relation = 'session_groups' then case scope when 'own row' then 'me' when 'supervised row' then 'supervised' else 'colleague' end || ' group'
    when relation = 'session_holds' then case scope when 'own row' then 'hold I made' when 'own time' then 'hold on my time' when 'supervised row' then 'supervised hold' else 'colleague hold' end
    when relation = 'supervisions' then case when mine then 'my' else 'colleague' end || ' supervision'
    when relation = 'client_guardians' then case when mine then 'my' else 'colleague' end || ' guardianship'
    when relation in ('referrals', 'referral_summaries') then case when mine then 'my' else 'colleague' end || ' referral'
    when relation = 'access_alerts' then 'alert'
    when relation = 'service_accounts' then 'account'
    when relation = 'service_account_tokens' then 'token'
    when relation = 'rooms' then 'room'
    when relation = 'services' then 'service'
    else 'no such relation' end;
  return access.id(concat_ws(' ', here, label));
end
$$;

-- What is written: a row of the relation for the scope, and a change of one.
create or replace function access.new_row(of_world text, relation text, scope text) returns jsonb language plpgsql stable set search_path = '' as $$
declare
  this access.worlds := (select it from access.worlds it where it.world = of_world);
  here text := case scope when 'other organization' then this.elsewhere else of_world end;
  mine boolean := scope = 'own row';
  newcomer uuid := access.id(this.elsewhere || ' newcomer login');
  today date := current_date;
begin
  return case
    when relation in ('organizations', 'roles', 'role_permissions', 'cpt_codes', 'family_sessions', 'family_clients', 'referral_summaries') then '{}'
    else pg_catalog.jsonb_build_object('organization_id', access.id(here)) end || case relation
    when 'organizations' then '{"name": "A new tenant", "time_zone": "UTC"}'::jsonb
    when 'user_roles' then pg_catalog.jsonb_build_object('user_id', case when mine then this.login else newcomer end, 'role', 'psychiatrist')
    when 'active_organizations' then pg_catalog.jsonb_build_object('user_id', newcomer)
    when 'therapists' then '{"display_name": "New", "credential": "RBT"}'
    when 'clients' then '{"full_name": "New"}'
    when 'rooms' then pg_catalog.jsonb_build_object('name', 'New for ' || this.persona)
    when 'services' then pg_catalog.jsonb_build_object('service_code', pg_catalog.left(this.persona, 20), 'name', 'New', 'cpt_code', '97153')
    when 'care_team_assignments' then pg_catalog.jsonb_build_object(
      'therapist_id', access.id(here || case when mine then ' me' else ' colleague' end), 'client_id', access.id(here || ' caseload'), 'team_role', 'therapist', 'starts_on', today)
    when 'supervisions' then pg_catalog.jsonb_build_object(
      'supervisor_id', access.id(here || case when mine then ' me' else ' supervised' end), 'therapist_id', access.id(here || ' colleague'), 'starts_on', today)
    when 'client_guardians' then pg_catalog.jsonb_build_object(
      'client_id', access.id(here || ' caseload'), 'user_id', case when mine then this.login else newcomer end, 'relationship', 'parent', 'starts_on', today)
    when 'session_groups' then pg_catalog.jsonb_build_object(
      'therapist_id', access.id(here || ' me'), 'service_id', access.id(here || ' group service'), 'start_time', access.at(30), 'end_time', access.at(31))
    when 'sessions' then pg_catalog.jsonb_build_object(
      'therapist_id', access.id(here || case when mine then ' me' else ' colleague' end), 'client_id', access.id(here || case when mine then ' mine' else ' theirs' end),
      'service_id', access.id(here || ' service'), 'start_time', access.at(32), 'end_time', access.at(33), 'time_zone', 'UTC')
    when 'session_holds' then pg_catalog.jsonb_build_object('therapist_id', access.id(here || ' me'))
    when 'referrals' then '{"reference": "NEW"}'
    when 'access_alerts' then '{"kind": "break_glass"}'
    when 'service_accounts' then '{"name": "New", "scopes": ["schedule:read"]}'
    when 'service_account_tokens' then '{"prefix": "hf_abcdef"}'
    when 'calendar_claims' then pg_catalog.jsonb_build_object('claim_id', newcomer)
    when 'idempotency_keys' then '{"key": "new"}'
    when 'roles' then '{"role": "new", "summary": "New"}'
    when 'role_permissions' then '{"role": "client", "permission": "view_clients"}'
    when 'cpt_codes' then '{"code": "00000", "description": "New"}'
    when 'denied_attempts' then '{"action": "a.b"}'
    else '{"status": "new"}' end;
end
$$;
create or replace function access.change(of_world text, relation text) returns jsonb language sql stable set search_path = '' as $$
  select case
    when relation = 'organizations' then '{"name": "Renamed"}'
    when relation = 'user_roles' then '{"expires_at": "2099-01-01T00:00:00Z"}'
    when relation = 'active_organizations' then pg_catalog.jsonb_build_object('organization_id', access.id(of_world))
    when relation = 'therapists' then '{"display_name": "Renamed"}'
    when relation = 'clients' then '{"full_name": "Renamed"}'
    when relation = 'rooms' then pg_catalog.jsonb_build_object('name', 'Renamed by ' || of_world)
    when relation = 'services' then '{"name": "Renamed"}'
    when relation in ('care_team_assignments', 'supervisions', 'client_guardians') then pg_catalog.jsonb_build_object('ends_on', current_date + 400)
    when relation = 'session_groups' then pg_catalog.jsonb_build_object('end_time', access.at(20))
    when relation = 'sessions' then '{"status": "in_progress"}'
    when relation = 'session_holds' then '{"status": "released"}'
    when relation = 'access_alerts' then '{"acknowledged_at": "2099-01-01T00:00:00Z"}'
    when relation = 'service_accounts' then '{"disabled_at": null}'
    when relation = 'service_account_tokens' then '{"revoked_at": null}'
    when relation = 'calendar_claims' then '{"kind": "session"}'
    when relation = 'idempotency_keys' then '{"operation": "none"}'
    when relation = 'roles' then '{"summary": "Renamed"}'
    when relation = 'role_permissions' then '{"permission": "view_all"}'
    when relation = 'cpt_codes' then '{"description": "Renamed"}'
    when relation = 'denied_attempts' then '{"action": "a.b"}'
    else '{"status": "declined"}' end::jsonb
$$;

create or replace function access.arguments(of_world text, rpc text, scope text) returns jsonb language plpgsql stable set search_path = '' as $$
declare
  this access.worlds := (select it from access.worlds it where it.world = of_world);
  here text := case scope when 'other organization' then this.elsewhere else of_world end;
  mine boolean := scope = 'own row';
begin
  return case rpc
    when 'hold_sessions' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'therapist_id', access.id(here || case when mine then ' me' else ' colleague' end), 'client_id', access.id(here || case when mine then ' mine' else ' theirs' end),
      'time_zone', 'UTC', 'service_code', '97153', 'occurrences', pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object(
        'start_time', access.at(36), 'start_time_offset_minutes', 0, 'end_time', access.at(37), 'end_time_offset_minutes', 0))))
    when 'confirm_sessions' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'hold_key', access.id(here || case when mine then ' hold for me' else ' colleague hold' end)))
    when 'cancel_sessions' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'session_ids', pg_catalog.jsonb_build_array(access.id(here || case when mine then ' my last session' else ' colleague last session' end)), 'cancelled_by', 'clinic'))
    when 'archive_client' then pg_catalog.jsonb_build_object('client', access.id(here || ' free'))
    when 'break_glass' then pg_catalog.jsonb_build_object('organization', access.id(here), 'reason', 'The clinic cannot sign in', 'minutes', 5)
    when 'custom_access_token_hook' then pg_catalog.jsonb_build_object('event', pg_catalog.jsonb_build_object('user_id', this.login, 'claims', '{}'::jsonb))
    when 'create_service_account' then pg_catalog.jsonb_build_object('organization', access.id(here), 'name', 'New', 'scopes', array['schedule:read'])
    when 'rotate_service_account_token' then pg_catalog.jsonb_build_object('account', access.id(here || ' account'))
    when 'revoke_service_account' then pg_catalog.jsonb_build_object('account', access.id(here || ' account'))
    when 'list_service_account_tokens' then pg_catalog.jsonb_build_object('account', access.id(here || ' account'))
    -- The token is the authority, whoever sends it; a token of elsewhere that was never issued is none.
    when 'partner_sync' then pg_catalog.jsonb_build_object('token', of_world || case scope when 'own organization' then ' token' else ' no token' end, 'request', '{"operation": "schedule"}'::jsonb)
    when 'list_denied_attempts' then pg_catalog.jsonb_build_object('organization', access.id(here), 'until', access.at(99))
    else pg_catalog.jsonb_build_object('organization', access.id(here)) end;
end
$$;

create or replace function access.answer_means_yes(rpc text, answer jsonb) returns text language sql immutable set search_path = '' as $$
  select case
    when answer #>> '{problem,code}' in ('forbidden', 'not_found', 'mfa_required', 'unauthenticated') then 'deny'
    when answer -> 'problem' is not null then 'error ' || (answer ->> 'problem')
    when rpc ~ '^list_' and (answer is null or answer in ('[]', 'null')) then 'deny'
    else 'allow' end
$$;

commit;

begin;
select plan(3);
select access.create_world('trial', 'elsewhere'), access.create_world('trial', 'therapist');
select is(
  (select count(*)::integer from public.user_roles where user_id = access.target('trial therapist', 'active_organizations', 'own row')::uuid),
  1, 'a world gives its persona the one role');
select is(
  (select count(*)::integer from public.sessions
    where id::text in (access.target('trial therapist', 'sessions', 'own row'), access.target('trial therapist', 'sessions', 'other organization'))),
  2, 'a scope means a row that exists');
select is_empty('select fault from app.ledger_faults()', 'the worlds'' holds and sessions agree with the ledger');
select * from finish();
rollback;
