-- Families and referring practices: a few columns of their own, and an end. And denied attempts, which admins list.
begin;
select plan(32);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
select tests.create_user('gail login'), tests.create_user('paula login'), tests.create_user('piet login');
insert into public.user_roles (id, organization_id, user_id, role) values
  (tests.id('gail role'), tests.id('north'), tests.id('gail login'), 'client'),
  (tests.id('paula role'), tests.id('north'), tests.id('paula login'), 'partner_provider'),
  (tests.id('piet role'), tests.id('north'), tests.id('piet login'), 'partner_provider');
insert into public.client_guardians (id, organization_id, client_id, user_id, relationship, starts_on) values
  (tests.id('gail of birch'), tests.id('north'), tests.id('north birch'), tests.id('gail login'), 'parent', current_date - 30),
  -- Gail has no role in South.
  (tests.id('gail in south'), tests.id('south'), tests.id('south birch'), tests.id('gail login'), 'parent', current_date - 30);
select tests.add_session('birch session', 'north', '10:00'), tests.add_session('aspen session', 'north', '12:00', '{"client": "north aspen"}'),
  tests.add_session('south session', 'south', '10:00');
update public.sessions set status = 'cancelled', cancelled_by = 'client', cancellation_reason = 'a fever' where id = tests.id('birch session');

-- ---------------------------------------------------------------------------------------------------------
-- Families
-- ---------------------------------------------------------------------------------------------------------

select set_eq(
  $$ select class.relname || '.' || attribute.attname from pg_class class join pg_attribute attribute on attribute.attrelid = class.oid and attribute.attnum > 0
    where class.relnamespace = 'public'::regnamespace and class.relkind = 'v' $$,
  array['family_clients.client_id', 'family_clients.organization_id', 'family_clients.status',
    'family_sessions.session_id', 'family_sessions.client_id', 'family_sessions.start_time', 'family_sessions.end_time', 'family_sessions.time_zone',
    'family_sessions.status', 'family_sessions.therapist_name', 'family_sessions.service_name',
    'referral_summaries.referral_id', 'referral_summaries.organization_id', 'referral_summaries.reference', 'referral_summaries.status',
    'referral_summaries.client_status', 'referral_summaries.next_session_at', 'referral_summaries.upcoming_sessions',
    'denied_attempts.id', 'denied_attempts.occurred_at', 'denied_attempts.organization_id', 'denied_attempts.actor_id', 'denied_attempts.action',
    'denied_attempts.code', 'denied_attempts.table_name', 'denied_attempts.request_id',
    'session_attendance.session_id', 'session_attendance.organization_id', 'session_attendance.therapist_id', 'session_attendance.client_id', 'session_attendance.service_id',
    'session_attendance.start_time', 'session_attendance.end_time', 'session_attendance.attendance', 'session_attendance.planned_minutes', 'session_attendance.delivered_minutes', 'session_attendance.cancellation_notice_minutes', 'session_attendance.late_cancellation', 'session_attendance.marked_at',
    'unbilled_sessions.session_id', 'unbilled_sessions.organization_id', 'unbilled_sessions.therapist_id', 'unbilled_sessions.client_id', 'unbilled_sessions.service_date',
    'unbilled_sessions.cpt_code', 'unbilled_sessions.modifiers', 'unbilled_sessions.minutes', 'unbilled_sessions.units', 'unbilled_sessions.payer_id', 'unbilled_sessions.warnings'],
  'the views have exactly these columns');

-- acting as Gail
select tests.authenticate_as(tests.id('gail login'));
select results_eq(
  'select client_id, status from public.family_clients', $$ values (tests.id('north birch'), 'active') $$,
  'a guardian sees their own child and no other');
select results_eq(
  'select session_id, status, therapist_name, service_name from public.family_sessions', $$ values (tests.id('birch session'), 'cancelled', 'north rosa', '97153') $$,
  'a guardian sees the sessions of their own child, with whom and what');
select is_empty(
  'select id from public.sessions union all select id from public.clients union all select id from public.therapists union all select id from public.services',
  'a guardian sees nothing of the tables behind the views');
select is_empty(
  $$ select to_jsonb(family) from public.family_sessions family where to_jsonb(family)::text ~ 'fever' $$, 'no view shows why a session was cancelled');
select set_eq(
  'select unnest(app.guarded_client_ids())', array[tests.id('north birch')], 'the function behind the views answers about who asks only');
select throws_ok(
  $$ insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
    values (tests.id('north'), tests.id('north aspen'), auth.uid(), 'parent', current_date) $$,
  '42501', null, 'nobody makes themselves a guardian');
-- acting as the owner: what ends a guardianship, one at a time
select tests.clear_authentication();
create function pg_temp.family_sees() returns bigint language sql as $$
  select (select count(*) from public.family_clients) + (select count(*) from public.family_sessions)
$$;
grant execute on function pg_temp.family_sees to authenticated;
create function pg_temp.sees_after(statement text, claims jsonb default '{}') returns bigint language plpgsql as $$
declare seen bigint;
begin
  begin
    execute statement;
    perform tests.authenticate_as(tests.id('gail login'), 'aal1', claims);
    seen := pg_temp.family_sees();
    raise exception using errcode = 'UNDO0';
  exception when sqlstate 'UNDO0' then null;
  end;
  return seen;
end
$$;
select is(pg_temp.sees_after(ended.statement, ended.claims), ended.sees::bigint, ended.name)
from (values
  ('select', '{}'::jsonb, 2, 'a guardian sees a client and a session'),
  ($$ update public.client_guardians set ends_on = (now() at time zone 'America/New_York')::date where id = tests.id('gail of birch') $$, '{}', 2, 'also on the last day'),
  ($$ update public.client_guardians set ends_on = (now() at time zone 'America/New_York')::date - 1 where id = tests.id('gail of birch') $$, '{}', 0, 'a guardianship that ended shows nothing'),
  ($$ update public.client_guardians set starts_on = (now() at time zone 'America/New_York')::date + 1 where id = tests.id('gail of birch') $$, '{}', 0, 'one that has not begun shows nothing'),
  ($$ update public.user_roles set revoked_at = now() where id = tests.id('gail role') $$, '{}', 0, 'without the role client a guardianship shows nothing'),
  ($$ update auth.users set banned_until = now() + interval '1 day' where id = tests.id('gail login') $$, '{}', 0, 'a banned guardian sees nothing'),
  ($$ update public.organizations set requires_mfa = true where id = tests.id('north') $$, '{}', 0, 'without a second factor that is demanded a guardian sees nothing'),
  ('select', jsonb_build_object('org_id', tests.id('south')), 0, 'with another active organization a guardian sees nothing'),
  ($$ insert into public.user_roles (organization_id, user_id, role) values (tests.id('south'), tests.id('gail login'), 'client') $$, '{}', 4, 'with the role in both clinics a guardian sees both children')
) ended (statement, claims, sees, name);

-- ---------------------------------------------------------------------------------------------------------
-- Referring practices
-- ---------------------------------------------------------------------------------------------------------

-- acting as Paula and as Piet
select tests.authenticate_as(tests.id('piet login'));
insert into public.referrals (organization_id, reference) values (tests.id('north'), 'PIET-1');
select tests.authenticate_as(tests.id('paula login'));
insert into public.referrals (organization_id, reference) values (tests.id('north'), 'PAULA-1');
select results_eq(
  'select reference, status, client_status, upcoming_sessions from public.referral_summaries',
  $$ values ('PAULA-1', 'submitted', null::text, 0::bigint) $$, 'a practice sees what became of its own referrals only');
select throws_ok(format('insert into public.referrals (organization_id, %s', refused.rest), '42501', null, refused.name)
from (values
  ($$ reference, created_by) values (tests.id('north'), 'X', tests.id('piet login')) $$, 'a practice does not refer in another''s name'),
  ($$ reference, client_id, status) values (tests.id('north'), 'X', tests.id('north aspen'), 'accepted') $$, 'a practice does not accept its own referral'),
  ($$ reference) values (tests.id('south'), 'X') $$, 'a practice refers to no clinic that it does not work with')
) refused (rest, name);
select throws_ok(
  $$ insert into public.referrals (organization_id, reference) values (tests.id('north'), 'Ada Lovelace') $$, '23514', null, 'a reference has no room for a name');
-- acting as North's admin
select tests.authenticate_as(tests.id('north admin login'));
update public.referrals set status = 'accepted', client_id = tests.id('north aspen') where reference = 'PAULA-1';
select throws_ok(
  $$ update public.referrals set client_id = tests.id('south aspen') where reference = 'PAULA-1' $$, '23503', null, 'a referral is not answered with another clinic''s client');
select tests.authenticate_as(tests.id('paula login'));
select results_eq(
  'select reference, status, client_status, next_session_at, upcoming_sessions from public.referral_summaries',
  $$ values ('PAULA-1', 'accepted', 'active', tests.at('12:00'), 1::bigint) $$, 'an accepted referral shows status and a summary of the schedule');
select is_empty('select id from public.clients union all select id from public.sessions', 'a practice sees neither the client nor the sessions');
select tests.clear_authentication();
update public.user_roles set revoked_at = now() where id = tests.id('paula role');
select tests.authenticate_as(tests.id('paula login'));
select is_empty(
  'select reference from public.referral_summaries union all select reference from public.referrals', 'a practice that left sees not even its referrals');
select tests.clear_authentication();

-- ---------------------------------------------------------------------------------------------------------
-- Denied attempts
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('first', public.archive_client(tests.id('north aspen')));
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('second', public.archive_client(tests.id('north aspen')));
select tests.authenticate_as(tests.id('south admin login'));
select tests.keep('third', public.archive_client(tests.id('north aspen')));
-- acting as North's admin
select tests.authenticate_as(tests.id('north admin login'));
select results_eq(
  $$ select actor_id, action, table_name, code from public.list_denied_attempts(tests.id('north'), until => clock_timestamp()) $$,
  $$ values (tests.id('south admin login'), 'rpc.archive_client', 'clients', 'not_found'),
    (tests.id('north scheduler login'), 'rpc.archive_client', 'clients', 'forbidden'),
    (tests.id('north rosa login'), 'rpc.archive_client', 'clients', 'forbidden') $$,
  'an admin lists who was denied what, the newest first, strangers included');
select results_eq(
  $$ select actor_id from public.list_denied_attempts(tests.id('north'), by_user => tests.id('north rosa login'), until => clock_timestamp()) $$,
  array[tests.id('north rosa login')], 'by user');
select is_empty($$ select id from public.list_denied_attempts(tests.id('north'), until => now()) $$, 'until a time');
select is_empty($$ select id from public.list_denied_attempts(tests.id('north'), since => clock_timestamp(), until => 'infinity') $$, 'since a time');
select is(
  (select count(*)::integer from public.list_denied_attempts(tests.id('north'), until => 'infinity', before_id => (
    select max(id) from public.denied_attempts where organization_id = tests.id('north')))), 2, 'a reader pages on');
select is_empty($$ select id from public.list_denied_attempts(tests.id('south'), until => 'infinity') $$, 'of no other clinic');
select tests.authenticate_as(tests.id('north scheduler login'));
select is_empty(
  $$ select id from public.list_denied_attempts(tests.id('north'), until => 'infinity') union all select id from public.denied_attempts $$, 'and nobody else does');
select tests.clear_authentication();

select * from finish();
rollback;
