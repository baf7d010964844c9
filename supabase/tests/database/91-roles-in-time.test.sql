-- Roles in time: ban, revocation and expiry count in the next statement; temporary grants end by themselves; every change
-- of who may do what is on record; nobody raises themselves.
begin;
select plan(53);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
select tests.create_user('noah login');
select tests.add_session('rosa session', 'north', '10:00');

create function pg_temp.trail() returns setof text language sql as $$
  select concat_ws(' ', action, details ->> 'role', details ->> 'kind', actor.label)
  from audit.events event
  left join (values (tests.id('north admin login'), 'by the admin')) actor (id, label) on actor.id = event.actor_id
  where event.organization_id = tests.id('north') and event.details ->> 'user_id' = tests.id('noah login')::text
  order by event.id
$$;

-- ---------------------------------------------------------------------------------------------------------
-- The next statement
-- ---------------------------------------------------------------------------------------------------------

-- acting as Rosa, whose token says what it said when she signed in
select tests.authenticate_as(tests.id('north rosa login'), 'aal1', jsonb_build_object('org_id', tests.id('north'), 'org_role', 'therapist'));
select isnt_empty('select id from public.sessions', 'a therapist sees their session');
select tests.clear_authentication();
update auth.users set banned_until = now() + interval '1 hour' where id = tests.id('north rosa login');
select tests.authenticate_as(tests.id('north rosa login'), 'aal1', jsonb_build_object('org_id', tests.id('north'), 'org_role', 'therapist'));
select is_empty(
  'select id from public.sessions union all select id from public.clients union all select id from public.therapists union all select id from public.organizations',
  'a banned user sees nothing in the next statement');
select is(
  public.mark_no_show(jsonb_build_object('session_id', tests.id('rosa session'))) #>> '{problem,code}', 'unauthenticated', 'a banned user marks nothing in the next statement');
select is(public.hold_sessions(tests.hold_request('north', array['12:00'])) #>> '{problem,code}', 'unauthenticated', 'a banned user books nothing');
select throws_ok(
  $$ select public.choose_organization(tests.id('north')) $$, '42501', 'not a member of this organization', 'a banned user chooses no organization');
select tests.clear_authentication();
update auth.users set banned_until = now() where id = tests.id('north rosa login');
select tests.authenticate_as(tests.id('north rosa login'));
select isnt_empty('select id from public.sessions', 'a ban ends by itself');
select tests.clear_authentication();
update public.user_roles set expires_at = now() where id = tests.id('north rosa role');
select tests.authenticate_as(tests.id('north rosa login'));
select is_empty('select id from public.sessions', 'an expired role sees nothing in the next statement');
select is(public.hold_sessions(tests.hold_request('north', array['12:00'])) #>> '{problem,code}', 'not_found', 'an expired role books nothing');

-- ---------------------------------------------------------------------------------------------------------
-- Granting
-- ---------------------------------------------------------------------------------------------------------

-- acting as North's admin
select tests.authenticate_as(tests.id('north admin login'));
select throws_ok(
  format('insert into public.user_roles (organization_id, user_id, role, kind, reason, expires_at) values (tests.id(%L), tests.id(%L), %s)',
    refused.clinic, 'noah login', refused.rest), refused.code, null, refused.name)
from (values
  ('north', $$ 'therapist', 'temporary', null, now() + interval '1 day' $$, '23514', 'a temporary role needs a reason'),
  ('north', $$ 'therapist', 'temporary', 'for the summer camp', null $$, '23514', 'a temporary role needs an end'),
  ('north', $$ 'therapist', 'temporary', 'for the summer camp', 'infinity' $$, '23514', 'and one that comes'),
  ('north', $$ 'therapist', 'temporary', 'camp', now() + interval '1 day' $$, '23514', 'a reason has at least ten characters'),
  ('north', $$ 'therapist', 'break_glass', 'for the summer camp', now() + interval '1 hour' $$, '23514', 'break-glass is for super admins'),
  ('north', $$ 'owner', 'standing', null, null $$, '23503', 'a role is one that there is'),
  ('north', $$ 'super_admin', 'break_glass', 'for the summer camp', now() + interval '1 hour' $$, '42501', 'an admin makes nobody a super_admin of the clinic'),
  ('north', $$ 'system_service', 'standing', null, null $$, '42501', 'an admin makes no service account'),
  ('south', $$ 'therapist', 'standing', null, null $$, '42501', 'an admin grants no role in another clinic')
) refused (clinic, rest, code, name);
select throws_ok(
  $$ insert into public.user_roles (user_id, role) values (auth.uid(), 'super_admin') $$, '42501', null, 'an admin does not make themselves a super_admin');
select throws_ok(
  $$ insert into public.user_roles (organization_id, user_id, role, granted_by) values (tests.id('north'), tests.id('noah login'), 'client', tests.id('north rosa login')) $$,
  '42501', null, 'who grants a role does not say who granted it');
select lives_ok(
  $$ insert into public.user_roles (organization_id, user_id, role, kind, reason, expires_at)
    values (tests.id('north'), tests.id('noah login'), 'internal_ops', 'temporary', 'for the summer camp', now() + interval '1 day') $$,
  'an admin grants a temporary role with a reason and an end');
select is(
  (select granted_by from public.user_roles where user_id = tests.id('noah login')), tests.id('north admin login'), 'the database says who granted it');
select tests.authenticate_as(tests.id('noah login'));
select is((select count(*)::integer from public.clients), 3, 'a temporary role counts until its end');
select is_empty(
  $$ update public.user_roles set expires_at = now() + interval '1 year' where user_id = auth.uid() returning id $$, 'nobody prolongs their own role');
select tests.clear_authentication();
select is(
  (select expires_at from public.user_roles where user_id = tests.id('noah login')), now() + interval '1 day', 'the role that was not prolonged ends when it did');
update public.user_roles set expires_at = now() where user_id = tests.id('noah login');
select tests.authenticate_as(tests.id('noah login'));
select is_empty('select id from public.clients', 'a temporary role ends by itself');

-- acting as an admin for a week
select tests.clear_authentication();
select tests.create_user('dora login'), tests.create_user('eve login');
insert into public.user_roles (organization_id, user_id, role, kind, reason, expires_at)
values (tests.id('north'), tests.id('dora login'), 'admin', 'temporary', 'for the summer camp', now() + interval '7 days');
select tests.authenticate_as(tests.id('dora login'));
select throws_ok(
  $$ update public.user_roles set expires_at = now() + interval '1 year' where user_id = auth.uid() $$, '23514',
  'nobody prolongs a role of their own: constraint "user_roles_prolonged_by_another"', 'not even an admin');
select lives_ok(
  $$ update public.user_roles set expires_at = now() + interval '6 days' where user_id = auth.uid() $$, 'who shortens it');
select throws_ok(
  format('insert into public.user_roles (organization_id, user_id, role, expires_at) values (tests.id(%L), tests.id(%L), %L, %L)',
    'north', refused.login, refused.role, refused.ends),
  '23514', 'nobody grants a role beyond the end of their own: constraint "user_roles_within_granters_end"', refused.name)
from (values
  ('eve login', 'admin', null, 'an admin for a while grants nobody a role for good'),
  ('dora login', 'internal_ops', null, 'nor themselves another one'),
  ('eve login', 'admin', now() + interval '6 days 1 second', 'nor one that ends after theirs'),
  ('eve login', 'admin', 'infinity', 'nor one that ends never')
) refused (login, role, ends, name);
select lives_ok(
  format('insert into public.user_roles (organization_id, user_id, role, expires_at) values (tests.id(%L), tests.id(%L), %L, now() + interval %L)',
    'north', 'eve login', 'admin', '6 days'),
  'they grant what ends with their own');
select throws_ok(
  $$ update public.user_roles set expires_at = null where user_id = tests.id('eve login') and role = 'admin' $$, '23514',
  'nobody grants a role beyond the end of their own: constraint "user_roles_within_granters_end"', 'nor is that prolonged by them');
-- acting as who has it from them
select tests.authenticate_as(tests.id('eve login'));
select throws_ok(
  $$ update public.user_roles set expires_at = now() + interval '1 year' where user_id = tests.id('dora login') $$, '23514',
  'nobody grants a role beyond the end of their own: constraint "user_roles_within_granters_end"', 'nor theirs by whom they made an admin');
select tests.authenticate_as(tests.id('dora login'));
select lives_ok(
  $$ update public.user_roles set expires_at = now() + interval '1 year' where id = tests.id('north theo role') $$, 'they end a role, later too');
select tests.keep('account', public.create_service_account(tests.id('north'), 'a partner', '{schedule:read}') -> 'data');
select is(
  (tests.kept('account') ->> 'token_expires_at')::timestamptz, now() + interval '6 days', 'a token that they make ends with their role');
select tests.authenticate_as(tests.id('north admin login'));
select cmp_ok(
  (public.rotate_service_account_token((tests.kept('account') ->> 'account_id')::uuid) #>> '{data,token_expires_at}')::timestamptz, '>',
  now() + interval '364 days', 'one that another admin makes lasts');
select lives_ok(
  $$ update public.user_roles set expires_at = now() + interval '30 days' where user_id = tests.id('dora login') $$,
  'an admin for good prolongs the role of one for a while');
select tests.clear_authentication();
insert into public.user_roles (user_id, role) values (tests.id('dora login'), 'super_admin');
update public.user_roles set expires_at = now() + interval '1 hour' where user_id = tests.id('dora login') and role = 'admin';
select tests.authenticate_as(tests.id('dora login'), 'aal2');
select is(
  (public.break_glass(tests.id('north'), 'for the summer camp', 240) -> 'problem'), null, 'whoever breaks the glass has the glass''s own end');
select tests.clear_authentication();
select lives_ok(
  $$ update public.user_roles set expires_at = now() + interval '2 years' where id = tests.id('north theo role') $$, 'who is nobody''s login has no end');
update public.user_roles set expires_at = null where id = tests.id('north theo role');

-- acting as North's admin
select tests.authenticate_as(tests.id('north admin login'));
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('noah login'), 'psychiatrist');
update public.user_roles set revoked_at = '2020-01-01' where user_id = tests.id('noah login') and role = 'psychiatrist';
select cmp_ok(
  (select revoked_at from public.user_roles where user_id = tests.id('noah login') and role = 'psychiatrist'), '>=', now(), 'a role is not revoked back in time');
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('north scheduler login'), 'psychiatrist');
update public.user_roles set expires_at = '2020-01-01' where user_id = tests.id('north scheduler login') and role = 'psychiatrist';
select is(
  (select expires_at from public.user_roles where user_id = tests.id('north scheduler login') and role = 'psychiatrist'), now(), 'nor does it expire back in time');
select throws_ok(
  $$ update public.user_roles set revoked_at = null where user_id = tests.id('noah login') and role = 'psychiatrist' $$,
  '23514', null, 'a revocation is not taken back');
select throws_ok(
  format('update public.user_roles set %I = %L where user_id = tests.id(%L)', fixed.name, fixed.value, 'noah login'), '42501', null, 'nobody changes the ' || fixed.name || ' of a role')
from (values ('role', 'admin'), ('user_id', tests.id('north admin login')::text), ('organization_id', tests.id('south')::text), ('kind', 'standing'), ('reason', 'another reason')) fixed (name, value);
select throws_ok($$ delete from public.user_roles where user_id = tests.id('noah login') $$, '42501', null, 'nobody deletes a role');
select tests.clear_authentication();

select results_eq(
  'select pg_temp.trail()',
  array['role.granted internal_ops temporary by the admin', 'role.changed internal_ops temporary',
    'role.granted psychiatrist standing by the admin', 'role.revoked psychiatrist standing by the admin'],
  'granting, changing and revoking a role are on record, with who did it');

-- ---------------------------------------------------------------------------------------------------------
-- A role counts where it was granted
-- ---------------------------------------------------------------------------------------------------------

-- Noah reviews in South; in North he treats, and stands on Cedar's team as a psychiatrist all the same.
insert into public.user_roles (organization_id, user_id, role) values
  (tests.id('south'), tests.id('noah login'), 'psychiatrist'), (tests.id('north'), tests.id('noah login'), 'therapist');
insert into public.therapists (id, organization_id, user_id, display_name, credential) values
  (tests.id('noah in north'), tests.id('north'), tests.id('noah login'), 'noah', 'MD'), (tests.id('noah in south'), tests.id('south'), tests.id('noah login'), 'noah', 'MD');
insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on) values
  (tests.id('north'), tests.id('noah in north'), tests.id('north cedar'), 'psychiatrist', current_date - 30),
  (tests.id('south'), tests.id('noah in south'), tests.id('south cedar'), 'psychiatrist', current_date - 30);
select tests.add_session(clinic || ' cedar session', clinic, '15:00', jsonb_build_object('therapist', clinic || ' theo', 'client', clinic || ' cedar'))
from unnest(array['north', 'south']) clinic;
select tests.authenticate_as(tests.id('noah login'));
select set_eq(
  'select id from public.sessions', array[tests.id('south cedar session')],
  'a psychiatrist of one clinic does not review in another where they are a therapist');
select tests.clear_authentication();
insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on) values
  (tests.id('north'), tests.id('noah in north'), tests.id('north rosa'), current_date - 30),
  (tests.id('south'), tests.id('noah in south'), tests.id('south rosa'), current_date - 30);
insert into public.user_roles (organization_id, user_id, role) values (tests.id('south'), tests.id('noah login'), 'supervisor');
select tests.add_session('south rosa session', 'south', '11:00');
select tests.authenticate_as(tests.id('noah login'));
select set_eq(
  'select id from public.sessions', array[tests.id('south cedar session'), tests.id('south rosa session')],
  'a supervisor of one clinic does not supervise in another where they are a therapist');
select tests.clear_authentication();

-- acting as the admin of North
select tests.clear_authentication();
update public.user_roles set revoked_at = null, expires_at = now() - interval '1 minute'
where user_id = tests.id('north theo login') and revoked_at is null;
select tests.authenticate_as(tests.id('north admin login'));
select throws_ok(
  $$ update public.user_roles set expires_at = now() + interval '1 year' where user_id = tests.id('north theo login') $$,
  '23514', null, 'a role that has expired is granted anew, not brought back');
select tests.clear_authentication();

select * from finish();
rollback;
