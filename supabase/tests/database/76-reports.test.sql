-- Reports: what counts where a month or a day ends, who is told what, pages, and requests that cannot be answered. That the
-- totals are right, a recount of random months shows: http/reports-model.test.ts.
begin;
select plan(76);

select tests.create_clinic('north'), tests.create_clinic('south');
insert into public.therapists (id, organization_id, user_id, display_name, credential) values
  (tests.id('north bea'), tests.id('north'), tests.create_user('north bea login'), 'bea', 'BCBA'),
  (tests.id('north rex'), tests.id('north'), tests.create_user('north rex login'), 'rex', 'MD'),
  (tests.id('north gone'), tests.id('north'), null, 'gone', 'BT');
update public.therapists set status = 'inactive' where id = tests.id('north gone');
insert into public.user_roles (organization_id, user_id, role) values
  (tests.id('north'), tests.id('north bea login'), 'supervisor'), (tests.id('north'), tests.id('north rex login'), 'psychiatrist'),
  (tests.id('north'), tests.create_user('north parent login'), 'client'),
  (tests.id('north'), tests.create_user('north partner login'), 'partner_provider'), (null, tests.create_user('operator login'), 'super_admin');
insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on) values
  (tests.id('north'), tests.id('north bea'), tests.id('north rosa'), current_date - 30);
insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on) values
  (tests.id('north'), tests.id('north rex'), tests.id('north cedar'), 'psychiatrist', current_date - 30);

-- By the wall clock of New York, as the clinic has it: done as booked, unless it says otherwise.
create function pg_temp.book(
  label text, therapist text, client text, starts text, minutes integer, status text default 'completed',
  service text default '97153', slot uuid default null, team uuid default null
) returns void language sql as $$
  insert into public.sessions (id, organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, status, cancelled_by,
    actual_start_time, actual_end_time, group_id, team_id)
  select tests.id(label), tests.id('north'), tests.id('north ' || therapist), tests.id('north ' || client), tests.id('north ' || service),
    at.starts, at.starts + make_interval(mins => minutes), 'America/New_York', split_part(status, ' ', 1), nullif(split_part(status, ' ', 2), ''),
    case when status = 'completed' then at.starts end, case when status = 'completed' then at.starts + make_interval(mins => minutes) end, slot, team
  from (values (starts::timestamp at time zone 'America/New_York')) at (starts)
$$;
create function pg_temp.ask(login text, operation text, request jsonb) returns jsonb language plpgsql as $$
declare
  answer jsonb;
begin
  perform tests.authenticate_as(tests.id(login));
  execute format('select public.%I(%L)', operation, jsonb_build_object('organization_id', tests.id('north')) || request) into answer;
  perform tests.clear_authentication();
  return coalesce(answer -> 'data', answer -> 'problem');
end
$$;
create function pg_temp.day(of_day text) returns jsonb language sql as $$ select jsonb_build_object('from', of_day, 'to', of_day) $$;
create function pg_temp.month_of(therapist text, of_month text) returns jsonb language sql as $$
  select it from jsonb_array_elements(pg_temp.ask('north admin login', 'supervision_months', jsonb_build_object('month', of_month)) -> 'rows') it
  where it ->> 'therapist_id' = tests.id('north ' || therapist)::text
$$;
create function pg_temp.counts(therapist text, of_month text, kind text) returns text language sql as $$
  select concat_ws(' ', it ->> 'minutes', it ->> 'supervised_minutes', it ->> 'contacts', it ->> 'individual_contacts')
  from (select pg_temp.month_of(therapist, of_month) -> kind) row (it)
$$;

-- ---------------------------------------------------------------------------------------------------------
-- Supervision
-- ---------------------------------------------------------------------------------------------------------

-- Over midnight at the end of May: 60 minutes on each side. Bea is there from 23:30 to 00:30.
select pg_temp.book('night', 'rosa', 'birch', '2026-05-31 23:00', 120), pg_temp.book('night watched', 'bea', 'birch', '2026-05-31 23:30', 60, service => '97155');
select is(pg_temp.counts('rosa', '2026-05', 'done'), '60 30 1 1', 'a session over midnight counts in both months, the contact where it begins');
select is(pg_temp.counts('rosa', '2026-06', 'done'), '60 30 0 0', 'the month after has its minutes, and no contact of it');
select is(pg_temp.month_of('rosa', '2026-06') -> 'shortfall',
  '{"supervised_minutes": 0, "contacts": 2, "individual_contacts": 1, "observing_contacts": 1}', 'it is short of contacts all the same');
select is(pg_temp.month_of('rosa', '2026-05') ->> 'status', 'short', 'one contact is not enough');
select is(pg_temp.month_of('theo', '2026-05') ->> 'status', 'not_required', 'a month without work needs no supervision');
select is(pg_temp.month_of('theo', '2026-05') -> 'required',
  '{"supervised_minutes": 0, "contacts": 0, "individual_contacts": 0, "observing_contacts": 0}', 'and nothing is required of it');
select is(pg_temp.month_of('bea', '2026-05'), null, 'who supervises is no technician');
select is(pg_temp.month_of('gone', '2026-05'), null, 'nor is who has left listed where they did not work');
select pg_temp.book('of who left', 'gone', 'cedar', '2026-05-04 09:00', 60);
select is(pg_temp.counts('gone', '2026-05', 'done'), '60 0 0 0', 'who has left is listed where they worked');

-- The night in which the clock goes back is an hour longer: 00:30 to 02:30 are 180 minutes.
select pg_temp.book('long night', 'theo', 'cedar', '2025-11-02 00:30', 180);
select is(pg_temp.counts('theo', '2025-11', 'done'), '180 0 0 0', 'minutes are elapsed ones where the clock goes back');
select is(
  (select it ->> 'available_minutes' from jsonb_array_elements(pg_temp.ask('north admin login', 'read_utilization', pg_temp.day('2025-11-02')) -> 'rows') it
    where it ->> 'therapist_id' = tests.id('north theo')::text),
  '1500', 'a day of 25 hours has as much to work in');
select is(
  (select it ->> 'available_minutes' from jsonb_array_elements(pg_temp.ask('north admin login', 'read_utilization', pg_temp.day('2026-03-08')) -> 'rows') it
    where it ->> 'therapist_id' = tests.id('north theo')::text),
  '1380', 'and one of 23 hours less');
create function pg_temp.available_in(day text) returns text language sql as $$
  select it ->> 'available_minutes'
  from jsonb_array_elements(pg_temp.ask('north admin login', 'read_utilization', pg_temp.day(day)) -> 'rows') it
  where it ->> 'therapist_id' = tests.id('north theo')::text
$$;
update public.therapists set status = 'inactive' where id = tests.id('north theo');
select is(pg_temp.available_in((current_date + 30)::text), '0', 'who is inactive has no time, whatever weekly hours were left standing');
select is(pg_temp.available_in('2025-11-02'), '1500', 'and had it as long as they were active');
update public.therapists set status = 'active' where id = tests.id('north theo');

-- Forecast: what is booked counts, what is missed or cancelled does not; and what is done counts by its actual times.
select pg_temp.book('done', 'rosa', 'birch', '2026-07-01 09:00', 600);
select is(pg_temp.month_of('rosa', '2026-07') #>> '{shortfall,supervised_minutes}', '30', 'a twentieth of the minutes is to be supervised');
select pg_temp.book('to come', 'rosa', 'birch', '2026-07-02 09:00', 600, 'scheduled'), pg_temp.book('missed', 'rosa', 'birch', '2026-07-03 09:00', 600, 'no_show'),
  pg_temp.book('off', 'rosa', 'birch', '2026-07-04 09:00', 600, 'cancelled client');
select is(pg_temp.counts('rosa', '2026-07', 'done'), '600 0 0 0', 'done is what took place');
select is(pg_temp.counts('rosa', '2026-07', 'forecast'), '1200 0 0 0', 'forecast is that and what is booked');
select pg_temp.book('watched', 'bea', 'birch', '2026-07-01 09:00', 30, service => '97155');
select pg_temp.book('to watch', 'bea', 'birch', '2026-07-02 18:30', 60, 'scheduled', '97155');
select is(pg_temp.counts('rosa', '2026-07', 'forecast'), '1200 60 2 2', 'supervision counts as long as the technician is there');
select is(pg_temp.month_of('rosa', '2026-07') ->> 'status', 'on_track', 'what is booked suffices');
select is(pg_temp.month_of('rosa', '2026-07') #>> '{forecast,share}', '0.0500', 'that is the share');
update public.sessions set status = 'completed', actual_start_time = start_time, actual_end_time = start_time + interval '30 minutes' where id = tests.id('to watch');
select is(pg_temp.counts('rosa', '2026-07', 'done'), '600 30 1 1', 'a supervision is done when both have been there');
update public.sessions set status = 'completed', actual_start_time = start_time, actual_end_time = start_time + interval '570 minutes' where id = tests.id('to come');
select is(pg_temp.counts('rosa', '2026-07', 'done'), '1170 30 1 1', 'by the actual times they did not meet the second time');
select is(pg_temp.month_of('rosa', '2026-07') #> '{shortfall}',
  '{"supervised_minutes": 29, "contacts": 1, "individual_contacts": 0, "observing_contacts": 0}', 'the required minutes are rounded up');
select pg_temp.book('watched again', 'bea', 'birch', '2026-07-02 09:00', 29, service => '97155');
select is(pg_temp.month_of('rosa', '2026-07') ->> 'status', 'met', 'what is done suffices');

-- Who supervises, and whom.
select pg_temp.book('by a technician', 'theo', 'birch', '2026-08-03 09:00', 60, service => '97155'), pg_temp.book('beside it', 'rosa', 'birch', '2026-08-03 09:00', 60);
select is(pg_temp.counts('rosa', '2026-08', 'done'), '60 0 0 0', 'a technician supervises nobody');
select pg_temp.book('another client', 'bea', 'aspen', '2026-08-03 09:00', 60, service => '97155');
select is(pg_temp.counts('rosa', '2026-08', 'done'), '60 0 0 0', 'nor does who is with another client');
insert into public.services (id, organization_id, service_code, name, cpt_code, is_team) values (tests.id('north 0373T'), tests.id('north'), '0373T', 'Team', '0373T', true);
insert into public.session_teams (id, organization_id, client_id, service_id, start_time, end_time)
select tests.id('pair'), tests.id('north'), tests.id('north birch'), tests.id('north 0373T'), starts, starts + interval '1 hour'
from (values ('2026-08-10 09:00'::timestamp at time zone 'America/New_York')) at (starts);
select pg_temp.book('pair ' || who, who, 'birch', '2026-08-10 09:00', 60, service => '0373T', team => tests.id('pair')) from unnest(array['rosa', 'theo']) who;
select pg_temp.book('pair watched', 'bea', 'birch', '2026-08-10 09:00', 20, service => '97155');
select is(pg_temp.counts('rosa', '2026-08', 'done'), '120 20 1 0', 'a team is supervised together: a contact, and no individual one');
insert into public.session_groups (id, organization_id, therapist_id, service_id, start_time, end_time)
select tests.id('circle'), tests.id('north'), tests.id('north rosa'), tests.id('north 97154'), starts, starts + interval '1 hour'
from (values ('2026-08-11 09:00'::timestamp at time zone 'America/New_York')) at (starts);
select pg_temp.book('circle ' || who, 'rosa', who, '2026-08-11 09:00', 60, service => '97154', slot => tests.id('circle')) from unnest(array['aspen', 'birch']) who;
select pg_temp.book('circle watched ' || who, 'bea', who, clock, 20, service => '97155')
from (values ('aspen', '2026-08-11 09:00'), ('birch', '2026-08-11 09:20')) it (who, clock);
select is(pg_temp.counts('rosa', '2026-08', 'done'), '180 60 3 2', 'time that the clients of a group share counts once');

-- Two of three contacts are done, with a pair of technicians; the individual one is booked, and Bea has still to come to it.
insert into public.session_teams (id, organization_id, client_id, service_id, start_time, end_time)
select tests.id('pair ' || day), tests.id('north'), tests.id('north birch'), tests.id('north 0373T'), starts, starts + interval '1 hour'
from (values ('1', '2026-09-01 09:00'::timestamp at time zone 'America/New_York'), ('2', '2026-09-02 09:00'::timestamp at time zone 'America/New_York')) at (day, starts);
select pg_temp.book(concat_ws(' ', 'pair', day, who), who, 'birch', format('2026-09-0%s 09:00', day), 60, service => '0373T', team => tests.id('pair ' || day))
from unnest(array['rosa', 'theo']) who, unnest(array['1', '2']) day;
select pg_temp.book('pair watched ' || day, 'bea', 'birch', format('2026-09-0%s 09:00', day), 60, service => '97155') from unnest(array['1', '2']) day;
select pg_temp.book('alone', 'rosa', 'birch', '2026-09-03 09:00', 60), pg_temp.book('alone watched', 'bea', 'birch', '2026-09-03 09:00', 60, 'scheduled', '97155');
select is(pg_temp.counts('rosa', '2026-09', 'done'), '180 120 2 0', 'supervision that has still to take place is not done, though the session is');
select is(pg_temp.month_of('rosa', '2026-09') ->> 'status', 'on_track', 'contacts of pairs do not make up for an individual one');

-- ---------------------------------------------------------------------------------------------------------
-- Days and months, and rows
-- ---------------------------------------------------------------------------------------------------------

select is(
  (select string_agg(concat_ws(' ', it ->> 'month', it ->> 'sessions', it ->> 'planned_minutes', it ->> 'delivered_minutes'), ', ')
    from jsonb_array_elements(pg_temp.ask('north admin login', 'read_attendance',
      jsonb_build_object('from', '2026-05-31', 'to', '2026-07-01', 'therapist_id', tests.id('north rosa'))) -> 'rows') it),
  '2026-05-01 1 120 120, 2026-07-01 1 600 600', 'a session is of the day and the month in which it was to start, by the clinic''s clock');
select is(
  jsonb_array_length(pg_temp.ask('north admin login', 'read_attendance', pg_temp.day('2026-06-01')) -> 'rows'), 0, 'and of no other');
select pg_temp.book('soon off', 'rosa', 'aspen', to_char(now() at time zone 'America/New_York' + interval '3 hours', 'YYYY-MM-DD HH24:MI'), 30, 'scheduled');
update public.sessions set status = 'cancelled', cancelled_by = 'client', cancellation_reason = 'a fever' where id = tests.id('soon off');
select is(
  (select concat_ws(' ', it ->> 'cancelled_by', it ->> 'is_late', (it ->> 'notice_minutes')::integer between 178 and 180)
    from jsonb_array_elements(pg_temp.ask('north admin login', 'read_cancellations', jsonb_build_object('client_id', tests.id('north aspen'),
      'from', current_date - 1, 'to', current_date + 1)) -> 'rows') it),
  'client true t', 'a cancellation says by whom, with how much notice, and that it was late');
select is(
  (select count(*)::integer from jsonb_array_elements(pg_temp.ask('north admin login', 'read_cancellations',
    jsonb_build_object('from', '2026-07-01', 'to', current_date + 1)) -> 'rows') it where it::text ~ 'fever'), 0, 'and not why');
select is(
  jsonb_array_length(pg_temp.ask('north admin login', 'read_missing_notes', pg_temp.day('2026-05-31')) -> 'rows'), 2, 'a completed session without a note is listed');
select tests.add_note('draft of the night', 'north', 'night');
select is(
  (select jsonb_agg(it -> 'has_draft' order by it -> 'has_draft') from jsonb_array_elements(
    pg_temp.ask('north admin login', 'read_missing_notes', pg_temp.day('2026-05-31')) -> 'rows') it), '[false, true]', 'a draft is no note yet');
update public.session_notes set status = 'signed', signed_by = author_id, signed_at = now(), text_digest = sha256('') where id = tests.id('draft of the night');
insert into public.session_notes (id, organization_id, session_id, client_id, therapist_id, author_id, kind, needs_cosignature, status, signed_by, signed_at, text_digest)
select gen_random_uuid(), it.organization_id, tests.id('night watched'), it.client_id, it.therapist_id, it.author_id, it.kind, false, it.status, it.signed_by, it.signed_at, it.text_digest
from public.session_notes it where it.id = tests.id('draft of the night');
select is(
  (select array_agg(it ->> 'session_id') from jsonb_array_elements(pg_temp.ask('north admin login', 'read_missing_notes', pg_temp.day('2026-05-31')) -> 'rows') it),
  array[tests.id('night watched')::text], 'a signed one is, by the therapist of the session');
select pg_temp.book('short', 'rosa', 'birch', '2026-05-01 09:00', 7), pg_temp.book('long enough', 'rosa', 'birch', '2026-05-02 09:00', 8);
select is(
  (select array_agg(it ->> 'session_id') from jsonb_array_elements(pg_temp.ask('north admin login', 'read_unbilled_sessions', '{"from": "2026-05-01", "to": "2026-05-03"}') -> 'rows') it),
  array[tests.id('long enough')::text], 'what comes to no unit is not waited for');

-- ---------------------------------------------------------------------------------------------------------
-- Who is told what
-- ---------------------------------------------------------------------------------------------------------

create function pg_temp.told(login text, operation text) returns text language sql as $$
  select coalesce(it ->> 'code', (select string_agg(distinct label, ' ' order by label) from jsonb_array_elements(it -> 'rows') row
    join (values ('rosa'), ('theo'), ('bea'), ('gone'), ('rex')) known (label) on row ->> 'therapist_id' = tests.id('north ' || label)::text), 'nobody')
  from (select pg_temp.ask(login, operation, case operation when 'supervision_months' then '{"month": "2026-05"}' else '{"from": "2025-11-01", "to": "2026-08-31"}' end::jsonb)) answer (it)
$$;
select is(pg_temp.told(login, operation), expected, format('of %s the %s is told of: %s', operation, split_part(login, ' ', 2), expected))
from (values
  ('north admin login', 'read_attendance', 'bea gone rosa theo'), ('north rosa login', 'read_attendance', 'rosa'),
  ('north bea login', 'read_attendance', 'bea rosa'), ('north rex login', 'read_attendance', 'gone theo'),
  ('north parent login', 'read_attendance', 'forbidden'), ('operator login', 'read_attendance', 'not_found'),
  ('north rex login', 'read_cancellations', 'nobody'), ('north rex login', 'read_missing_notes', 'forbidden'),
  ('north bea login', 'read_missing_notes', 'bea rosa'), ('north rosa login', 'read_unbilled_sessions', 'rosa'),
  ('north rosa login', 'read_utilization', 'rosa'), ('north partner login', 'read_utilization', 'forbidden'),
  ('north rosa login', 'read_authorization_units', 'forbidden'), ('north bea login', 'supervision_months', 'rosa'),
  ('north theo login', 'supervision_months', 'theo'), ('south admin login', 'supervision_months', 'not_found')) it (login, operation, expected);
select is(
  pg_temp.ask('north rosa login', 'read_attendance', jsonb_build_object('from', '2026-05-01', 'to', '2026-05-31', 'therapist_id', tests.id('north theo'))) -> 'rows',
  '[]', 'a filter narrows what one is told, and does not widen it');

-- ---------------------------------------------------------------------------------------------------------
-- Pages and requests
-- ---------------------------------------------------------------------------------------------------------

create function pg_temp.first_and_rest() returns uuid[] language plpgsql as $$
declare
  found uuid[] := '{}';
  request jsonb := '{"from": "2026-07-01", "to": "2026-08-31", "limit": 2}';
  page jsonb;
begin
  for turn in 1..20 loop
    page := pg_temp.ask('north admin login', 'read_missing_notes', request);
    found := found || array(select (it ->> 'session_id')::uuid from jsonb_array_elements(page -> 'rows') it);
    -- Meanwhile: one at a time that was passed, one that is still to come.
    if turn = 2 then
      perform pg_temp.book('added before', 'theo', 'cedar', '2026-07-01 09:00', 60), pg_temp.book('added after', 'theo', 'cedar', '2026-08-30 09:00', 60);
    end if;
    exit when page ->> 'next' is null;
    request := request || jsonb_build_object('after', page -> 'next');
  end loop;
  return found;
end
$$;
create temp table walked as select id, place from unnest(pg_temp.first_and_rest()) with ordinality as it (id, place);
select results_eq(
  'select id from walked order by place',
  $$ select id from public.sessions
    where organization_id = tests.id('north') and status = 'completed' and id <> tests.id('added before')
      and start_time >= '2026-07-01 00:00-04' and start_time < '2026-09-01 00:00-04'
    order by start_time, id $$,
  'pages show every row once and in order, rows of one time too, while others are added');

select is(
  concat_ws(' ', it ->> 'code', it #>> '{errors,0,field}', it #>> '{errors,0,code}'), expected, format('%s of %s is answered %s', asked.operation, asked.request, expected))
from (values
  ('read_attendance', '{"from": "2026-05-01"}', 'validation_failed to required'),
  ('read_cancellations', '{"from": "2026-05-32", "to": "2026-06-01"}', 'validation_failed from invalid_format'),
  ('read_utilization', '{"from": "2026-05-02", "to": "2026-05-01"}', 'validation_failed to before_start'),
  ('read_unbilled_sessions', '{"from": "2025-05-01", "to": "2026-05-02"}', 'validation_failed to too_long'),
  ('read_missing_notes', '{"from": "2026-05-01", "to": "2026-05-02", "limit": 0}', 'validation_failed limit invalid_value'),
  ('read_attendance', '{"from": "2026-05-01", "to": "2026-05-02", "after": "2026-05-01"}', 'validation_failed after invalid_value'),
  ('read_attendance', '{"from": "2026-05-01", "to": "2026-05-02", "after": "x/y/z"}', 'validation_failed after invalid_value'),
  ('read_missing_notes', '{"from": "2026-05-01", "to": "2026-05-02", "after": {"a": 1}}', 'validation_failed after invalid_value'),
  ('supervision_months', '{}', 'validation_failed month required'),
  ('supervision_months', '{"month": "2026-13"}', 'validation_failed month invalid_format'),
  ('supervision_months', '{"month": "0000-01"}', 'validation_failed month invalid_format')) asked (operation, request, expected)
cross join lateral (select pg_temp.ask('north admin login', asked.operation, asked.request::jsonb) as it) answer;

-- ---------------------------------------------------------------------------------------------------------
-- Plans
-- ---------------------------------------------------------------------------------------------------------

create function pg_temp.scanned_whole(operation text, request jsonb) returns text[] language plpgsql as $$
declare
  before jsonb;
begin
  before := (select jsonb_object_agg(oid, pg_stat_get_xact_numscans(oid)) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r');
  perform pg_temp.ask('north admin login', operation, request);
  return array(select relname::text from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r' and pg_stat_get_xact_numscans(oid) > (before ->> oid::text)::bigint);
end
$$;
select is(
  pg_temp.scanned_whole(operation, '{"from": "2026-05-01", "to": "2026-05-31", "month": "2026-05"}'), '{}', format('%s reads no table whole', operation))
from unnest(array['read_attendance', 'read_cancellations', 'read_utilization', 'read_authorization_units', 'read_unbilled_sessions',
  'read_missing_notes', 'supervision_months']) operation;
-- The views, under the policies of a therapist, as PostgREST reads them.
create function pg_temp.view_scanned_whole(query text) returns text[] language plpgsql as $$
declare
  before jsonb;
begin
  before := (select jsonb_object_agg(oid, pg_stat_get_xact_numscans(oid)) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r');
  perform set_config('enable_seqscan', 'off', true), tests.authenticate_as(tests.id('north rosa login'));
  execute query;
  perform tests.clear_authentication(), set_config('enable_seqscan', 'on', true);
  return array(select relname::text from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r' and pg_stat_get_xact_numscans(oid) > (before ->> oid::text)::bigint);
end
$$;
select is(pg_temp.view_scanned_whole(format(query, tests.id('north'))), '{}', format('%s is found by index', what))
from (values
  ('a month of attendance', $$ select session_id from public.session_attendance where organization_id = %L and start_time >= '2026-05-01' and start_time < '2026-06-01' $$),
  ('a month of what is not billed', $$ select session_id from public.unbilled_sessions where organization_id = %L and service_date >= '2026-05-01' and service_date < '2026-06-01' $$)
) it (what, query);

select * from finish();
rollback;
