-- The audit trail's shape: partitions, types of events, watched rows, and what seals are made of. That tampering is found,
-- a superuser's included, is shown by scripts/audit.test.ts; that no event is missed, by races/audit.test.ts.
begin;
select plan(35);
-- It changes the table's partitions and its check. Who else reads and writes it waits at the door, and not half-way through.
lock table audit.events in access exclusive mode;

-- ---------------------------------------------------------------------------------------------------------
-- Partitions
-- ---------------------------------------------------------------------------------------------------------

create temp view partitions as
select class.oid, class.relname, class.relrowsecurity
from pg_inherits inherits
join pg_class class on class.oid = inherits.inhrelid
where inherits.inhparent = 'audit.events'::regclass;

select is_empty('select relname from partitions where not relrowsecurity', 'every partition has row-level security');
select is_empty(
  $$ select relname from partitions where not exists (
    select from pg_trigger where tgrelid = partitions.oid and tgname = 'append_only' and tgenabled = 'O') $$,
  'every partition has the trigger that keeps it append-only');
select is(
  (select count(*)::integer from partitions where relname ~ '^events_\d{4}_\d\d$'), 14, 'there are partitions from last month to twelve months ahead');
select is(audit.ensure_partitions(), 0, 'making partitions that are there makes none');
select is(audit.ensure_partitions(14), 2, 'the job makes those that are not there yet');
select is_empty('select relname from partitions where not relrowsecurity', 'what the job makes is protected too');
select throws_ok(
  format('update audit.%I set action = action', latest.relname), '42501', null, 'a partition made later is append-only, when named itself')
from (select max(relname) as relname from partitions where relname <> 'events_default') latest;

insert into audit.events (action, occurred_at) values ('hold.created', '2001-02-03'), ('hold.created', now());
select is(
  (select tableoid::regclass::text from audit.events where occurred_at = '2001-02-03'), 'audit.events_default', 'an event of a month without a partition is kept');
select is(
  (select distinct tableoid::regclass::text from audit.events where occurred_at = now()), 'audit.events_' || to_char(now() at time zone 'UTC', 'YYYY_MM'),
  'an event of this month is in its partition');

create function pg_temp.scanned(query text) returns text[] language plpgsql as $$
declare
  line text;
  found text[] := '{}';
begin
  for line in execute 'explain (costs off) ' || query loop
    found := found || (regexp_match(line, ' on (events_\w+)'))[1];
  end loop;
  return array(select distinct name from unnest(found) name where name is not null order by 1);
end
$$;
select is(
  pg_temp.scanned(format($$ select id from audit.events where organization_id = %L and occurred_at >= %L and occurred_at < %L $$,
    gen_random_uuid(), now(), now() + interval '1 second')),
  array['events_' || to_char(now() at time zone 'UTC', 'YYYY_MM')], 'a question about one month reads one partition');

-- ---------------------------------------------------------------------------------------------------------
-- Append-only
-- ---------------------------------------------------------------------------------------------------------

select throws_ok(attempt.statement, '42501', attempt.message, attempt.name)
from (values
  ('update audit.events_default set action = action', 'audit.events_default is append-only', 'the owner does not change an event by naming its partition'),
  ('delete from audit.events_default', 'audit.events_default is append-only', 'nor deletes one'),
  ('update audit.seals set root = root', 'audit.seals is append-only', 'the owner does not change a seal'),
  ('delete from audit.seals', 'audit.seals is append-only', 'nor deletes one')
) attempt (statement, message, name);
select results_eq(
  $$ select tests.truncate_calls('{audit.events_default,audit.seals}') $$,
  $$ values ('audit.events_default audit.refuse_change'), ('audit.seals audit.refuse_change') $$, 'nor truncates a partition, or the seals');
select tests.authenticate_as_service_role();
select throws_ok('select audit.seal()', '42501', 'permission denied for schema audit', 'the service role does not seal');
select tests.clear_authentication();

-- ---------------------------------------------------------------------------------------------------------
-- Types
-- ---------------------------------------------------------------------------------------------------------

select throws_ok(
  $$ insert into audit.events (action) values ('hold.invented') $$, '23514', null, 'an event of an unknown type is not written');
select throws_ok(
  format($$ insert into audit.%I (action, occurred_at) values ('hold.invented', now()) $$, 'events_' || to_char(now() at time zone 'UTC', 'YYYY_MM')),
  '23514', null, 'nor by naming the partition');
select audit.add_event_types('{"hold.invented": "A test''s."}');
select lives_ok($$ insert into audit.events (action) values ('hold.invented') $$, 'a migration that adds a type can write it');
select is_empty($$ select action from audit.events where action not in (select name from audit.event_types) $$, 'every event on record is of a known type');
select is_empty(
  $$ select status from unnest(array['scheduled', 'in_progress', 'completed', 'no_show', 'cancelled']) status
      where not exists (select from audit.event_types where name = app.session_event(status))
    union all
    select status from unnest(array['held', 'confirmed', 'released', 'expired']) status
      where not exists (select from audit.event_types where name = 'hold.' || status) $$,
  'every status of a session and of a hold has its type');
-- Every literal of a function's text that is put on record, and every operation that may be refused.
select is_empty(
  $$ select proc.proname, found[1]
    from pg_proc proc
    cross join lateral regexp_matches(proc.prosrc, '''([a-z_]+\.[a-z_]+)''', 'g') found
    where proc.pronamespace in ('app'::regnamespace, 'audit'::regnamespace) and proc.prosrc ~ 'insert into audit\.events'
      and found[1] not in (select name from audit.event_types)
      and split_part(found[1], '.', 1) not in ('public', 'request') $$,
  'every type that a function of the database writes is known');
select is_empty(
  $$ select found[1] from pg_proc proc
    cross join lateral regexp_matches(proc.prosrc, '(?:run_operation|manage_service_accounts|app\.refusal\(\w+, )\(?''(\w+)''', 'g') found
    where proc.pronamespace in ('public'::regnamespace, 'app'::regnamespace)
      and 'rpc.' || found[1] not in (select name from audit.event_types) $$,
  'every operation can be refused on record');

-- ---------------------------------------------------------------------------------------------------------
-- Watched rows
-- ---------------------------------------------------------------------------------------------------------

select set_eq(
  $$ select class.relname::text
    from pg_class class
    where class.relnamespace = 'public'::regnamespace and class.relkind in ('r', 'p')
      and exists (select from pg_attribute where attrelid = class.oid and attname = 'organization_id' and not attisdropped)
      and not exists (select from pg_trigger where tgrelid = class.oid and tgname = 'watch_row') $$,
  -- On record as what their changes mean: hold.*, session.*, role.*. Claims, groups, teams and charges follow holds and sessions; the
  -- keys are answers kept for a day. What authorizations are drawn on is a ledger of its own.
  array['session_holds', 'sessions', 'session_groups', 'session_teams', 'session_charges', 'calendar_claims', 'user_roles', 'idempotency_keys',
    'authorization_codes', 'authorization_periods', 'authorization_entries'],
  'every other tenant table is watched');
create temp view watched_columns as
select attribute.attrelid, attribute.attname, col_description(attribute.attrelid, attribute.attnum) ~ '^PHI: ' as is_phi,
  attribute.attname = any ((string_to_array(encode(trigger.tgargs, 'escape'), '\000'))[1]::text[]) as is_shown,
  attribute.attname = any ((string_to_array(encode(trigger.tgargs, 'escape'), '\000'))[2]::text[]) as is_withheld
from pg_trigger trigger
join pg_attribute attribute on attribute.attrelid = trigger.tgrelid and attribute.attnum > 0 and not attribute.attisdropped
where trigger.tgname = 'watch_row';
select is_empty('select attrelid::regclass, attname from watched_columns where is_phi and is_shown', 'no watch shows a column of PHI');
select is_empty('select attrelid::regclass, attname from watched_columns where is_phi and not is_withheld', 'every watch tells that a column of PHI changed');
select set_eq(
  $$ select distinct attname::text from watched_columns
    where not is_shown and not is_withheld and attname not in (
      'id', 'organization_id', 'created_at', 'created_by', 'updated_at', 'updated_by', 'status_changed_at', 'status_changed_by', 'version') $$,
  array['last_used_at', 'token_hash', 'prefix', 'reference', 'body', 'wrapped_key',
    'reserved_units', 'scheduled_units', 'used_units', 'overridden_units'], 'but for stamps, a watch leaves out only these columns');

select tests.create_clinic('north');
update public.clients set full_name = 'Somebody Else' where id = tests.id('north birch');
update public.rooms set name = 'blue room' where id = tests.id('north room');
update public.rooms set name = name where id = tests.id('north room');
insert into public.cancellation_rules (organization_id, role, minimum_notice_hours) values (tests.id('north'), 'client', 24);
update public.cancellation_rules set minimum_notice_hours = 48 where organization_id = tests.id('north');
insert into public.active_organizations (user_id, organization_id) values (tests.id('north rosa login'), tests.id('north'));
delete from public.cancellation_rules where organization_id = tests.id('north');
create function pg_temp.changes(of_table text) returns setof jsonb language sql as $$
  select jsonb_build_object('action', action) || details from audit.events
  where organization_id = tests.id('north') and table_name = of_table order by id
$$;
select is(
  (select details from audit.events where row_id = tests.id('north birch') and action = 'row.updated'), '{"withheld": ["full_name"]}',
  'of PHI, only that it changed is on record');
select is(
  array(select pg_temp.changes('rooms') - 'withheld'),
  array['{"action": "row.inserted", "after": {"name": "room"}}', '{"action": "row.updated", "before": {"name": "room"}, "after": {"name": "blue room"}}']::jsonb[],
  'of the rest, what was and what became of it; an update that changes nothing is no event');
select is(
  array(select pg_temp.changes('cancellation_rules')),
  array[
    '{"action": "row.inserted", "after": {"role": "client", "minimum_notice_hours": 24}}',
    '{"action": "row.updated", "before": {"minimum_notice_hours": 24}, "after": {"minimum_notice_hours": 48}}',
    '{"action": "row.deleted", "before": {"role": "client", "minimum_notice_hours": 48}}']::jsonb[],
  'a row''s end is on record with what it was');
select is(
  array(select details from audit.events where organization_id = tests.id('north') and table_name = 'active_organizations'),
  array[jsonb_build_object('key', jsonb_build_object('user_id', tests.id('north rosa login')), 'after', jsonb_build_object('user_id', tests.id('north rosa login')))],
  'a row without an id is named by its key');

-- ---------------------------------------------------------------------------------------------------------
-- Seals
-- ---------------------------------------------------------------------------------------------------------

select is(
  encode(audit.encode_fields('a', null, '', 'é'), 'hex'), '01' || '00000001' || '61' || '00' || '01' || '00000000' || '01' || '00000002' || 'c3a9',
  'fields are written with their lengths, null apart from empty');
-- Leaves 0x00, 0x01, 0x02 of one byte: the tree is ((a b) c), as RFC 6962 has it.
select is(
  audit.merkle_root(sha256('\x0000') || sha256('\x0001') || sha256('\x0002')),
  sha256('\x01'::bytea || sha256('\x01'::bytea || sha256('\x0000') || sha256('\x0001')) || sha256('\x0002')), 'the root is that of RFC 6962');
select is(audit.merkle_root(sha256('\x0000')), sha256('\x0000'), 'the root of one leaf is that leaf');
select audit.seal();
select is_empty(
  $$ select event.id from audit.events event join audit.seals seal on event.id = any (seal.event_ids)
    where event.written_in = pg_current_xact_id() $$,
  'the events of a transaction that still runs are not sealed');

select * from finish();
rollback;
