-- Stamps: who and when is written by the database; and the permitted moves of a session's status.
begin;
select plan(69);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');

-- ---------------------------------------------------------------------------------------------------------
-- Every table that has stamps has them from the trigger
-- ---------------------------------------------------------------------------------------------------------

create temp view stamped as
select class.oid, class.oid::regclass::text as name, array_agg(attribute.attname::text) as columns
from pg_class class
join pg_attribute attribute on attribute.attrelid = class.oid
where class.relnamespace = 'public'::regnamespace and class.relkind = 'r' and attribute.attname = any (array[
  'created_at', 'created_by', 'updated_at', 'updated_by', 'status_changed_at', 'status_changed_by', 'version'])
  -- The version of a form is its name, not how often its row was written.
  and (class.relname, attribute.attname) <> ('consent_forms', 'version')
group by class.oid;

select set_eq(
  $$ select name from stamped where columns @> array['created_at', 'created_by', 'updated_at', 'updated_by'] $$,
  array['organizations', 'user_roles', 'therapists', 'clients', 'rooms', 'care_team_assignments', 'services', 'session_groups',
    'sessions', 'session_holds', 'supervisions', 'client_guardians', 'referrals', 'access_alerts', 'access_thresholds', 'active_organizations',
    'service_accounts', 'service_account_tokens', 'payers', 'client_coverages', 'therapist_availability', 'client_preferred_hours',
    'availability_exceptions', 'buffer_rules', 'session_series', 'session_teams', 'waitlist_entries', 'waitlist_times',
    'client_keys', 'session_notes', 'payer_rules', 'payer_modifiers', 'session_charges',
    'documents', 'authorizations',
    'billing_profiles', 'payer_rates', 'billing_batches', 'billing_cases', 'billing_lines',
    'cancellation_rules', 'consent_forms', 'service_consents'],
  'every table that people change says who created and updated a row, and when');
select is_empty(
  $$ select name from stamped
    where name not in ('idempotency_keys', 'session_note_versions', 'attendance_marks') and not exists (
      select from pg_trigger trigger
      where trigger.tgrelid = stamped.oid and trigger.tgfoid = 'app.stamp_row()'::regprocedure and trigger.tgenabled = 'O'
        and ('status_changed_at' = any (columns)) = (encode(trigger.tgargs, 'escape') like 'status%')
        and ('version' = any (columns)) = (encode(trigger.tgargs, 'escape') like '%version%')) $$,
  'each of them has the one trigger that stamps, for the columns that it has');
select is_empty(
  $$ select stamped.name, role_name, attribute.attname from stamped
    cross join unnest(array['authenticated', 'service_role']) role_name
    cross join unnest(array['INSERT', 'UPDATE']) privilege
    join pg_attribute attribute on attribute.attrelid = stamped.oid and attribute.attname = any (stamped.columns)
    where has_column_privilege(role_name, stamped.oid, attribute.attname, privilege) $$,
  'no API role has a grant to write a stamp');

-- ---------------------------------------------------------------------------------------------------------
-- A row's stamps
-- ---------------------------------------------------------------------------------------------------------

-- acting as Rosa, who books through the RPC
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('held', public.hold_sessions(tests.hold_request('north', array['08:00'])) -> 'data');
select tests.keep('session', public.confirm_sessions(jsonb_build_object('hold_key', tests.kept('held') -> 'hold_key')) #> '{data,session}');
select tests.clear_authentication();
create temp view session as select * from public.sessions where id = (tests.kept('session') ->> 'id')::uuid;
select results_eq(
  'select created_by, updated_by, status_changed_by, version from session',
  $$ select rosa, rosa, rosa, 1 from (values (tests.id('north rosa login'))) as login (rosa) $$, 'a new row is the caller''s, and its version is 1');
select ok(
  (select created_at between now() and clock_timestamp() and updated_at >= created_at and status_changed_at = created_at from session),
  'a new row has the time of its writing');

-- acting as plain SQL in Theo's name
select set_config('request.jwt.claims', jsonb_build_object('sub', tests.id('north theo login'))::text, true);
select tests.keep('before', (select to_jsonb(session) from session));
update public.sessions
set place_of_service = '12', created_at = '2001-01-01', created_by = tests.id('north admin login'), updated_at = '2001-01-01',
  updated_by = tests.id('north admin login'), status_changed_at = '2001-01-01', status_changed_by = tests.id('north admin login'), version = 99
where id = (tests.kept('session') ->> 'id')::uuid;
select is(
  (select to_jsonb(session) from session),
  tests.kept('before') || jsonb_build_object(
    'place_of_service', '12', 'updated_by', tests.id('north theo login'), 'version', 2, 'updated_at', (select updated_at from session)),
  'a change is stamped with who made it; what the writer says of the stamps is ignored, and the status has not changed');
select ok((select updated_at > created_at from session), 'a change has the time of its writing');
update public.sessions set status = 'in_progress', actual_start_time = start_time where id = (tests.kept('session') ->> 'id')::uuid;
select results_eq(
  'select status_changed_by, status_changed_at = updated_at, created_by, version from session',
  $$ values (tests.id('north theo login'), true, tests.id('north rosa login'), 3) $$, 'a change of status is stamped as such');

insert into public.clients (id, organization_id, full_name, created_at, created_by, updated_at, updated_by, status_changed_at, status_changed_by)
select tests.id('forged'), tests.id('north'), 'forged', forged.at, forged.by, forged.at, forged.by, forged.at, forged.by
from (values ('2001-01-01'::timestamptz, tests.id('north admin login'))) forged (at, by);
select results_eq(
  $$ select created_at >= now(), created_by, updated_at >= now(), updated_by, status_changed_at >= now(), status_changed_by
    from public.clients where id = tests.id('forged') $$,
  $$ select true, theo, true, theo, true, theo from (values (tests.id('north theo login'))) login (theo) $$,
  'what an insert says of its stamps is ignored');
-- acting as the service role
select tests.authenticate_as_service_role();
select throws_ok(
  $$ update public.clients set created_by = null where id = tests.id('forged') $$, '42501', null, 'the service role does not even name a stamp');
update public.clients set status = 'archived' where id = tests.id('forged');
select tests.clear_authentication();
select results_eq(
  $$ select created_by, updated_by, status_changed_by from public.clients where id = tests.id('forged') $$,
  $$ values (tests.id('north theo login'), null::uuid, null::uuid) $$, 'a change by automation names nobody');

-- ---------------------------------------------------------------------------------------------------------
-- The moves of a session's status
-- ---------------------------------------------------------------------------------------------------------

create temp view moves as
select was, becomes, (was, becomes) in (
  ('scheduled', 'in_progress'), ('scheduled', 'completed'), ('scheduled', 'no_show'), ('scheduled', 'cancelled'),
  ('in_progress', 'completed'), ('in_progress', 'no_show')) as permitted,
  (was, becomes) in (
    ('in_progress', 'scheduled'), ('completed', 'scheduled'), ('completed', 'no_show'), ('no_show', 'scheduled'), ('no_show', 'completed')) as correctable
from unnest(array['scheduled', 'in_progress', 'completed', 'no_show', 'cancelled']) was
cross join unnest(array['scheduled', 'in_progress', 'completed', 'no_show', 'cancelled']) becomes
where was <> becomes;

update public.sessions set status = 'completed', actual_end_time = end_time where id = (tests.kept('session') ->> 'id')::uuid;
-- Every pair of statuses, each on a session of its own that is undone again: a therapist is in one session at a time.
create function pg_temp.try_move(was text, becomes text, as_correction boolean) returns text language plpgsql as $$
begin
  perform tests.add_session('moving', 'north', '12:00', jsonb_build_object(
    'status', was, 'cancelled_by', case when was = 'cancelled' then 'clinic' end));
  update public.sessions
  set status = becomes, cancelled_by = case when becomes = 'cancelled' then 'clinic' end,
    actual_start_time = case when becomes in ('in_progress', 'completed') then start_time end,
    actual_end_time = case when becomes = 'completed' then end_time end,
    corrected_at = case when as_correction then now() end
  where id = tests.id('moving') and status = was;
  raise exception using errcode = 'HF999', message = case when found then 'moved' else 'not found' end;
exception
  when check_violation or sqlstate 'HF999' then
    return sqlerrm;
end
$$;
select is(
  pg_temp.try_move(was, becomes, as_correction),
  case when permitted or (correctable and as_correction) then 'moved'
    else 'a session cannot go from ' || was || ' to ' || becomes || ': constraint "sessions_status_transition"' end,
  case when permitted or (correctable and as_correction) then was || ' becomes ' || becomes else was || ' does not become ' || becomes end
    || case when as_correction then ', as a correction' else '' end)
from moves
cross join unnest(array[false, true]) as_correction;
select tests.add_session('planned', 'north', '12:00'), tests.add_session('done', 'north', '14:00', '{"status": "completed"}');

select throws_ok(
  format($$ update public.sessions set %s where id = tests.id('planned') $$, refused.changes), '23514', null, refused.name)
from (values
  ($$ status = 'forgotten' $$, 'a status that is not known is refused'),
  ($$ status = 'cancelled' $$, 'a cancelled session says who cancelled'),
  ($$ cancelled_by = 'clinic' $$, 'a session that is not cancelled names nobody who did'),
  ($$ place_of_service = '1' $$, 'a place of service has two digits'),
  ($$ end_time = start_time $$, 'a session takes time'),
  ($$ end_time = start_time + interval '24 hours 1 second' $$, 'a session takes at most a day'),
  ($$ end_time = 'infinity' $$, 'a session ends'),
  ($$ status = 'in_progress' $$, 'what is in progress has begun'),
  ($$ status = 'completed', actual_start_time = start_time $$, 'what is completed has ended'),
  ($$ status = 'in_progress', actual_start_time = start_time, actual_end_time = end_time $$, 'what is in progress has not ended'),
  ($$ actual_start_time = start_time $$, 'what is only planned has no actual times'),
  ($$ status = 'no_show', actual_start_time = start_time $$, 'nor has what did not take place'),
  ($$ status = 'completed', actual_start_time = start_time, actual_end_time = start_time $$, 'what took place took time'),
  ($$ status = 'completed', actual_start_time = start_time, actual_end_time = start_time + interval '24 hours 1 second' $$, 'and at most a day'),
  ($$ status = 'completed', actual_start_time = '-infinity', actual_end_time = start_time $$, 'and has a beginning')
) refused (changes, name);
select lives_ok($$ update public.sessions set status = status where id = tests.id('done') $$, 'writing the status that is there is no move');

select tests.clear_authentication();
select throws_ok(
  $$ insert into public.session_holds (organization_id, batch_key, therapist_id, client_id, service_id, start_time, end_time, time_zone, expires_at)
    values (tests.id('north'), gen_random_uuid(), tests.id('north rosa'), tests.id('north birch'), tests.id('north 97153'),
      tests.at('20:00'), tests.at('21:00'), 'America/New_York', clock_timestamp() + interval '901 seconds') $$,
  '23514', null, 'a hold lasts at most 900 seconds, whoever writes it');
select is_empty('select * from app.ledger_faults()', 'the ledger, the holds and the sessions agree');

select * from finish();
rollback;
