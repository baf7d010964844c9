-- Calendar feeds: who makes one, what it shows, and that it ends with what its owner may.
begin;
select plan(65);

select tests.create_clinic('north'), tests.create_clinic('south');
select tests.create_user('dora login'), tests.create_user('pia login'), tests.create_user('sam login');
insert into public.user_roles (organization_id, user_id, role) values
  (tests.id('north'), tests.id('dora login'), 'client'),
  (tests.id('north'), tests.id('pia login'), 'psychiatrist'),
  (tests.id('north'), tests.id('sam login'), 'supervisor');
insert into public.therapists (id, organization_id, user_id, display_name, credential) values
  (tests.id('north pia'), tests.id('north'), tests.id('pia login'), 'pia', 'MD'),
  (tests.id('north sam'), tests.id('north'), tests.id('sam login'), 'sam', 'BCBA');
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on) values
  (tests.id('north'), tests.id('north birch'), tests.id('dora login'), 'parent', current_date - 30);
insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on) values
  (tests.id('north'), tests.id('north sam'), tests.id('north rosa'), current_date - 30);
select tests.add_session('with birch', 'north', '10:00');
select tests.add_session('with aspen', 'north', '12:00', '{"client": "north aspen"}');
select tests.add_session('of theo', 'north', '10:00', '{"therapist": "north theo", "client": "north cedar"}');
select tests.add_session('cancelled', 'north', '14:00', '{"status": "cancelled", "cancelled_by": "clinic"}');
insert into public.sessions (organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
select tests.id('north'), tests.id('north rosa'), tests.id('north birch'), tests.id('north 97153'), starts, starts + interval '1 hour', 'UTC'
from unnest(array[now() - interval '31 days', now() - interval '29 days', now() + interval '179 days', now() + interval '181 days']) starts;

create function pg_temp.feed(label text, request jsonb) returns text language plpgsql as $$
declare
  -- With a key, which must keep no token.
  answer jsonb := public.create_calendar_feed(request, 'key-76');
begin
  perform tests.keep('feed_' || label, answer);
  return coalesce(answer #>> '{problem,errors,0,field}', answer #>> '{problem,code}', 'made');
end
$$;
create function pg_temp.own(changes jsonb default '{}') returns jsonb language sql as $$
  select jsonb_build_object('organization_id', tests.id('north')) || changes
$$;
create function pg_temp.child(client text default 'north birch') returns jsonb language sql as $$
  select jsonb_build_object('client_id', tests.id(client))
$$;
create function pg_temp.hash(label text) returns bytea language sql as $$
  select sha256(convert_to(tests.kept('feed_' || label) #>> '{data,token}', 'UTF8'))
$$;
create function pg_temp.id(label text) returns uuid language sql as $$
  select (tests.kept('feed_' || label) #>> '{data,feed_id}')::uuid
$$;
-- As the Edge Function asks.
create function pg_temp.ask(label text) returns jsonb language plpgsql as $$
declare
  request jsonb := jsonb_build_object('token_hash', encode(pg_temp.hash(label), 'hex'));
  answer jsonb;
begin
  perform tests.authenticate_as_service_role();
  answer := public.read_calendar(request);
  perform tests.clear_authentication();
  return answer;
end
$$;
create function pg_temp.shown(label text) returns text language sql as $$
  with asked as (select pg_temp.ask(label) as answer)
  select coalesce(answer #>> '{problem,code}', jsonb_array_length(answer #> '{data,events}')::text) from asked
$$;
create function pg_temp.ids(label text) returns uuid[] language sql as $$
  select array(select (event ->> 'id')::uuid from jsonb_array_elements(pg_temp.ask(label) #> '{data,events}') event order by 1)
$$;
create function pg_temp.asked(label text) returns text[] language sql as $$
  select array_agg(concat_ws(' ', decision, code) order by id) from audit.events
  where organization_id = tests.id('north') and action = 'calendar_feed.asked' and row_id = pg_temp.id(label)
$$;
grant execute on all functions in schema pg_temp to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- Who makes one
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north rosa login'));
select is(pg_temp.feed('rosa', pg_temp.own()), 'made', 'a therapist makes a feed of their own schedule');
select is(pg_temp.feed('x', pg_temp.child()), 'forbidden', 'but none of a client whom they treat');
select is(pg_temp.feed('x', jsonb_build_object('organization_id', tests.id('south'))), 'not_found', 'nor of another organization');
select is(pg_temp.feed('x', pg_temp.own('{"expires_at": "2020-01-01T00:00:00Z"}')), 'expires_at', 'none that has ended already');
select is(
  pg_temp.feed('x', pg_temp.own(jsonb_build_object('expires_at', now() + interval '367 days'))), 'expires_at', 'nor one for more than a year');
select is(pg_temp.feed('x', pg_temp.own('{"expires_at": "soon"}')), 'validation_failed', 'nor until what is no time');
select is(
  pg_temp.feed('short', pg_temp.own(jsonb_build_object('expires_at', now() + interval '1 day'))), 'made', 'but one that ends sooner');
select tests.authenticate_as(tests.id('sam login'));
select is(pg_temp.feed('sam', pg_temp.own()), 'made', 'a supervisor makes one');
select tests.authenticate_as(tests.id('dora login'));
select is(pg_temp.feed('dora', pg_temp.child()), 'made', 'a guardian makes a feed of their child');
select is(pg_temp.feed('x', pg_temp.own()), 'forbidden', 'but has no schedule of their own');
select is(pg_temp.feed('x', pg_temp.child('north aspen')), 'not_found', 'and there is no other child to them');
select tests.authenticate_as(tests.id('pia login'));
select is(pg_temp.feed('x', pg_temp.own()), 'forbidden', 'a psychiatrist has no caseload, and so no schedule');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(pg_temp.feed('x', pg_temp.own()), 'forbidden', 'nor has who schedules for others');
select tests.authenticate_as(tests.id('north admin login'));
select is(pg_temp.feed('x', pg_temp.child()), 'forbidden', 'an admin makes none of a client');
select tests.authenticate_as(tests.id('north theo login'));
select is(pg_temp.feed('theo_' || number, pg_temp.own()), 'made', 'a user may have feed ' || number) from generate_series(1, 10) number;
select is(pg_temp.feed('x', pg_temp.own()), 'organization_id', 'but no eleventh');
select tests.clear_authentication();

-- ---------------------------------------------------------------------------------------------------------
-- What it keeps, and what it shows
-- ---------------------------------------------------------------------------------------------------------

select matches(tests.kept('feed_rosa') #>> '{data,token}', '^hfc_[A-Za-z0-9_-]{43}$', 'a token is 32 bytes with a prefix that says what it is');
select is(
  (select token_hash from app.calendar_feeds where id = pg_temp.id('rosa')), pg_temp.hash('rosa'), 'of which only the SHA-256 is kept');
select is(
  (select count(*) from audit.events where organization_id = tests.id('north') and action = 'calendar_feed.created' and client_id is null
    and row_id in (pg_temp.id('rosa'), pg_temp.id('dora'))), 2::bigint, 'that it was made is on record');
select is_empty(
  $$ select event.id from audit.events event
    where event.organization_id = tests.id('north') and (event.details::text like '%hfc\_%' or event.details::text like '%token%') $$,
  'and no event holds a token or its hash');
select is_empty(
  $$ select from public.idempotency_keys where organization_id = tests.id('north') and response::text like '%hfc\_%' $$, 'nor does a kept answer');
select is(pg_temp.shown('rosa'), '5', 'a therapist''s feed has their sessions from 30 days ago to 180 days ahead, the cancelled ones too');
select is(pg_temp.shown('sam'), '0', 'a supervisor''s feed has their own, not those of whom they supervise');
select is(pg_temp.shown('dora'), '4', 'a family''s has those of the child');
select is(
  (select array_agg(distinct key order by key) from jsonb_array_elements(pg_temp.ask('rosa') #> '{data,events}') event, jsonb_object_keys(event) key),
  array['cancelled', 'changed_at', 'end_time', 'id', 'start_time', 'version'], 'it says nothing but when');
select is(
  (select array_agg(event ->> 'id') from jsonb_array_elements(pg_temp.ask('rosa') #> '{data,events}') event where (event ->> 'cancelled')::boolean),
  array[tests.id('cancelled')::text], 'a cancelled session is marked as such');
select is(pg_temp.asked('rosa'), array['allow'], 'that it was asked for is on record once an hour, however often it is');
update app.calendar_feeds set last_used_at = last_used_at - interval '1 hour' where id = pg_temp.id('rosa');
select is(pg_temp.shown('rosa'), '5', 'an hour later it is asked for again');
select is(pg_temp.asked('rosa'), array['allow', 'allow'], 'and that is on record');
update public.organizations set calls_per_minute = 1 where id = tests.id('north');
select is(pg_temp.shown('short') || ' ' || pg_temp.shown('short') || ' ' || pg_temp.shown('short'), '5 rate_limited rate_limited', 'an app that asks too often is told to wait');
select is(pg_temp.asked('short'), array['allow', 'deny rate_limited'], 'which is on record, once');
update public.organizations set calls_per_minute = 300 where id = tests.id('north');
select is(
  array(select public.read_calendar(request) #>> '{problem,code}' from unnest(array['{}', '{"token_hash": "00"}', '{"token_hash": ["a"]}', '[]', 'null']::jsonb[]) request),
  array_fill('not_found'::text, array[5]), 'whatever else is asked for is not there');

-- The policies are asked at the same moment as the feed.
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('rosa_reads', (
  select jsonb_agg(id order by id) from public.sessions
  where therapist_id = tests.id('north rosa') and start_time between now() - interval '30 days' and now() + interval '180 days'));
select tests.authenticate_as(tests.id('dora login'));
select tests.keep('dora_reads', (
  select jsonb_agg(session_id order by session_id) from public.family_sessions
  where client_id = tests.id('north birch') and start_time between now() - interval '30 days' and now() + interval '180 days'));
select tests.clear_authentication();
select is(to_jsonb(pg_temp.ids('rosa')), tests.kept('rosa_reads'), 'a therapist''s feed has what they read of themselves');
select is(to_jsonb(pg_temp.ids('dora')), tests.kept('dora_reads'), 'a family''s what they read of the child');

-- ---------------------------------------------------------------------------------------------------------
-- What ends it
-- ---------------------------------------------------------------------------------------------------------

update auth.users set banned_until = now() + interval '1 day' where id = tests.id('north rosa login');
select is(pg_temp.shown('rosa'), 'not_found', 'while its owner is banned there is no feed');
update auth.users set banned_until = null, deleted_at = now() where id = tests.id('north rosa login');
select is(pg_temp.shown('rosa'), 'not_found', 'nor when the login was deleted');
update auth.users set deleted_at = null where id = tests.id('north rosa login');
update public.therapists set status = 'inactive' where id = tests.id('north rosa');
select is(pg_temp.shown('rosa'), 'not_found', 'an inactive therapist has none');
update public.therapists set status = 'active', user_id = null where id = tests.id('north rosa');
select is(pg_temp.shown('rosa'), 'not_found', 'nor who is that therapist no more');
update public.therapists set user_id = tests.id('north rosa login') where id = tests.id('north rosa');
update public.organizations set requires_mfa = true where id = tests.id('north');
select is(pg_temp.shown('rosa') || ' ' || pg_temp.shown('dora'), 'not_found not_found', 'where a second factor is demanded, a feed that was made without one is none');
select tests.authenticate_as(tests.id('north rosa login'), 'aal2');
select is(pg_temp.feed('second', pg_temp.own()), 'made', 'one can be made with one');
select is(pg_temp.shown('second'), '5', 'and that counts');
update public.organizations set requires_mfa = false where id = tests.id('north');
update app.calendar_feeds set created_at = now() - interval '2 days', expires_at = now() where id = pg_temp.id('short');
select is(pg_temp.shown('short'), 'not_found', 'one that has expired does not');
select throws_ok(
  $$ update app.calendar_feeds set expires_at = created_at + interval '367 days' where id = pg_temp.id('short') $$, '23514', null,
  'and none is for more than a year, whoever writes it');
update public.user_roles set expires_at = now() where id = tests.id('north rosa role');
select is(pg_temp.shown('rosa'), 'not_found', 'with the role a feed ends');
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on) values
  (tests.id('north'), tests.id('north birch'), tests.id('pia login'), 'parent', current_date - 30);
update public.client_guardians set ends_on = current_date - 2 where user_id = tests.id('dora login');
select is(pg_temp.shown('dora'), 'not_found', 'with the guardianship the family''s, whoever else stands for the child');
update public.client_guardians set ends_on = null where user_id = tests.id('dora login');
select is(pg_temp.shown('dora'), '4', 'which the guardianship alone had ended');
update public.user_roles set revoked_at = now() where user_id = tests.id('dora login');
update app.calendar_feeds set last_used_at = last_used_at - interval '1 day' where id = pg_temp.id('dora');
select is(pg_temp.shown('dora') || ' ' || pg_temp.shown('dora'), 'not_found not_found', 'as does the role');
select is((pg_temp.asked('dora'))[2:], array['deny not_found'], 'a feed that is refused is on record as denied, once a day');

create function pg_temp.listed(login text) returns text[] language plpgsql as $$
declare
  answer jsonb;
begin
  perform tests.authenticate_as(tests.id(login));
  answer := public.read_calendar_feeds(pg_temp.own());
  perform tests.clear_authentication();
  return array(select distinct feed ->> 'user_id' from jsonb_array_elements(answer #> '{data,feeds}') feed order by 1);
end
$$;
select is(pg_temp.listed('north theo login'), array[tests.id('north theo login')::text], 'a therapist finds their own feeds, and no colleague''s');
select is(pg_temp.listed('pia login'), '{}', 'and who has none finds none');
select is(
  pg_temp.listed('north admin login'), array(select distinct user_id::text from app.calendar_feeds where organization_id = tests.id('north') order by 1),
  'an admin finds everybody''s of the clinic');
select is(public.read_calendar_feeds(jsonb_build_object('organization_id', tests.id('north'), 'therapist_id', tests.id('south rosa'))) #>> '{problem,code}',
  'unauthenticated', 'nobody finds any without a login');

select tests.authenticate_as(tests.id('north theo login'));
select is(
  public.revoke_calendar_feed(jsonb_build_object('feed_id', pg_temp.id('sam'))) #>> '{problem,code}', 'not_found',
  'to a colleague there is no such feed');
select tests.authenticate_as(tests.id('north admin login'));
select ok(
  public.revoke_calendar_feed(jsonb_build_object('feed_id', pg_temp.id('sam'))) #> '{data}' ? 'revoked_at', 'an admin ends anybody''s');
select is(pg_temp.shown('sam'), 'not_found', 'and it has ended');
select is(
  (select count(*) from audit.events where organization_id = tests.id('north') and action = 'calendar_feed.revoked' and row_id = pg_temp.id('sam')
    and actor_id = tests.id('north admin login')), 1::bigint, 'by whom is on record');

select * from finish();
rollback;
