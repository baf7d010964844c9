-- Seals: what makes a change to the audit trail show, a superuser's included.
--
-- Promises
--   * Every event is sealed once, in a batch with a Merkle root (RFC 6962), and each seal has the hash of the one before it.
--     Whoever has kept the hash of a seal (`npm run audit -- head`) can prove everything up to it.
--   * A seal keeps each event's id and leaf hash, 40 bytes an event, so that the very row that was altered, taken out or
--     put in can be named.
--   * Sealing happens afterwards and takes no lock that a writer of events waits for.
--
-- What is sealed when. Ids come from a sequence, so an event may commit after others with larger ids: a seal of "all ids up to
-- n" would miss it. Each event therefore says the transaction that wrote it (written_in), and a seal takes events of transactions
-- below the oldest one that still runs (pg_snapshot_xmin): all of those have ended, so no event of theirs can appear any
-- more, and the set is final. In order of (written_in, id), where one seal ends the next begins. A transaction that stays open
-- holds up the sealing of what was written since it began, and nothing else.
--
-- Transaction ids go on through backups, point-in-time recovery and pg_upgrade, but begin anew where a dump is loaded into
-- another cluster. There audit.continue_trail begins an era: from then on what it adds to them makes them greater than all before.

create table audit.seals (
  number bigint primary key,
  format smallint not null default 1,
  event_count integer not null,
  event_ids bigint[] not null,
  leaf_hashes bytea not null,
  last_written_in xid8 not null,
  last_event_id bigint not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  root bytea not null,
  previous_hash bytea not null,
  hash bytea not null,
  sealed_at timestamptz not null,
  constraint seals_number_positive check (number > 0),
  constraint seals_event_count_positive check (event_count > 0),
  constraint seals_members_counted check (cardinality(event_ids) = event_count and length(leaf_hashes) = 32 * event_count)
);
comment on table audit.seals is
  'Sealed batches of audit.events, in order of (written_in, id); each ends with (last_written_in, last_event_id). leaf_hashes '
  'are 32 bytes an event, in the order of event_ids. Recomputed by scripts/audit, which does not use the functions here.';
-- Hashes do not compress.
alter table audit.seals alter column leaf_hashes set storage external;
alter table audit.seals enable row level security;
create trigger append_only before update or delete or truncate on audit.seals
  for each statement execute function audit.refuse_change();

create function audit.encode_fields(variadic fields text[])
returns bytea
language sql
stable
set search_path = ''
as $$
  select pg_catalog.string_agg(
    coalesce(
      '\x01'::bytea || pg_catalog.int4send(pg_catalog.octet_length(pg_catalog.convert_to(field, 'UTF8')))
        || pg_catalog.convert_to(field, 'UTF8'),
      '\x00'),
    '' order by place)
  from pg_catalog.unnest(fields) with ordinality given (field, place)
$$;
comment on function audit.encode_fields is
  'Fields as bytes, one after the other: 0x00 for null, else 0x01, the length of the UTF-8 text as four bytes (big-endian) and '
  'the text. No two lists of fields have the same bytes.';

create function audit.microseconds(moment timestamptz)
returns text
language sql
immutable
set search_path = ''
as $$
  select (extract(epoch from moment) * 1000000)::bigint::text
$$;
comment on function audit.microseconds is 'Microseconds since 1970 UTC, in decimal: a moment as seals write it.';

create function audit.leaf_hash(event audit.events)
returns bytea
language plpgsql
stable
set search_path = ''
as $$
begin
  return sha256('\x00'::bytea || audit.encode_fields(
    event.id::text, audit.microseconds(event.occurred_at), event.organization_id::text, event.actor_id::text, event.action,
    event.decision, event.code, event.table_name, event.row_id::text, event.request_id, event.details::text,
    event.client_id::text, event.ip::text, event.user_agent, event.written_in::text));
end
$$;
comment on function audit.leaf_hash is 'The hash of a whole event: sha256 of 0x00 and its fields in the order of the table.';

create function audit.merkle_root(leaf_hashes bytea)
returns bytea
language plpgsql
immutable
set search_path = ''
as $$
declare
  level bytea := leaf_hashes;
begin
  -- Pairs, level by level; one without a partner goes up as it is. That is the tree of RFC 6962, section 2.1.
  while length(level) > 32 loop
    level := (
      select string_agg(case length(node.pair) when 64 then sha256('\x01'::bytea || node.pair) else node.pair end, '' order by place)
      from generate_series(0, (length(level) - 1) / 64) place
      cross join lateral (select substring(level from 64 * place + 1 for 64)) node (pair));
  end loop;
  return level;
end
$$;
comment on function audit.merkle_root is 'The Merkle root (RFC 6962, sha256) over leaf hashes of 32 bytes each, one after the other.';

create function audit.seal_hash(seal audit.seals)
returns bytea
language plpgsql
stable
set search_path = ''
as $$
begin
  return sha256('\x02'::bytea || audit.encode_fields(
    seal.number::text, seal.format::text, seal.event_count::text, array_to_string(seal.event_ids, ','),
    seal.last_written_in::text, seal.last_event_id::text, audit.microseconds(seal.first_at), audit.microseconds(seal.last_at),
    encode(seal.root, 'hex'), encode(seal.previous_hash, 'hex'), audit.microseconds(seal.sealed_at)));
end
$$;
comment on function audit.seal_hash is
  'The hash of a seal: sha256 of 0x02 and its fields in the order of the table, without the leaf hashes, which the root is of.';

-- ---------------------------------------------------------------------------------------------------------
-- Eras
-- ---------------------------------------------------------------------------------------------------------

create table audit.eras (
  number integer primary key,
  added bigint not null,
  began_at timestamptz not null default clock_timestamp(),
  constraint eras_number_positive check (number > 0),
  constraint eras_added_positive check (added > 0)
);
comment on table audit.eras is
  'Where the trail went on in another cluster: what is added to its transaction ids in written_in. The first cluster has no row.';
alter table audit.eras enable row level security;
create trigger append_only before update or delete or truncate on audit.eras
  for each statement execute function audit.refuse_change();

create function audit.continue_trail()
returns bigint
language plpgsql
set search_path = ''
as $$
declare
  last_number bigint;
begin
  -- Nobody writes an event between the greatest number that there is and the first of the new era.
  lock table audit.events in access exclusive mode;
  last_number := greatest(
    (select max(event.written_in::text::bigint) from audit.events event),
    (select max(seal.last_written_in::text::bigint) from audit.seals seal), 1);
  insert into audit.eras (number, added)
  select coalesce(max(era.number), 0) + 1, last_number from audit.eras era;
  execute format(
    'alter table audit.events alter column written_in set default ((pg_current_xact_id()::text::bigint + %s)::text::xid8)', last_number);
  insert into audit.events (action, details) values ('trail.continued', jsonb_build_object('added', last_number));
  return last_number;
end
$$;
comment on function audit.continue_trail is
  'Once a dump is loaded into another cluster, before anybody writes: lets the trail go on there. Returns what is added to '
  'transaction ids.';

create function audit.seal(at_most integer default 100, batch_size integer default 4096)
returns integer
language plpgsql
set search_path = ''
-- Along the index from where the last seal ends, whatever the statistics say.
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
  seal audit.seals;
  finished_below xid8;
  made integer := 0;
begin
  -- One sealer at a time; another one is sealing what there is.
  if not pg_try_advisory_xact_lock(hashtextextended('audit.seal', 0)) then
    return 0;
  end if;
  select it.number, it.last_written_in, it.last_event_id, it.hash
  into seal.number, seal.last_written_in, seal.last_event_id, seal.hash
  from audit.seals it
  order by it.number desc
  limit 1;
  if not found then
    seal.number := 0;
    seal.last_written_in := '0';
    seal.last_event_id := 0;
    seal.hash := decode(repeat('00', 32), 'hex');
  end if;
  seal.format := 1;

  finished_below := (
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint + coalesce((select max(era.added) from audit.eras era), 0))::text::xid8;
  if seal.last_written_in >= finished_below then
    raise exception using errcode = '55000',
      message = 'the database counts transactions from a lower number than when it sealed last',
      hint = 'A dump that is loaded into another cluster does this: npm run audit -- continue (docs/audit.md).';
  end if;

  while made < at_most loop
    select
      count(*), array_agg(batch.id order by batch.written_in, batch.id),
      string_agg(batch.leaf_hash, '' order by batch.written_in, batch.id),
      (array_agg(batch.written_in order by batch.written_in desc))[1], min(batch.occurred_at), max(batch.occurred_at)
    into seal.event_count, seal.event_ids, seal.leaf_hashes, seal.last_written_in, seal.first_at, seal.last_at
    from (
      select event.id, event.written_in, event.occurred_at, audit.leaf_hash(event) as leaf_hash
      from audit.events event
      where (event.written_in, event.id) > (seal.last_written_in, seal.last_event_id) and event.written_in < finished_below
      order by event.written_in, event.id
      limit batch_size
    ) batch;
    exit when seal.event_count = 0;
    seal.number := seal.number + 1;
    seal.last_event_id := seal.event_ids[seal.event_count];
    seal.root := audit.merkle_root(seal.leaf_hashes);
    seal.previous_hash := seal.hash;
    seal.sealed_at := clock_timestamp();
    seal.hash := audit.seal_hash(seal);
    insert into audit.seals select seal.*;
    made := made + 1;
  end loop;
  return made;
end
$$;
comment on function audit.seal is
  'Seals what is finished and not sealed yet, at most so many batches; for a job to call every minute. Returns how many seals it '
  'made; none while another sealer is at work.';
