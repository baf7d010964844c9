-- Whose row it is stays: nobody reassigns a session, an organization or an author. And how a client is archived.
begin;
select plan(58);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
select tests.add_session('rosa session', 'north', '10:00'), tests.add_session('theo session', 'north', '10:00', '{"therapist": "north theo", "client": "north cedar"}');

-- ---------------------------------------------------------------------------------------------------------
-- Nobody reassigns
-- ---------------------------------------------------------------------------------------------------------

-- acting as Rosa, then as the scheduler and the admin: each column that says whose a session is
select throws_ok(
  format('update public.sessions set %I = %L where id = %L', fixed.name, fixed.value, tests.id('rosa session')), '42501', null,
  format('a %s does not change the %s of a session', actor.name, fixed.name))
from (values ('therapist', 'north rosa login'), ('scheduler', 'north scheduler login'), ('admin', 'north admin login')) actor (name, login)
cross join (values
  ('therapist_id', tests.id('north theo')::text), ('organization_id', tests.id('south')::text), ('client_id', tests.id('north aspen')::text),
  ('created_by', tests.id('north theo login')::text), ('start_time', tests.at('11:00')::text), ('claim_id', tests.id('rosa session')::text), ('cancellation_reason', 'x'),
  ('status', 'no_show'), ('actual_start_time', tests.at('11:00')::text), ('actual_end_time', tests.at('12:00')::text), ('corrected_at', tests.at('12:00')::text)
) fixed (name, value)
cross join lateral tests.authenticate_as(tests.id(actor.login));

-- acting as the service role
select tests.authenticate_as_service_role();
select throws_ok(
  format('update public.sessions set %I = %L where id = %L', fixed.name, fixed.value, tests.id('rosa session')), '42501', null,
  format('nor does the secret key change the %s of a session', fixed.name))
from (values ('status', 'no_show'), ('cancelled_by', 'clinic'), ('actual_start_time', tests.at('11:00')::text)) fixed (name, value);
select tests.clear_authentication();

-- acting as North's admin: an organization and an author stay on every table
select tests.authenticate_as(tests.id('north admin login'));
select is_empty(
  $$ select class.relname, attribute.attname from pg_class class
    join pg_attribute attribute on attribute.attrelid = class.oid and attribute.attname in ('id', 'organization_id', 'created_by', 'created_at', 'updated_by', 'granted_by')
    cross join unnest(array['authenticated', 'service_role']) role_name
    where class.relnamespace = 'public'::regnamespace and class.relkind in ('r', 'p') and has_column_privilege(role_name, class.oid, attribute.attnum, 'UPDATE') $$,
  'no API role has a grant to change an id, an organization or an author of any table');

-- ---------------------------------------------------------------------------------------------------------
-- Archiving
-- ---------------------------------------------------------------------------------------------------------

create function pg_temp.archive(client text) returns text language sql as $$
  select coalesce(answer #>> '{problem,code}', answer #>> '{data,status}') from public.archive_client(tests.id(client)) answer
$$;
grant execute on function pg_temp.archive to authenticated;

-- acting as everybody else
select is(pg_temp.archive('north aspen'), refused.code, refused.name)
from (values
  ('north rosa login', 'forbidden', 'a therapist archives no client'),
  ('north scheduler login', 'forbidden', 'a scheduler archives no client'),
  ('south admin login', 'not_found', 'an admin of another clinic archives no client, nor learns that there is one')
) refused (login, code, name)
cross join lateral tests.authenticate_as(tests.id(refused.login));
select tests.clear_authentication();
select is((select status from public.clients where id = tests.id('north aspen')), 'active', 'the client that was not archived is active');

-- acting as North's admin
select tests.authenticate_as(tests.id('north admin login'));
select throws_ok(
  format('update public.clients set %I = %L where id = %L', fixed.name, fixed.value, tests.id('north aspen')), '42501', null, 'an admin does not write ' || fixed.name || ' directly')
from (values ('status', 'archived'), ('deleted_at', now()::text)) fixed (name, value);
select throws_ok($$ delete from public.clients where id = tests.id('north aspen') $$, '42501', null, 'an admin deletes no client');
select is(public.archive_client(refused.client) #> array['problem'] -> 'code', to_jsonb(refused.code), refused.name)
from (values (tests.id('no client'), 'not_found', 'only a client that there is is archived'), (null, 'not_found', 'no client is none')) refused (client, code, name);
select is(public.archive_client(tests.id('north cedar')) #>> '{problem,errors,0,code}', 'still_booked', 'a client with a session to come is not archived');
select tests.clear_authentication();
update public.sessions set status = 'cancelled', cancelled_by = 'clinic' where id = tests.id('theo session');
select tests.add_hold('cedar hold', 'north', '12:00', '{"therapist": "north theo", "client": "north cedar"}');
select tests.authenticate_as(tests.id('north admin login'));
select is(public.archive_client(tests.id('north cedar')) #>> '{problem,errors,0,code}', 'still_booked', 'nor one with a time on hold');
select tests.clear_authentication();
update public.session_holds set expires_at = clock_timestamp() - interval '1 second' where id = tests.id('cedar hold');
select tests.authenticate_as(tests.id('north admin login'));
select tests.clear_authentication();
insert into public.waitlist_entries (id, organization_id, client_id, service_id, duration_minutes, wanted_from, time_zone)
values (tests.id('cedar waits'), tests.id('north'), tests.id('north cedar'), tests.id('north 97153'), 60, current_date, 'America/New_York');
select tests.authenticate_as(tests.id('north admin login'));
select tests.keep('archived', public.archive_client(tests.id('north cedar')));
select is((select status from public.waitlist_entries where id = tests.id('cedar waits')), 'withdrawn', 'who is archived waits for nothing any more');
select is(tests.kept('archived') #>> '{data,status}', 'archived', 'a client with nothing booked is archived; a hold that has expired books nothing');
select is(public.archive_client(tests.id('north cedar')) -> 'data', tests.kept('archived') -> 'data', 'archiving again is no error and changes nothing');
select tests.keep('keyed', public.archive_client(tests.id('north aspen'), 'key-1'));
select is(
  public.archive_client(tests.id('north aspen'), 'key-1'), tests.kept('keyed') || '{"replayed": true}', 'with an idempotency key the first answer is given again');
select is(
  public.archive_client(tests.id('north birch'), 'key-1') #>> '{problem,code}', 'idempotency_key_reused', 'the key of one client archives no other');
select is(
  public.hold_sessions(tests.hold_request('north', array['16:00'], jsonb_build_object('client_id', tests.id('north aspen')))) #>> '{problem,errors,0,code}', 'archived',
  'an archived client is not booked');
select tests.clear_authentication();
select results_eq(
  $$ select status, deleted_at is not null, status_changed_by from public.clients where id = tests.id('north cedar') $$,
  $$ values ('archived', true, tests.id('north admin login')) $$, 'the row says when, and who did it');
select results_eq(
  $$ select action, row_id, actor_id from audit.events where organization_id = tests.id('north') and action = 'client.archived' order by id $$,
  $$ values ('client.archived', tests.id('north cedar'), tests.id('north admin login')), ('client.archived', tests.id('north aspen'), tests.id('north admin login')) $$,
  'archiving is on record, once a client');
select is(
  (select count(*)::integer from audit.events where organization_id = tests.id('north') and action = 'rpc.archive_client' and decision = 'deny' and code = 'forbidden'), 2,
  'so are the attempts of those who may not');
select is_empty('select * from app.ledger_faults()', 'the ledger, the holds and the sessions agree');

select * from finish();
rollback;
