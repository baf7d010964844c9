-- Broadcasts: what is told of calendars, on which topics, and who hears it.
begin;
select plan(52);

select tests.create_clinic('north'), tests.create_clinic('south');
select tests.create_user(person || ' login') from unnest(array['gail', 'sue', 'pat', 'paula', 'root']) person;
insert into public.user_roles (id, organization_id, user_id, role) values
  (tests.id('gail role'), tests.id('north'), tests.id('gail login'), 'client'),
  (tests.id('sue role'), tests.id('north'), tests.id('sue login'), 'supervisor'),
  (tests.id('pat role'), tests.id('north'), tests.id('pat login'), 'psychiatrist'),
  (tests.id('paula role'), tests.id('north'), tests.id('paula login'), 'partner_provider'),
  (tests.id('root role'), null, tests.id('root login'), 'super_admin');
insert into public.therapists (id, organization_id, user_id, display_name, credential) values
  (tests.id('north sue'), tests.id('north'), tests.id('sue login'), 'sue', 'BCBA'),
  (tests.id('north pat'), tests.id('north'), tests.id('pat login'), 'pat', 'MD');
insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on)
values (tests.id('north'), tests.id('north sue'), tests.id('north theo'), current_date - 30);
insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
values (tests.id('north'), tests.id('north pat'), tests.id('north cedar'), 'psychiatrist', current_date - 30);
insert into public.client_guardians (id, organization_id, client_id, user_id, relationship, starts_on) values
  (tests.id('gail of birch'), tests.id('north'), tests.id('north birch'), tests.id('gail login'), 'parent', current_date - 30);

-- ---------------------------------------------------------------------------------------------------------
-- What is told
-- ---------------------------------------------------------------------------------------------------------

create function pg_temp.labels() returns text[] language sql as $$
  select array['north', 'north rosa', 'north theo', 'north aspen', 'north birch', 'a session', 'of aspen', 'of birch', 'a hold',
    'another hold', 'an offer', 'north time off', 'north holiday', 'north sue', 'north pat']
$$;
create function pg_temp.label(id text) returns text language sql as $$
  select coalesce((select label from unnest(pg_temp.labels()) label where tests.id(label)::text = id), id)
$$;
-- The messages that a statement makes, as "to whom: what of which rows [in whose calendars], from hour to hour".
create function pg_temp.told(statement text) returns setof text language plpgsql as $$
declare
  before uuid[] := array(select id from realtime.messages);
begin
  execute statement;
  return query
    select format('%s: %s of %s%s, %s-%s', pg_temp.label(split_part(topic, ':', 2)), event,
      (select string_agg(pg_temp.label(one), ', ' order by pg_temp.label(one)) from jsonb_array_elements_text(payload -> 'ids') one),
      ' in ' || (select string_agg(pg_temp.label(one), ', ' order by pg_temp.label(one))
        from jsonb_array_elements_text(payload -> 'therapist_ids') one),
      to_char((payload ->> 'start_time')::timestamptz at time zone 'America/New_York', 'HH24'),
      to_char((payload ->> 'end_time')::timestamptz at time zone 'America/New_York', 'HH24'))
    from realtime.messages
    where id <> all (before) and private and extension = 'broadcast'
      and split_part(topic, ':', 2) in (select tests.id(label)::text from unnest(pg_temp.labels()) label);
end
$$;

select set_eq(
  $$ select pg_temp.told($q$ select tests.add_hold('a hold', 'north', '10:00') $q$) $$,
  array['north: hold.created of a hold in north rosa, 10-11', 'north rosa: hold.created of a hold, 10-11'],
  'a hold is told to the organization and the therapist, not to the family');
select set_eq(
  $$ select pg_temp.told($q$ update public.session_holds set status = 'released' where id = tests.id('a hold') $q$) $$,
  array['north: hold.released of a hold in north rosa, 10-11', 'north rosa: hold.released of a hold, 10-11'],
  'and so is its end');
select is_empty(
  $$ select pg_temp.told($q$ update public.session_holds set status = status where id = tests.id('a hold') $q$) $$,
  'what has ended is not told again');
select is_empty(
  $$ select pg_temp.told($q$ update public.session_holds set status = 'held' where false $q$) $$,
  'a statement that changes nothing tells nothing');
select set_eq(
  $$ select pg_temp.told($q$ select tests.add_session('a session', 'north', '12:00') $q$) $$,
  array['north: session.scheduled of a session in north rosa, 12-13', 'north rosa: session.scheduled of a session, 12-13',
    'north birch: session.scheduled of a session, 12-13'],
  'a session is told to the family too, without whose calendar it is in');
select set_eq(
  $$ select pg_temp.told($q$ update public.sessions set therapist_id = tests.id('north theo'), start_time = tests.at('15:00'),
    end_time = tests.at('16:00') where id = tests.id('a session') $q$) $$,
  array['north: session.moved of a session in north rosa, north theo, 12-16', 'north rosa: session.moved of a session, 12-13',
    'north theo: session.moved of a session, 15-16', 'north birch: session.moved of a session, 12-16'],
  'who loses a session hears where it was, who gets it where it is, and everybody else both');
select is_empty(
  $$ select pg_temp.told($q$ update public.sessions set place_of_service = '12' where id = tests.id('a session') $q$) $$,
  'what no calendar shows is not told');
select set_eq(
  $$ select split_part(told, ': ', 2) from pg_temp.told($q$ update public.sessions set status = 'cancelled', cancelled_by = 'client',
    cancellation_reason = 'a fever' where id = tests.id('a session') $q$) told $$,
  array['session.cancelled of a session in north theo, 15-16', 'session.cancelled of a session, 15-16'],
  'a cancellation is told');
select is_empty(
  $$ select payload from realtime.messages where payload::text ~ 'fever'
    or exists (select from jsonb_object_keys(payload) key where key not in ('object', 'ids', 'therapist_ids', 'start_time', 'end_time')) $$,
  'a message has ids and times, and nothing else');
select tests.add_session('a session', 'north', '12:00');
select set_eq(
  $$ select distinct split_part(split_part(told, ': ', 2), ' ', 1) from pg_temp.told(format(
    'update public.sessions set status = %L, actual_start_time = start_time where id = tests.id(%L)', 'in_progress', 'a session')) told $$,
  array['session.started'], 'so is that it began');
select set_eq(
  $$ select distinct split_part(split_part(told, ': ', 2), ' ', 1) from pg_temp.told(format(
    'update public.sessions set status = %L, actual_end_time = end_time where id = tests.id(%L)', 'completed', 'a session')) told $$,
  array['session.completed'], 'and that it is over');
select set_eq(
  $$ select distinct split_part(split_part(told, ': ', 2), ' ', 1) from pg_temp.told(format(
    'update public.sessions set status = %L, actual_start_time = null, actual_end_time = null, corrected_at = now() where id = tests.id(%L)',
    'no_show', 'a session')) told $$,
  array['session.corrected'], 'and that it was not as it was marked');

select tests.add_group('a group', 'north', '17:00');
select set_eq(
  $$ select pg_temp.told($q$
    select tests.add_session('of aspen', 'north', '17:00', '{"client": "north aspen", "group": "a group", "service": "north 97154"}'),
      tests.add_session('of birch', 'north', '17:00', '{"group": "a group", "service": "north 97154"}') $q$) $$,
  array['north: session.scheduled of of aspen in north rosa, 17-18', 'north rosa: session.scheduled of of aspen, 17-18',
    'north aspen: session.scheduled of of aspen, 17-18',
    'north: session.scheduled of of birch in north rosa, 17-18', 'north rosa: session.scheduled of of birch, 17-18',
    'north birch: session.scheduled of of birch, 17-18'],
  'a family hears of its own place in a group');
select set_eq(
  $$ select pg_temp.told($q$ update public.session_groups set start_time = tests.at('18:00'), end_time = tests.at('19:00')
    where id = tests.id('a group') $q$) $$,
  array['north: session.moved of of aspen, of birch in north rosa, 17-19', 'north rosa: session.moved of of aspen, of birch, 17-19',
    'north aspen: session.moved of of aspen, 17-19', 'north birch: session.moved of of birch, 17-19'],
  'one statement is one message a topic, and each family''s has its own id only');

select set_eq(
  $$ select pg_temp.told($q$ select tests.fill_schedule('north') $q$) $$,
  array['north: time_off.entered of north time off in north rosa, 00-00', 'north rosa: time_off.entered of north time off, 00-00',
    'north: holiday.entered of north holiday in north pat, north rosa, north sue, north theo, 00-00',
    'north rosa: holiday.entered of north holiday, 00-00', 'north theo: holiday.entered of north holiday, 00-00',
    'north sue: holiday.entered of north holiday, 00-00', 'north pat: holiday.entered of north holiday, 00-00'],
  'time off is told to the therapist, a holiday to every one');
select set_eq(
  $$ select pg_temp.told($q$ update public.availability_exceptions set status = 'cancelled' where id = tests.id('north time off') $q$) $$,
  array['north: time_off.cancelled of north time off in north rosa, 00-00', 'north rosa: time_off.cancelled of north time off, 00-00'],
  'and that it is cancelled');

create function pg_temp.offer() returns void language sql as $$
  insert into public.session_holds (id, organization_id, batch_key, therapist_id, client_id, service_id, start_time, end_time,
    time_zone, expires_at, waitlist_entry_id)
  values (tests.id('an offer'), tests.id('north'), tests.id('an offer'), tests.id('north rosa'), tests.id('north birch'),
    tests.id('north 97153'), tests.at('20:00'), tests.at('21:00'), 'America/New_York', clock_timestamp() + interval '1 hour',
    tests.id('north entry'))
$$;
select set_eq(
  $$ select pg_temp.told('select pg_temp.offer()') $$,
  array['north: waitlist.offered of an offer in north rosa, 20-21', 'north rosa: waitlist.offered of an offer, 20-21',
    'north birch: waitlist.offered of an offer, 20-21'],
  'an offer is told to the family that waits');
select set_eq(
  $$ select pg_temp.told($q$ update public.session_holds set status = 'expired' where id = tests.id('an offer') $q$) $$,
  array['north: hold.expired of an offer in north rosa, 20-21', 'north rosa: hold.expired of an offer, 20-21',
    'north birch: hold.expired of an offer, 20-21'],
  'and that it has run out');

-- What a booking makes of it, from the request on.
select tests.add_hold('another hold', 'north', '22:00');
select set_eq(
  $$ select pg_temp.told($q$ insert into public.sessions (id, organization_id, therapist_id, client_id, service_id, start_time, end_time,
      time_zone, claim_id)
    select id, organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, id
    from public.session_holds where id = tests.id('another hold') $q$) $$,
  array['north: session.scheduled of another hold in north rosa, 22-23', 'north rosa: session.scheduled of another hold, 22-23',
    'north birch: session.scheduled of another hold, 22-23'],
  'a hold that is confirmed is told of once, by its session');

-- Nothing of it may fail a booking.
create function pg_temp.told_without(name text) returns setof text language plpgsql as $$
begin
  begin
    execute 'alter table realtime.messages add constraint no_more check (event is null) not valid';
    perform set_config('client_min_messages', 'error', true);
    return query select pg_temp.told(format('select tests.add_hold(%L, %L, %L)', name, 'north', '08:00'));
    return query select 'held' from public.session_holds where id = tests.id(name);
    raise exception using errcode = 'UNDO0';
  exception when sqlstate 'UNDO0' then null;
  end;
end
$$;
select results_eq(
  $$ select pg_temp.told_without('a hold nobody hears of') $$, array['held'],
  'what cannot be told is booked all the same');

-- ---------------------------------------------------------------------------------------------------------
-- Who hears
-- ---------------------------------------------------------------------------------------------------------

create function pg_temp.topics() returns table (topic text, label text) language sql as $$
  select kind || ':' || tests.id(of_whom), of_whom
  from (values
    ('organization', 'north'), ('organization', 'south'), ('therapist', 'north rosa'), ('therapist', 'north theo'), ('therapist', 'south rosa'),
    ('client', 'north aspen'), ('client', 'north birch'), ('client', 'north cedar'), ('client', 'south birch')
  ) it (kind, of_whom)
$$;
-- Which of the topics somebody may join, asked as Realtime asks: a message is written, looked for and taken back.
create function pg_temp.hears(login text, as_role text default 'authenticated', aal text default 'aal1', on_extension text default 'broadcast',
  claims jsonb default '{}')
returns text[] language plpgsql as $$
declare
  asked record;
  heard text[] := '{}';
  seen boolean;
begin
  for asked in select it.topic, it.label from pg_temp.topics() it loop
    begin
      insert into realtime.messages (id, topic, extension, private) values (tests.id('probe'), asked.topic, on_extension, true);
      perform set_config('realtime.topic', asked.topic, true);
      if login is null then
        perform tests.act_as(as_role, jsonb_build_object('role', as_role));
      else
        perform tests.authenticate_as(tests.id(login), aal, claims);
      end if;
      seen := exists (select from realtime.messages where id = tests.id('probe'));
      raise exception using errcode = 'UNDO0';
    exception when sqlstate 'UNDO0' then null;
    end;
    if seen then heard := heard || asked.label; end if;
  end loop;
  return heard;
end
$$;
grant execute on function pg_temp.hears to authenticated;

select is(pg_temp.hears(who.login), who.hears, who.login || ' hears ' || who.why)
from (values
  ('north admin login', '{north,north rosa,north theo,north aspen,north birch,north cedar}'::text[], 'every calendar of the clinic'),
  ('north scheduler login', '{north,north rosa,north theo,north aspen,north birch,north cedar}', 'every calendar of the clinic'),
  ('north rosa login', '{north rosa}', 'their own, and no client''s, whose sessions with others they do not see'),
  ('sue login', '{north theo}', 'those they supervise'),
  ('pat login', '{}', 'no client whom they review, whose offers they do not see'),
  ('gail login', '{north birch}', 'their own child'),
  ('paula login', '{}', 'nothing'),
  ('root login', '{}', 'nothing without breaking the glass'),
  ('south admin login', '{south,south rosa,south birch}', 'nothing of another clinic')
) who (login, hears, why);
select is(pg_temp.hears('north admin login', on_extension => 'presence'), '{}', 'nobody hears who else is there');
select is(pg_temp.hears(null, 'anon'), '{}', 'who is not signed in hears nothing');

-- Who hears of a row may read it. (Rosa heard of the session that is Theo's by now.)
insert into public.waitlist_entries (id, organization_id, client_id, service_id, duration_minutes, wanted_from, time_zone)
select tests.id('entry of cedar'), organization_id, tests.id('north cedar'), service_id, duration_minutes, wanted_from, time_zone
from public.waitlist_entries where id = tests.id('north entry');
insert into public.session_holds (id, organization_id, batch_key, therapist_id, client_id, service_id, start_time, end_time,
  time_zone, expires_at, waitlist_entry_id)
values (tests.id('offer to cedar'), tests.id('north'), tests.id('offer to cedar'), tests.id('north theo'), tests.id('north cedar'),
  tests.id('north 97153'), tests.at('21:00'), tests.at('22:00'), 'America/New_York', clock_timestamp() + interval '1 hour',
  tests.id('entry of cedar'));
create function pg_temp.heard_of(login text) returns table (object text, id uuid) language sql as $$
  select distinct message.payload ->> 'object', named.id::uuid
  from realtime.messages message
  cross join lateral jsonb_array_elements_text(message.payload -> 'ids') named (id)
  where split_part(message.topic, ':', 2) in (select tests.id(label)::text from unnest(pg_temp.hears(login)) label)
$$;
create function pg_temp.readable(login text) returns setof uuid language plpgsql as $$
declare
  found uuid[];
begin
  perform tests.authenticate_as(tests.id(login));
  found := array(
    select id from public.sessions
    union all select session_id from public.family_sessions
    union all select id from public.session_holds
    union all select id from public.availability_exceptions);
  perform tests.clear_authentication();
  return query select unnest(found);
end
$$;
select is_empty(
  format('select object, id from pg_temp.heard_of(%L) where id not in (select pg_temp.readable(%1$L))', login),
  login || ' may read every row that they hear of')
from unnest(array['north theo login', 'sue login', 'gail login', 'pat login', 'north scheduler login']) login;

create function pg_temp.hears_after(statement text, login text, aal text default 'aal1', claims jsonb default '{}') returns text[] language plpgsql as $$
declare heard text[];
begin
  begin
    perform tests.session_of(tests.id(login));
    execute statement;
    heard := pg_temp.hears(login, aal => aal, claims => claims);
    raise exception using errcode = 'UNDO0';
  exception when sqlstate 'UNDO0' then null;
  end;
  return heard;
end
$$;
select is(pg_temp.hears_after(ended.statement, ended.login, ended.aal, ended.claims), ended.hears, ended.name)
from (values
  ($$ update public.user_roles set revoked_at = now() where id = tests.id('north scheduler role') $$, 'north scheduler login', 'aal1', '{}'::jsonb,
    '{}'::text[], 'a role that was revoked hears nothing'),
  ($$ update public.client_guardians set ends_on = current_date - 2 where id = tests.id('gail of birch') $$, 'gail login', 'aal1', '{}', '{}',
    'nor does a family whose time is over'),
  ($$ update auth.sessions set created_at = now() - interval '13 hours' where user_id = tests.id('north admin login') $$, 'north admin login', 'aal1', '{}', '{}',
    'nor a session that is too old'),
  ($$ update public.organizations set requires_mfa = true where id = tests.id('north') $$, 'north admin login', 'aal1', '{}', '{}',
    'a clinic that demands a second factor is not heard without it'),
  ($$ update public.organizations set requires_mfa = true where id = tests.id('north') $$, 'gail login', 'aal1', '{}', '{}', 'by families neither'),
  ($$ update public.organizations set requires_mfa = true where id = tests.id('north') $$, 'north rosa login', 'aal2', '{}', '{north rosa}', 'and is with it'),
  ('select', 'north admin login', 'aal1', jsonb_build_object('org_id', tests.id('south')), '{}', 'the active organization narrows what is heard')
) ended (statement, login, aal, claims, hears, name);

create function pg_temp.audible(asked text) returns text language plpgsql as $$
begin
  perform set_config('realtime.topic', asked, true);
  return app.audible_topic();
end
$$;
grant execute on function pg_temp.audible to authenticated;
-- acting as the admin
select tests.authenticate_as(tests.id('north admin login'));
select is_empty(
  $$ select topic from (
      select unnest(array['', 'organization', 'organization:', 'organization:x', 'therapist:1', 'room:' || tests.id('north'), '%',
        'organization:' || upper(tests.id('north')::text) || 'A', 'organization:' || tests.id('north') || ':x', 'x' || 'organization:' || tests.id('north'),
        'organization:' || tests.id('north') || E'\n', 'client:------------------------------------', 'client:' || gen_random_uuid(),
        'Organization:' || tests.id('north'), 'therapist:' || tests.id('north birch'), 'client:' || tests.id('north rosa')])) it (topic)
    where pg_temp.audible(topic) is not null $$,
  'a topic that is none is refused, and breaks nothing');
select isnt(pg_temp.audible('organization:' || tests.id('north')), null, 'as one that is is not');
select tests.authenticate_as(tests.id('gail login'));
select is(pg_temp.audible('therapist:' || tests.id('north birch')), null, 'nor does a child count as a therapist, to its family');
select tests.authenticate_as(tests.id('north admin login'));
select throws_ok(
  format($$ insert into realtime.messages (topic, extension, private) values ('%s', '%s', true) $$, topic, extension), '42501', null,
  'nobody speaks by ' || extension || ' on ' || split_part(topic, ':', 1))
from (values ('organization:' || tests.id('north'), 'broadcast'), ('organization:' || tests.id('north'), 'presence'), ('elsewhere', 'broadcast')) it (topic, extension);
select tests.clear_authentication();

-- Of another app on the same project, as wide as can be.
create policy "as wide as can be" on realtime.messages for all to public using (true) with check (true);
select is(pg_temp.hears('gail login'), '{north birch}', 'no policy of another app opens a calendar');
select is(pg_temp.hears(null, 'anon'), '{}', 'not even to everybody');
select tests.authenticate_as(tests.id('north admin login'));
select throws_ok(
  format($$ insert into realtime.messages (topic, extension, private) values ('organization:%s', 'broadcast', true) $$, tests.id('north')),
  '42501', null, 'or lets anybody speak there');
select tests.clear_authentication();

select * from finish();
rollback;
