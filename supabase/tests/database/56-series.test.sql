-- Editing a series: what public.update_series makes of its sessions, whom it lets, and what it leaves alone.
begin;
select plan(95);

select tests.create_clinic('north'), tests.create_clinic('south');

create function tests.days(clock text, days integer[], minutes integer default 60) returns jsonb language sql stable set search_path = '' as $$
  select pg_catalog.jsonb_build_object('occurrences', pg_catalog.jsonb_agg(tests.occurrence(
    tests.at(clock, day), tests.at(clock, day) + pg_catalog.make_interval(mins => minutes)) order by day))
  from pg_catalog.unnest(days) day
$$;
comment on function tests.days is 'A request''s occurrences: at a clock time on some days.';

create function tests.book_series(label text, clock text, days integer[], changes jsonb default '{}') returns uuid language plpgsql set search_path = '' as $$
declare
  batch jsonb := public.hold_sessions(tests.hold_request('north', array['10:00']) || tests.days(clock, days) || changes) #> '{data,hold_key}';
begin
  perform public.confirm_sessions(pg_catalog.jsonb_build_object('hold_key', batch, 'session', '{"place_of_service": "12"}'::jsonb));
  return tests.name_row(label, (batch #>> '{}')::uuid);
end
$$;
comment on function tests.book_series is 'Holds and confirms a series of Rosa with Birch, but for the changes, and labels it.';

create function tests.edit(label text, times jsonb, changes jsonb default '{}') returns jsonb language sql set search_path = '' as $$
  select public.update_series(pg_catalog.jsonb_build_object(
    'series_id', tests.id(label), 'time_zone', 'America/New_York',
    'version', (select series.version from public.session_series series where series.id = tests.id(label))) || times || changes)
$$;
comment on function tests.edit is 'Edits a series as whoever acts, in its present version, and answers what the RPC does.';

create function tests.refusal(answer jsonb) returns text language sql immutable set search_path = '' as $$
  select pg_catalog.concat_ws(
    ' ', answer #>> '{problem,code}', answer #>> '{problem,errors,0,field}', answer #>> '{problem,errors,0,code}')
$$;
create function tests.sizes(answer jsonb) returns text language sql immutable set search_path = '' as $$
  select pg_catalog.string_agg(pg_catalog.format('%s %s', list, pg_catalog.jsonb_array_length(answer -> 'data' -> list)), ', ')
  from pg_catalog.unnest(array['moved', 'unchanged', 'added', 'cancelled', 'settled', 'skipped']) list
  where pg_catalog.jsonb_array_length(answer -> 'data' -> list) > 0
$$;
-- Definer: it looks behind the policies while a test acts as a user.
create function tests.everything() returns text language sql stable security definer set search_path = '' as $$
  select pg_catalog.md5(
    (select pg_catalog.string_agg(session::text, ' ' order by session.id) from public.sessions session where session.organization_id = tests.id('north'))
    || (select pg_catalog.string_agg(series::text, ' ' order by series.id) from public.session_series series where series.organization_id = tests.id('north'))
    || (select pg_catalog.string_agg(claim::text, ' ' order by claim.claim_id, claim.subject_id, claim.lane, claim.part) from public.calendar_claims claim
      where claim.organization_id = tests.id('north')))
$$;
comment on function tests.everything is 'A digest of all sessions, series and claims of North: others run tests at the same time.';
grant execute on function
  tests.days, tests.book_series, tests.edit, tests.refusal, tests.sizes, tests.everything to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- Extending, shortening
-- ---------------------------------------------------------------------------------------------------------

-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select tests.book_series('weekly', '10:00', array[0, 7, 14], jsonb_build_object('room_id', tests.id('north room')));
select is((select count(*)::integer from public.sessions where series_id = tests.id('weekly')), 3, 'a series of three is booked');
select tests.clear_authentication();
insert into public.buffer_rules (organization_id, minutes_before, minutes_after) values (tests.id('north'), 5, 10);
create temporary table before as select id, xmin::text as written, version, buffer_before_minutes from public.sessions where series_id = tests.id('weekly');
grant select on before to authenticated;
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('extended', tests.edit('weekly', tests.days('10:00', array[0, 7, 14, 21, 28])));
select is(tests.sizes(tests.kept('extended')), 'unchanged 3, added 2', 'extending adds what is missing');
select is(
  array(select jsonb_object_keys(tests.kept('extended') -> 'data') order by 1),
  array['added', 'cancelled', 'moved', 'series', 'settled', 'skipped', 'unchanged'], 'the answer is that of the contract');
select is(
  array(select jsonb_object_keys(tests.kept('extended') #> '{data,series}') order by 1),
  array['continues_series_id', 'exdates', 'id', 'local_start', 'rule', 'status', 'time_zone', 'version'],
  'and so is the series in it');
select is(
  tests.kept('extended') #>> '{data,series,id}', tests.id('weekly')::text,
  'where nothing comes before what is edited, the series stays the same row');
select tests.clear_authentication();
select results_eq(
  $$ select session.id, session.xmin::text, session.version from public.sessions session join before on before.id = session.id order by 1 $$,
  $$ select id, written, version from before order by 1 $$,
  'what exists is not even updated when a series is extended');
select results_eq(
  $$ select start_time, end_time, occurrence_start, place_of_service, room_id, service_id, client_id, therapist_id,
      buffer_before_minutes::integer, buffer_after_minutes::integer, status, time_zone
    from public.sessions where series_id = tests.id('weekly') and id not in (select id from before) order by start_time $$,
  $$ select tests.at('10:00', day), tests.at('11:00', day), tests.at('10:00', day), '12', tests.id('north room'),
      tests.id('north 97153'), tests.id('north birch'), tests.id('north rosa'), 5, 10, 'scheduled', 'America/New_York'
    from unnest(array[21, 28]) day $$,
  'what is added is as the series'' other sessions, by today''s buffer rules');
select is((select version from public.session_series where id = tests.id('weekly')), 3, 'the series has a new version (booked, confirmed, edited)');
select is(
  (select array_agg(action order by id) from audit.events
    where organization_id = tests.id('north') and decision = 'allow'
      and action !~ '^row\.' and id > (select max(id) from audit.events where action = 'hold.confirmed' and organization_id = tests.id('north'))),
  array['series.updated', 'session.scheduled', 'session.scheduled'], 'the audit trail has the edit and what it added');

select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('shortened', tests.edit('weekly', tests.days('10:00', array[0, 7])));
select is(tests.sizes(tests.kept('shortened')), 'unchanged 2, cancelled 3', 'shortening cancels what is too many');
select results_eq(
  $$ select status, cancelled_by, cancellation_notice_minutes > 40000, late_cancellation, series_id, occurrence_start
    from public.sessions where tests.kept('shortened') #> '{data,cancelled}' ? id::text $$,
  $$ select 'cancelled', 'clinic', true, false, null::uuid, null::timestamptz from generate_series(1, 3) $$,
  'cancelled by the clinic, with its notice, and no longer of the series');
select is(
  tests.sizes(tests.edit('weekly', tests.days('10:00', array[0, 7, 14]))), 'unchanged 2, added 1',
  'what was shortened away can be booked again by extending');

-- ---------------------------------------------------------------------------------------------------------
-- Moving
-- ---------------------------------------------------------------------------------------------------------

select tests.keep('moved', tests.edit('weekly', tests.days('10:30', array[0, 7, 14]), '{"room_id": null}'));
select is(tests.sizes(tests.kept('moved')), 'moved 3', 'another time moves every session, past its own old claims');
select results_eq(
  $$ select start_time, occurrence_start, room_id, buffer_after_minutes::integer, (select count(*)::integer from before where before.id = session.id)
    from public.sessions session where series_id = tests.id('weekly') and status = 'scheduled' order by start_time $$,
  $$ select tests.at('10:30', day), tests.at('10:30', day), null::uuid, 10, known
    from (values (0, 1), (7, 1), (14, 0)) given (day, known) $$,
  'in place and in order: ids stay, buffers are today''s, and a room of null is none');

select tests.book_series('dense', '15:00', array[0, 1, 2], '{"recurrence": {"rule": "FREQ=DAILY;COUNT=3"}}');
select is(
  tests.sizes(tests.edit('dense', tests.days('15:00', array[0, 1, 2], 90))), 'moved 3', 'a longer session is a moved one');
select is(
  tests.sizes(tests.edit('dense', tests.days('15:00', array[1, 2, 3], 90))), 'moved 1, unchanged 2',
  'a session whose place is named again keeps it; only what is left takes the places that are left');

select tests.book_series('chain', '18:00', array[1], jsonb_build_object('occurrences', (
  select jsonb_agg(tests.occurrence(starts, starts + interval '1 hour'))
  from unnest(array[tests.at('18:00', 1), tests.at('19:15', 1), tests.at('20:30', 1)]) starts)));
select is(
  tests.sizes(tests.edit('chain', jsonb_build_object('occurrences', (
    select jsonb_agg(tests.occurrence(starts, starts + interval '1 hour'))
    from unnest(array[tests.at('18:30', 1), tests.at('19:45', 1), tests.at('21:00', 1)]) starts)))),
  'moved 3', 'sessions may move into each other''s time');

select tests.book_series('pair', '18:00', array[3], jsonb_build_object('occurrences', (
  select jsonb_agg(tests.occurrence(starts, starts + interval '1 hour')) from unnest(array[tests.at('18:00', 3), tests.at('19:15', 3)]) starts)));
select is(
  tests.sizes(tests.edit('pair', tests.days('19:30', array[3]))), 'moved 1, cancelled 1', 'or into the time of one that is cancelled for it');

-- ---------------------------------------------------------------------------------------------------------
-- This and following: the series is split
-- ---------------------------------------------------------------------------------------------------------

select tests.book_series('rule', '08:00', array[0, 7, 14, 21], '{"recurrence": {"rule": "FREQ=WEEKLY;COUNT=4", "exdates": []}}');
select tests.keep('split', tests.edit('rule', tests.days('07:00', array[14, 21]), jsonb_build_object(
  'from', tests.at('08:00', 14),
  'recurrence', jsonb_build_object('rule', 'FREQ=WEEKLY;COUNT=2', 'exdates', '[]'::jsonb,
    'local_start', to_char(tests.at('07:00', 14) at time zone 'America/New_York', 'YYYY-MM-DD"T"HH24:MI:SS')))));
select tests.name_row('rest', (tests.kept('split') #>> '{data,series,id}')::uuid);
select is(tests.sizes(tests.kept('split')), 'moved 2', 'this and following moves the rest');
select isnt(tests.id('rest'), tests.id('rule'), 'and the rest is a series of its own');
select results_eq(
  $$ select continues_series_id, rule, local_start, status, version, therapist_id, client_id, duration_minutes from public.session_series where id = tests.id('rest') $$,
  $$ select tests.id('rule'), 'FREQ=WEEKLY;COUNT=2', tests.at('07:00', 14) at time zone 'America/New_York', 'active', 1,
      tests.id('north rosa'), tests.id('north birch'), 60 $$,
  'which continues the one it was part of');
select results_eq(
  $$ select rule, status from public.session_series where id = tests.id('rule') $$,
  $$ select 'FREQ=WEEKLY;UNTIL=' || to_char(tests.at('08:00', 7) at time zone 'UTC', 'YYYYMMDD"T"HH24MISS"Z"'), 'ended' $$,
  'whose rule ends with the last occurrence that stays');
select results_eq(
  $$ select series_id, start_time, occurrence_start, version from public.sessions
    where series_id in (tests.id('rule'), tests.id('rest')) order by start_time $$,
  $$ values
    (tests.id('rule'), tests.at('08:00', 0), tests.at('08:00', 0), 1), (tests.id('rule'), tests.at('08:00', 7), tests.at('08:00', 7), 1),
    (tests.id('rest'), tests.at('07:00', 14), tests.at('07:00', 14), 2), (tests.id('rest'), tests.at('07:00', 21), tests.at('07:00', 21), 2) $$,
  'each series has its sessions, and what stays was not touched');
select is(
  tests.refusal(tests.edit('rule', tests.days('06:00', array[0, 7]), jsonb_build_object('from', tests.at('08:00', 7)))),
  'validation_failed start_time before_what_stays', 'the edited part begins after what stays');
select tests.clear_authentication();
select is(
  (select array_agg(app.rule_until(rule, '2027-03-01T17:00:00Z'))
    from unnest(array['FREQ=DAILY;COUNT=3;BYDAY=MO', 'COUNT=3;FREQ=DAILY', 'FREQ=DAILY;UNTIL=20280101', null]) rule),
  array['FREQ=DAILY;BYDAY=MO;UNTIL=20270301T170000Z', 'FREQ=DAILY;UNTIL=20270301T170000Z', 'FREQ=DAILY;UNTIL=20270301T170000Z', null],
  'COUNT or UNTIL, wherever it stands, becomes UNTIL in UTC; a plain list has no rule');

-- ---------------------------------------------------------------------------------------------------------
-- What is left alone
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north rosa login'));
select tests.book_series('lived', '12:00', array[0, 1, 2, 3, 4, 5]);
select tests.name_row('lived ' || number, id)
from (select id, row_number() over (order by start_time) - 1 as number from public.sessions where series_id = tests.id('lived')) session;
select tests.clear_authentication();
update public.sessions set start_time = tests.at('22:30', 1), end_time = tests.at('23:30', 1) where id = tests.id('lived 1');
update public.sessions set status = 'in_progress', actual_start_time = start_time where id = tests.id('lived 2');
update public.sessions set status = 'no_show' where id = tests.id('lived 3');
update public.sessions set status = 'cancelled', cancelled_by = 'client' where id = tests.id('lived 4');
create temporary table untouched as
select session::text as row from public.sessions session where id in (tests.id('lived 2'), tests.id('lived 3'), tests.id('lived 4'));
grant select on untouched to authenticated;
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('same', tests.edit('lived', tests.days('12:00', array[0, 1, 2, 3, 4, 5, 6])));
select is(
  tests.sizes(tests.kept('same')), 'unchanged 3, added 1, settled 3',
  'extending books nothing again that was cancelled, missed or is being delivered');
select set_eq(
  $$ select jsonb_array_elements_text(tests.kept('same') #> '{data,settled}') $$,
  $$ select tests.id('lived ' || number)::text from unnest(array[2, 3, 4]) number $$, 'and names those');
select is(
  (select exdates from public.session_series where id = tests.id('lived')),
  array(select tests.at('12:00', day) at time zone 'America/New_York' from unnest(array[2, 3, 4]) day), 'and the series leaves them out');
select tests.keep('shifted', tests.edit('lived', tests.days('13:30', array[0, 1, 20])));
select is(
  tests.sizes(tests.kept('shifted')), 'moved 2, unchanged 1, cancelled 1',
  'the scheduled ones keep their days, and the others take the places that are left in order');
select results_eq(
  $$ select start_time, end_time, occurrence_start from public.sessions where id = tests.id('lived 1') $$,
  $$ select tests.at('22:30', 1), tests.at('23:30', 1), tests.at('13:30', 1) $$,
  'one that was moved by hand keeps its own time and gets its new place in the series');
select tests.book_series('weekly', '20:00', array[70, 77], '{"recurrence": {"rule": "FREQ=WEEKLY;COUNT=2"}}');
select public.move_session(jsonb_build_object('session_id', session.id, 'version', session.version, 'time_zone', 'America/New_York')
  || tests.occurrence(session.start_time, session.end_time + interval '1 hour'))
from public.sessions session where session.series_id = tests.id('weekly') and session.start_time = tests.at('20:00', 77);
select is(
  tests.sizes(tests.edit('weekly', tests.days('20:00', array[70, 77, 84]), '{"recurrence": {"rule": "FREQ=WEEKLY;COUNT=3"}}')),
  'unchanged 2, added 1', 'nor does one that was made longer by hand become as short again when its series is extended');
select tests.clear_authentication();
select results_eq(
  $$ select session::text from public.sessions session where id in (tests.id('lived 2'), tests.id('lived 3'), tests.id('lived 4')) order by 1 $$,
  $$ select row from untouched order by 1 $$, 'what is not scheduled is never touched');

select tests.authenticate_as(tests.id('north rosa login'));
select tests.book_series('begun', '16:45', array[3, 4, 5]);
select tests.clear_authentication();
update public.sessions set start_time = clock_timestamp() - interval '2 hours', end_time = clock_timestamp() - interval '1 hour',
  occurrence_start = clock_timestamp() - interval '2 hours'
where series_id = tests.id('begun') and occurrence_start = tests.at('16:45', 3);
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('begun', tests.edit('begun', tests.days('17:00', array[4, 5]), '{"from": "2020-01-01T00:00:00Z"}'));
select is(tests.sizes(tests.kept('begun')), 'moved 2', 'the past is not touched, whatever `from` says');
select isnt(tests.kept('begun') #>> '{data,series,id}', tests.id('begun')::text, 'a series that has begun is split at the present');

-- An occurrence still to come whose session was moved into the past: it has had its time.
select tests.book_series('moved up', '03:15', array[60, 61]);
select tests.clear_authentication();
update public.sessions set start_time = clock_timestamp() - interval '5 hours', end_time = clock_timestamp() - interval '4 hours'
where series_id = tests.id('moved up') and occurrence_start = tests.at('03:15', 60);
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  tests.sizes(tests.edit('moved up', tests.days('03:15', array[60, 61]))), 'unchanged 1, settled 1',
  'a session that was moved into the past is not touched, nor booked again');

-- What was cancelled stays cancelled in the series that took over the rest.
select tests.book_series('halves', '03:15', array[70, 71, 72, 73]);
select public.cancel_sessions(jsonb_build_object('cancelled_by', 'client', 'session_ids', jsonb_build_array(
  (select id from public.sessions where series_id = tests.id('halves') and start_time = tests.at('03:15', 72)))));
select tests.keep('halved', tests.edit('halves', tests.days('03:15', array[71, 72, 73]), jsonb_build_object('from', tests.at('03:15', 71))));
select is(tests.sizes(tests.kept('halved')), 'unchanged 2, settled 1', 'a series is split around a cancelled session');
select tests.name_row('half', (tests.kept('halved') #>> '{data,series,id}')::uuid);
select is(
  tests.sizes(tests.edit('half', tests.days('03:15', array[71, 72, 73, 74]))), 'unchanged 2, added 1, settled 1',
  'which stays cancelled in the series that continues it');

-- A week on which the family is away, and then another hour for all of them.
select tests.book_series('summer', '03:15', array[90, 97, 104, 111]);
select public.cancel_sessions(jsonb_build_object('cancelled_by', 'client', 'session_ids', jsonb_build_array(
  (select id from public.sessions where series_id = tests.id('summer') and start_time = tests.at('03:15', 97)))));
create temporary table planned as
select id, start_time as was from public.sessions where series_id = tests.id('summer') and status = 'scheduled';
select tests.keep('later', tests.edit('summer', tests.days('04:30', array[90, 97, 104, 111])));
select is(
  tests.sizes(tests.kept('later')), 'moved 3, settled 1', 'at another hour of its day a cancelled occurrence is not booked again either');
select results_eq(
  $$ select session.start_time from public.sessions session join planned using (id) order by planned.was $$,
  $$ select tests.at('04:30', day) from unnest(array[90, 104, 111]) day $$, 'nor does a later one take its week');
select is(
  (select exdates from public.session_series where id = tests.id('summer')),
  array[tests.at('04:30', 97) at time zone 'America/New_York'], 'and the series leaves the new hour out');
select is(
  tests.sizes(tests.edit('summer', jsonb_build_object('occurrences',
    tests.days('04:30', array[90, 97, 104, 111]) -> 'occurrences' || (tests.days('06:30', array[97]) -> 'occurrences')))),
  'unchanged 3, added 2', 'where a day is to have several, only the same time is the same occurrence');

-- ---------------------------------------------------------------------------------------------------------
-- Conflicts
-- ---------------------------------------------------------------------------------------------------------

select tests.book_series('crowded', '05:30', array[0, 1, 2]);
select tests.clear_authentication();
select tests.add_session('other', 'north', '04:00', '{"client": "north aspen", "day": 0}');
select tests.add_session('more', 'north', '04:00', '{"client": "north aspen", "day": 2}');
select tests.add_session('later', 'north', '05:00', '{"client": "north aspen", "day": 4}');
select tests.authenticate_as(tests.id('north rosa login'));
select tests.keep('digest', to_jsonb(tests.everything()));
select tests.keep('refused', tests.edit('crowded', tests.days('04:00', array[0, 1, 2])));
select is(tests.refusal(tests.kept('refused')), 'therapist_conflict', 'a blocked place refuses the edit');
select is(
  (select array_agg(distinct (conflict ->> 'occurrence')::integer) from jsonb_array_elements(tests.kept('refused') #> '{problem,conflicts}') conflict),
  array[0, 2], 'with all conflicts at once');
select isnt(tests.kept('refused') #> '{problem,alternatives}', '[]', 'and open times');
select is(
  tests.refusal(tests.edit('crowded', tests.days('04:00', array[0, 1, 2]), '{"on_conflict": "skip"}')), 'therapist_conflict',
  'with skip too: what exists is not left behind');
select is(
  tests.refusal(tests.edit('crowded', tests.days('05:30', array[0, 1, 2, 3, 4]))), 'therapist_conflict', 'a blocked addition refuses the edit');
select is(to_jsonb(tests.everything()), tests.kept('digest'), 'a refused edit changes nothing');

select tests.keep('preview', tests.edit('crowded', tests.days('05:30', array[0, 1, 2, 3, 4]), '{"preview": true, "on_conflict": "skip"}'));
select is(tests.sizes(tests.kept('preview')), 'unchanged 3, added 1, skipped 1', 'a preview answers the lists');
select is(
  (select array_agg(distinct (conflict ->> 'occurrence')::integer) from jsonb_array_elements(tests.kept('preview') #> '{data,conflicts}') conflict),
  array[4], 'and the conflicts');
select is(tests.kept('preview') #> '{data,added,0,id}', 'null', 'what it would add has no id');
select is(
  tests.sizes(tests.edit('crowded', tests.days('04:00', array[0, 1, 2]), '{"preview": true}')), 'moved 3',
  'a preview of what would be refused is no refusal');
select is(to_jsonb(tests.everything()), tests.kept('digest'), 'a preview writes nothing');

select tests.keep('skipped', tests.edit('crowded', tests.days('05:30', array[0, 1, 2, 3, 4]), '{"on_conflict": "skip"}'));
select is(tests.sizes(tests.kept('skipped')), 'unchanged 3, added 1, skipped 1', 'with skip a blocked addition is left out');
select is(tests.kept('skipped') #> '{data,skipped}', tests.kept('preview') #> '{data,skipped}', 'as the preview said');
select results_eq(
  $$ select item ->> 'code', (item ->> 'start_time')::timestamptz, jsonb_array_length(item -> 'alternatives')
    from jsonb_array_elements(tests.kept('skipped') #> '{data,skipped}') item $$,
  $$ select 'therapist_conflict', tests.at('05:30', 4), 3 $$, 'it is reported with its reason and open times');
select is(
  (select exdates from public.session_series where id = tests.id('crowded')),
  array[tests.at('05:30', 4) at time zone 'America/New_York'], 'and the series'' exdates hold it');
select is(
  tests.refusal(tests.edit('crowded', tests.days('05:30', array[4]), jsonb_build_object('on_conflict', 'skip', 'from', tests.at('05:30', 4)))),
  'therapist_conflict', 'an edit that would leave nothing is refused');

-- A hold that is about to move a session takes its time, although it shares the session's slot.
select tests.book_series('held over', '02:00', array[8, 9]);
select ok(public.hold_sessions(tests.hold_request('north', array['10:00']) || tests.days('00:30', array[9]) || jsonb_build_object(
  'session_id', (select id from public.sessions where series_id = tests.id('held over') and start_time = tests.at('02:00', 8)))) ? 'data', 'a session of a series is being moved');
select is(
  tests.refusal(tests.edit('held over', tests.days('00:30', array[8, 9]))), 'therapist_conflict',
  'the time to which somebody is just moving one session is not another''s');

-- ---------------------------------------------------------------------------------------------------------
-- Hours
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
insert into public.availability_exceptions (organization_id, kind, start_time, end_time, time_zone)
values (tests.id('north'), 'holiday', tests.at('00:00', 40), tests.at('23:00', 40), 'America/New_York');
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  tests.refusal(tests.edit('held over', tests.days('02:00', array[8, 9, 40]))), 'therapist_unavailable', 'a holiday is not booked');
select is(
  tests.refusal(tests.edit('held over', tests.days('02:00', array[8, 9, 40]), '{"override_availability": true}')), 'forbidden',
  'and a therapist may not override that');
select tests.authenticate_as(tests.id('north admin login'));
select is(
  tests.sizes(tests.edit('held over', tests.days('02:00', array[8, 9, 40]), '{"override_availability": true}')), 'unchanged 2, added 1',
  'an admin may');
select tests.clear_authentication();
select is(
  (select row_id from audit.events where action = 'availability.overridden' and organization_id = tests.id('north')), tests.id('held over'), 'and the audit trail has it');

-- ---------------------------------------------------------------------------------------------------------
-- Who may
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north theo login'));
select is(
  tests.refusal(tests.edit('chain', tests.days('18:30', array[1]), '{"version": 1}')), 'not_found', 'another therapist''s series is not found');
-- Theo stands in for Rosa at one of her series.
select tests.authenticate_as(tests.id('north rosa login'));
select tests.book_series('stood in', '03:15', array[80, 81]);
select tests.clear_authentication();
update public.sessions set therapist_id = tests.id('north theo') where series_id = tests.id('stood in') and start_time = tests.at('03:15', 81);
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  tests.refusal(tests.edit('stood in', tests.days('03:30', array[80, 81]))), 'forbidden',
  'a therapist cannot move a session that another stands in for');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(tests.sizes(tests.edit('stood in', tests.days('03:30', array[80, 81]))), 'moved 2', 'a scheduler can');
select results_eq(
  $$ select therapist_id from public.sessions where series_id = tests.id('stood in') order by start_time $$,
  $$ values (tests.id('north rosa')), (tests.id('north theo')) $$, 'and where no therapist is named, each keeps their own');
select tests.authenticate_as(tests.id('south scheduler login'));
select is(
  tests.refusal(tests.edit('chain', tests.days('18:30', array[1]), '{"version": 1}')), 'not_found', 'nor is another organization''s');
select is(
  tests.refusal(tests.edit('chain', tests.days('18:30', array[1]), jsonb_build_object('version', 1, 'therapist_id', tests.id('south rosa')))),
  'not_found', 'nor with an own therapist named beside it');
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  tests.refusal(tests.edit('chain', tests.days('18:30', array[1]), jsonb_build_object('therapist_id', tests.id('north theo')))),
  'forbidden', 'a therapist cannot give a series to another');
select is(
  tests.refusal(tests.edit('chain', tests.days('18:30', array[1]), jsonb_build_object('room_id', tests.id('south room')))),
  'not_found', 'another organization''s room is not found');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.refusal(tests.edit('chain', tests.days('18:30', array[1]), jsonb_build_object('therapist_id', tests.id('south theo')))),
  'not_found', 'another organization''s therapist is not found');
select tests.keep('handed', tests.edit('rest', tests.days('07:00', array[14, 21]), jsonb_build_object('therapist_id', tests.id('north theo'))));
select is(tests.sizes(tests.kept('handed')), 'moved 2', 'a scheduler gives a series to another therapist');
select results_eq(
  $$ select distinct session.therapist_id, series.therapist_id
    from public.sessions session join public.session_series series on series.id = session.series_id where series.id = tests.id('rest') $$,
  $$ select tests.id('north theo'), tests.id('north theo') $$, 'the series and its sessions');
select tests.clear_authentication();
update public.care_team_assignments set ends_on = (tests.at('00:00', 15) at time zone 'America/New_York')::date
where id = tests.id('north theo birch');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  tests.refusal(tests.edit('rest', tests.days('06:00', array[14, 21]))), 'validation_failed client_id not_assigned',
  'the new therapist must be on the care team on every new day');
select is(
  tests.sizes(tests.edit('rest', tests.days('07:00', array[14]))), 'unchanged 1, cancelled 1',
  'what stays asks for nothing: a series is shortened whoever has left the team');

select is(
  (tests.edit('chain', tests.days('18:30', array[1]), '{"version": 1}')) -> 'problem' ->> 'version',
  (select version::text from public.session_series where id = tests.id('chain')), 'a stale version is told the present one');
select is(
  tests.refusal(tests.edit('chain', tests.days('18:30', array[1]), '{"version": 1, "preview": true}')), 'stale_version', 'in a preview too');

-- ---------------------------------------------------------------------------------------------------------
-- Bad requests
-- ---------------------------------------------------------------------------------------------------------

select is(
  tests.refusal(tests.edit('chain', given.times, given.changes)), 'validation_failed ' || given.expected, given.name)
from (values
  (tests.days('18:30', array[1]), '{"version": null}'::jsonb, 'version required', 'the version must be said'),
  (tests.days('18:30', array[1]), '{"time_zone": "Mars/Olympus"}', 'time_zone unknown', 'the zone must be one'),
  (tests.days('18:30', array[1]), '{"on_conflict": "hope"}', 'on_conflict unknown', 'on_conflict is abort or skip'),
  ('{}', '{}', 'occurrences required', 'occurrences must be given'),
  ('{"occurrences": []}', '{}', 'occurrences size', 'a series keeps at least one occurrence'),
  ((select jsonb_build_object('occurrences', jsonb_agg(tests.occurrence(tests.at('18:00', day), tests.at('18:30', day))))
    from generate_series(1, 367) day), '{}', 'occurrences size', '366 occurrences are the most'),
  (tests.days('18:30', array[-40]), '{}', 'occurrences[0].start_time in_the_past', 'the past cannot be booked'),
  (tests.days('18:30', array[1], 0), '{}', 'occurrences[0].end_time not_after_start', 'a session takes time'),
  (tests.days('18:30', array[1]), '{"recurrence": {}}', 'recurrence.rule size', 'a recurrence has a rule'),
  (tests.days('18:30', array[1]), '{"recurrence": {"rule": "FREQ=DAILY;X-NOTE=JO"}}', 'recurrence.rule invalid_format', 'and nothing that is none')
) given (times, changes, expected, name);
select is(
  tests.refusal(tests.edit('chain', tests.days('18:30', array[1]) #- '{occurrences,0,start_time_offset_minutes}')),
  'offset_mismatch occurrences[0].start_time_offset_minutes offset_mismatch', 'offsets must be the zone''s');
select is(
  tests.refusal(public.hold_sessions(tests.hold_request('north', array['10:00']) || tests.days('04:00', array[60]) || '{"recurrence": {"rule": "Jo is away"}}')),
  'validation_failed recurrence.rule invalid_format', 'nor does a series begin with what is no rule');
select is(
  public.hold_sessions(tests.hold_request('north', array['10:00']) || tests.days('04:00', array[60])
    || '{"recurrence": {"rule": "FREQ=WEEKLY;COUNT=1", "exdates": ["infinity"]}}') #>> '{problem,reason}',
  'session_series_time_finite', 'or leave out what is no time');

-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select tests.book_series('group', '23:00', array[12, 13], '{"service_code": "97154"}');
select is(
  tests.refusal(tests.edit('group', tests.days('22:00', array[12, 13]))), 'validation_failed series_id of_a_group',
  'a series of groups is not edited as a whole');
select tests.name_row('only held', (public.hold_sessions(tests.hold_request('north', array['10:00']) || tests.days('03:00', array[50, 51]))
  #>> '{data,hold_key}')::uuid);
select is(
  tests.refusal(tests.edit('only held', tests.days('02:00', array[50, 51]))), 'validation_failed series_id not_booked',
  'nor is one that is only held');

select tests.clear_authentication();
select is_empty($$ select fault from app.ledger_faults() $$, 'after all of it the ledger is sound');
select tests.act_as('anon', null);
select throws_ok($$ select public.update_series('{}') $$, '42501', null, 'nobody edits without signing in');

select * from finish();
rollback;
