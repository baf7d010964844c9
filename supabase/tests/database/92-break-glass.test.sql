-- Break-glass: how an operator of the platform reads a clinic's records in an emergency, and how the clinic learns of it.
begin;
select plan(39);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
select tests.create_user('olga login');
insert into public.user_roles (id, user_id, role) values (tests.id('olga role'), tests.id('olga login'), 'super_admin');
select tests.add_session('rosa session', 'north', '10:00');

create function pg_temp.seen() returns integer language sql as $$
  select (select count(*) from public.clients)::integer + (select count(*) from public.sessions)::integer
$$;
create function pg_temp.code(answer jsonb) returns text language sql as $$ select answer #>> '{problem,code}' $$;
grant execute on function pg_temp.seen, pg_temp.code to authenticated;

-- acting as Olga
select tests.authenticate_as(tests.id('olga login'), 'aal2');
select is(pg_temp.seen(), 0, 'a super_admin sees no record without break-glass');
select is(pg_temp.code(public.break_glass(tests.id('north'), refused.reason, refused.minutes)), 'validation_failed', refused.name)
from (values
  (null, 60, 'break-glass needs a reason'),
  ('   because   ', 60, 'spaces make no reason'),
  (repeat('x', 501), 60, 'a reason is at most 500 characters'),
  ('The clinic cannot sign in', 0, 'break-glass lasts at least a minute'),
  ('The clinic cannot sign in', 241, 'break-glass lasts at most four hours'),
  ('The clinic cannot sign in', null, 'break-glass has an end')
) refused (reason, minutes, name);
select is(pg_temp.code(public.break_glass(tests.id('no clinic'), 'The clinic cannot sign in')), 'not_found', 'break-glass is for a clinic that there is');
select is(pg_temp.seen(), 0, 'a refused break-glass shows nothing');

-- acting as Olga without a second factor, and as others
select tests.authenticate_as(tests.id('olga login'));
select is(pg_temp.code(public.break_glass(tests.id('north'), 'The clinic cannot sign in')), 'forbidden', 'break-glass needs a second factor');
select tests.authenticate_as(tests.id('olga login'), null);
select is(pg_temp.code(public.break_glass(tests.id('north'), 'The clinic cannot sign in')), 'forbidden', 'a token that says nothing of factors has no second one');
select tests.authenticate_as(tests.id('south admin login'), 'aal2');
select is(pg_temp.code(public.break_glass(tests.id('north'), 'The clinic cannot sign in')), 'forbidden', 'break-glass is not for an admin of another clinic');
select tests.keep('tries', (
  select jsonb_agg(distinct pg_temp.code(public.break_glass(tests.id('west'), 'The clinic cannot sign in'))) from generate_series(1, 150)));
select is(tests.kept('tries'), '["forbidden", "rate_limited"]', 'nor can they fill a clinic''s trail by trying');
select tests.authenticate_as(null, 'aal2');
select is(pg_temp.code(public.break_glass(tests.id('north'), 'The clinic cannot sign in')), 'unauthenticated', 'break-glass is not for a token without a user');

-- acting as Olga
select tests.authenticate_as(tests.id('olga login'), 'aal2');
select tests.keep('granted', public.break_glass(tests.id('north'), '  The clinic cannot sign in ', 30));
select is(pg_temp.seen(), 4, 'break-glass shows the clinic''s records');
select set_eq('select distinct organization_id from public.clients', array[tests.id('north')], 'and those of no other clinic');
select tests.authenticate_as(tests.id('olga login'));
select is(pg_temp.seen(), 0, 'without a second factor it shows nothing');
select tests.authenticate_as(tests.id('olga login'), 'aal2');
select is_empty(statement.write, 'break-glass changes no ' || statement.what)
from (values
  ('room', $$ update public.rooms set name = 'x' returning id $$),
  ('role', $$ update public.user_roles set expires_at = now() + interval '1 year' returning id $$)
) statement (what, write);
select is(
  array[pg_temp.code(public.hold_sessions(tests.hold_request('north', array['12:00']))), pg_temp.code(public.archive_client(tests.id('north aspen')))],
  array['not_found', 'not_found'], 'break-glass calls no operation');
select is(pg_temp.code(public.save_client(jsonb_build_object('client_id', tests.id('north aspen'), 'full_name', 'x'))), 'not_found', 'nor saves a client');
select is(
  public.read_clients(jsonb_build_object('organization_id', tests.id('north'), 'ids', array[tests.id('north aspen')], 'fields', array['full_name'])) #>> '{data,clients,0,full_name}',
  'north aspen', 'break-glass reads who a client is');
select is(pg_temp.code(public.read_clients(jsonb_build_object('organization_id', tests.id('south'), 'ids', array[tests.id('south aspen')]))), 'not_found', 'of no other clinic');
select tests.authenticate_as(tests.id('olga login'));
select is(pg_temp.code(public.read_clients(jsonb_build_object('organization_id', tests.id('north')))), 'not_found', 'and not without a second factor');
select tests.clear_authentication();

select results_eq(
  $$ select kind, reason, round(extract(epoch from expires_at - created_at) / 60)::integer, granted_by = user_id from public.user_roles
    where id = (tests.kept('granted') #>> '{data,grant_id}')::uuid $$,
  $$ values ('break_glass', 'The clinic cannot sign in', 30, true) $$, 'the grant says why, and ends by itself');
select results_eq(
  $$ select kind, actor_id, grant_id from public.access_alerts where organization_id = tests.id('north') $$,
  $$ select 'break_glass', tests.id('olga login'), (tests.kept('granted') #>> '{data,grant_id}')::uuid $$, 'the clinic has an alert, once');
select results_eq(
  $$ select action, decision, code from audit.events where organization_id = tests.id('north') and actor_id in (tests.id('olga login'), tests.id('south admin login'))
      and action in ('rpc.break_glass', 'access.break_glass') order by id $$,
  $$ values ('rpc.break_glass', 'deny', 'validation_failed'), ('rpc.break_glass', 'deny', 'validation_failed'), ('rpc.break_glass', 'deny', 'validation_failed'),
    ('rpc.break_glass', 'deny', 'validation_failed'), ('rpc.break_glass', 'deny', 'validation_failed'), ('rpc.break_glass', 'deny', 'validation_failed'),
    ('rpc.break_glass', 'deny', 'forbidden'), ('rpc.break_glass', 'deny', 'forbidden'), ('rpc.break_glass', 'deny', 'forbidden'), ('access.break_glass', 'allow', null) $$,
  'every attempt and the access itself are on record');
select is_empty($$ select id from audit.events where details::text ~ 'cannot sign in' $$, 'the trail does not hold the reason, which is free text');

-- acting as North's admin
select tests.authenticate_as(tests.id('north admin login'));
select is(
  public.read_texts(jsonb_build_object('organization_id', tests.id('north'), 'table', 'user_roles', 'ids', array[tests.kept('granted') #>> '{data,grant_id}'])) #> '{data,texts}',
  jsonb_build_array(jsonb_build_object('id', tests.kept('granted') #>> '{data,grant_id}', 'text', 'The clinic cannot sign in')),
  'an admin of the clinic reads the reason');
select is(
  public.acknowledge_alert(jsonb_build_object('alert_id', (select id from public.access_alerts), 'reason', 'The door was broken')) #>> '{data,already_acknowledged}',
  'false', 'an admin of the clinic acknowledges the alert');
select isnt_empty(
  $$ update public.user_roles set revoked_at = now() where kind = 'break_glass' returning id $$, 'an admin of the clinic ends it');
select tests.authenticate_as(tests.id('olga login'), 'aal2');
select is(pg_temp.seen(), 0, 'what the clinic ended shows nothing in the next statement');

-- acting as Olga: a second and a third one
select tests.keep('second', public.break_glass(tests.id('north'), 'The clinic cannot sign in', 30));
select tests.keep('third', public.break_glass(tests.id('north'), 'It still cannot sign in', 60));
select is(
  (select array_agg(id::text) from public.user_roles where kind = 'break_glass' and revoked_at is null and user_id = auth.uid()),
  array[tests.kept('third') #>> '{data,grant_id}'], 'another break-glass takes the place of the one before');
select is(pg_temp.seen(), 4, 'and shows the records');
select tests.clear_authentication();
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('olga login'), 'admin');
select tests.authenticate_as(tests.id('olga login'), 'aal2');
select is(
  pg_temp.code(public.acknowledge_alert(jsonb_build_object('reason', 'It was me', 'alert_id', (
    select id from public.access_alerts where grant_id = (tests.kept('third') #>> '{data,grant_id}')::uuid)))),
  'forbidden', 'who broke the glass does not wave it away, made admin or not');
select tests.clear_authentication();
update public.user_roles set revoked_at = clock_timestamp() where user_id = tests.id('olga login') and role = 'admin';
update public.user_roles set expires_at = now() where id = (tests.kept('third') #>> '{data,grant_id}')::uuid;
select tests.authenticate_as(tests.id('olga login'), 'aal2');
select is(pg_temp.seen(), 0, 'break-glass ends by itself');
select ok(public.break_glass(tests.id('north'), 'Once more, for the call') ? 'data', 'and can be asked for again');
select tests.clear_authentication();
update public.user_roles set revoked_at = now() where id = tests.id('olga role');
select tests.authenticate_as(tests.id('olga login'), 'aal2');
select is(pg_temp.seen(), 0, 'who is no super_admin any more sees nothing in the next statement, break-glass or not');
select tests.clear_authentication();
select throws_ok(
  $$ insert into public.user_roles (organization_id, user_id, role, kind, reason, expires_at)
    values (tests.id('south'), tests.id('olga login'), 'super_admin', 'break_glass', 'Longer than allowed', now() + interval '5 hours') $$,
  '23514', null, 'not even the owner makes it longer than four hours');

select * from finish();
rollback;
