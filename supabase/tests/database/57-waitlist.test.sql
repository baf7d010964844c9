-- The waitlist: who may join, what is refused, whom freed time is offered to, how an offer passes on, and who sees it.
begin;
select plan(93);

select tests.create_clinic('north'), tests.create_clinic('south');
select tests.create_user('family'), tests.create_user('other family');
insert into public.user_roles (organization_id, user_id, role) values
  (tests.id('north'), tests.id('family'), 'client'), (tests.id('north'), tests.id('other family'), 'client');
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on) values
  (tests.id('north'), tests.id('north aspen'), tests.id('family'), 'parent', current_date - 30),
  (tests.id('north'), tests.id('north cedar'), tests.id('other family'), 'parent', current_date - 30);
insert into public.clients (id, organization_id, full_name) values (tests.id('north dogwood'), tests.id('north'), 'north dogwood');

create function tests.any_time() returns jsonb language sql immutable set search_path = '' as $$
  select jsonb_agg(jsonb_build_object('weekday', day, 'local_start', '00:00', 'local_end', '24:00')) from pg_catalog.generate_series(1, 7) day
$$;
create function tests.join_request(client text, changes jsonb default '{}') returns jsonb language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'client_id', tests.id(client), 'service_code', '97153', 'duration_minutes', 60, 'time_zone', 'America/New_York',
    'wanted_from', (now() at time zone 'America/New_York')::date, 'wanted_times', tests.any_time()) || changes
$$;
comment on function tests.join_request is 'A request to wait for an hour of 97153 at any time of any day, but for the changes.';
create function tests.answer(hold uuid, answer text, changes jsonb default '{}') returns jsonb language sql set search_path = '' as $$
  select public.answer_offer(jsonb_build_object('hold_key', hold, 'answer', answer) || changes)
$$;
create function tests.offer_of(client text) returns uuid language sql stable security definer set search_path = '' as $$
  select id from public.session_holds where client_id = tests.id(client) and waitlist_entry_id is not null
  order by created_at desc limit 1
$$;
create function tests.offers() returns text[] language sql stable security definer set search_path = '' as $$
  select coalesce(array_agg(client.full_name || pg_catalog.to_char(offer.start_time at time zone 'America/New_York', ' HH24:MI') order by offer.start_time), '{}')
  from public.session_holds offer
  join public.clients client on client.id = offer.client_id
  where offer.organization_id = tests.id('north') and offer.waitlist_entry_id is not null and offer.status = 'held'
    and offer.expires_at > clock_timestamp()
$$;
comment on function tests.offers is 'Who is offered which time now.';
-- As the owner: what arranges a case.
create function tests.wait(client text, changes jsonb default '{}') returns void language sql set search_path = '' as $$
  with entry as (
    insert into public.waitlist_entries (
      organization_id, client_id, service_id, therapist_id, duration_minutes, wanted_from, wanted_until, time_zone)
    select tests.id('north'), tests.id(client), tests.id(coalesce(changes ->> 'service', 'north 97153')), tests.id(changes ->> 'therapist'),
      coalesce((changes ->> 'minutes')::integer, 60), coalesce((changes ->> 'from')::date, current_date - 1),
      (changes ->> 'until')::date, 'America/New_York'
    returning id, client_id
  )
  insert into public.waitlist_times (organization_id, entry_id, client_id, weekday, local_start, local_end)
  select tests.id('north'), entry.id, entry.client_id, day,
    coalesce(changes ->> 'start', '00:00')::time, coalesce(changes ->> 'end', '24:00')::time
  from entry cross join pg_catalog.generate_series(1, 7) day
$$;
create function tests.free(clock text, changes jsonb default '{}') returns text[] language plpgsql set search_path = '' as $$
declare
  session uuid := tests.add_session('freed ' || clock, 'north', clock, '{"client": "north dogwood"}' || changes);
begin
  update public.sessions set status = 'cancelled', cancelled_by = coalesce(changes ->> 'by', 'clinic') where id = session;
  perform app.offer_freed_time(tests.id('north'), array[session]);
  return tests.offers();
end
$$;
create function tests.start_over() returns void language sql set search_path = '' as $$
  update public.session_holds set status = 'released'
  where organization_id = tests.id('north') and waitlist_entry_id is not null and status = 'held';
  update public.waitlist_entries set status = 'withdrawn' where organization_id = tests.id('north') and status = 'waiting';
  update public.sessions set cancelled_by = 'therapist' where organization_id = tests.id('north') and status = 'cancelled';
  update public.sessions set status = 'cancelled', cancelled_by = 'therapist'
  where organization_id = tests.id('north') and status = 'scheduled';
$$;
create function tests.let_expire(hold uuid) returns void language sql set search_path = '' as $$
  update public.session_holds set expires_at = clock_timestamp() - interval '1 second' where id = hold
$$;
grant execute on function tests.any_time, tests.join_request, tests.answer, tests.offer_of, tests.offers to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- Joining
-- ---------------------------------------------------------------------------------------------------------

-- acting as a scheduler
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  array[public.join_waitlist(tests.join_request('north aspen', refused.changes)) #>> '{problem,errors,0,field}',
    public.join_waitlist(tests.join_request('north aspen', refused.changes)) #>> '{problem,errors,0,code}'],
  array[refused.field, refused.code], refused.name)
from (values
  ('{"time_zone": "Mars/Olympus"}'::jsonb, 'time_zone', 'unknown', 'an unknown zone is refused'),
  ('{"time_zone": null}', 'time_zone', 'unknown', 'a zone is required'),
  ('{"service_code": "99999"}', 'service_code', 'unknown', 'an unknown service is refused'),
  ('{"service_code": "97154"}', 'service_code', 'not_waited_for', 'a place in a group is not waited for'),
  ('{"wanted_times": [{"weekday": 9, "local_start": "09:00", "local_end": "11:00"}]}', 'wanted_times[0].weekday', 'out_of_range', 'a weekday of 9 is refused'),
  ('{"wanted_times": [{"weekday": 99999999, "local_start": "09:00", "local_end": "11:00"}]}', 'wanted_times[0].weekday', 'out_of_range', 'so is one that no column could hold'),
  ('{"wanted_times": [{"weekday": "Monday", "local_start": "09:00", "local_end": "11:00"}]}', 'wanted_times[0].weekday', 'invalid_value', 'a weekday is a number'),
  ('{"wanted_times": [{"weekday": 1, "local_start": "25:00", "local_end": "26:00"}]}', 'wanted_times[0].local_start', 'invalid_value', 'a time of the day is refused by name'),
  ('{"wanted_times": [{"weekday": 1, "local_start": "now", "local_end": "24:00"}]}', 'wanted_times[0].local_start', 'invalid_value', 'a time of the day is given by its digits'),
  ('{"wanted_times": [{"weekday": 1, "local_start": "09:00"}]}', 'wanted_times[0].local_end', 'required', 'a wanted time has an end'),
  ('{"wanted_times": [{"weekday": 1, "local_start": "09:00", "local_end": "09:00"}]}', 'wanted_times[0]', 'not_after_start', 'a wanted time of zero minutes is refused'),
  ('{"wanted_times": [{"weekday": 1, "local_start": "09:00", "local_end": "11:00"}, {"weekday": 2, "local_start": "09:00", "local_end": "11:00"}, {"weekday": 1, "local_start": "10:00", "local_end": "12:00"}]}',
    'wanted_times[2]', 'overlaps_another', 'wanted times that overlap are refused'),
  ('{"wanted_times": [{"weekday": 1, "local_start": "09:00", "local_end": "09:59"}]}', 'wanted_times[0]', 'shorter_than_session', 'a wanted time that is shorter than the session is refused'),
  ('{"wanted_times": []}', 'wanted_times', 'size', 'no wanted times are refused'),
  ('{"wanted_times": null}', 'wanted_times', 'size', 'wanted times are required'),
  (jsonb_build_object('wanted_times', array(select tests.any_time() -> 0 from generate_series(1, 51))), 'wanted_times', 'size', '51 wanted times are refused'),
  ('{"duration_minutes": 0}', 'duration_minutes', 'out_of_range', 'a session of no minutes is refused'),
  ('{"duration_minutes": null}', 'duration_minutes', 'required', 'a length is required'),
  ('{"wanted_from": "2020-01-01"}', 'wanted_from', 'in_the_past', 'a day that is past is refused'),
  ('{"wanted_from": "soon"}', 'wanted_from', 'invalid_value', 'a day that is no date is refused'),
  (jsonb_build_object('wanted_from', current_date + 9, 'wanted_until', current_date + 8), 'wanted_until', 'before_wanted_from', 'dates in reverse are refused'),
  (jsonb_build_object('wanted_from', current_date + 3650), 'wanted_from', 'too_far', 'a day ten years away is refused'),
  (jsonb_build_object('wanted_until', current_date + 3650), 'wanted_until', 'too_far', 'a wait of ten years is refused')
) refused (changes, field, code, name);
select is(
  public.join_waitlist(tests.join_request('north aspen', jsonb_build_object('therapist_id', tests.id('south rosa')))) #>> '{problem,code}', 'not_found',
  'a therapist of another clinic is not found');
select is(public.join_waitlist('{}') #>> '{problem,code}', 'not_found', 'a request that names nobody is answered');

select tests.authenticate_as(tests.id('north theo login'));
select is(
  public.join_waitlist(tests.join_request('north aspen')) #>> '{problem,code}', 'not_found',
  'a therapist does not put a client on the waitlist whom they do not treat');
select tests.authenticate_as(tests.id('other family'));
select is(public.join_waitlist(tests.join_request('north aspen')) #>> '{problem,code}', 'not_found', 'a family does not put another''s child on the waitlist');
select tests.authenticate_as(tests.id('south scheduler login'));
select is(public.join_waitlist(tests.join_request('north aspen')) #>> '{problem,code}', 'not_found', 'another clinic does not put a client on the waitlist');
select tests.clear_authentication();
select is_empty($$ select from public.waitlist_entries where organization_id = tests.id('north') $$, 'the refused calls put nobody on the waitlist');

-- acting as the family, as the therapist, and as the scheduler
select tests.authenticate_as(tests.id('family'));
select tests.keep('aspen', public.join_waitlist(tests.join_request('north aspen')) #> '{data,entry}');
select is(
  tests.kept('aspen') - '{id,wanted_from}'::text[],
  jsonb_build_object(
    'client_id', tests.id('north aspen'), 'service_code', '97153', 'therapist_id', null, 'duration_minutes', 60,
    'wanted_until', null, 'time_zone', 'America/New_York', 'status', 'waiting', 'wanted_times', tests.any_time(), 'offer', null),
  'a family puts its child on the waitlist, and the answer says what it waits for');
select is(
  array[answer #>> '{problem,errors,0,field}', answer #>> '{problem,errors,0,code}'], array['client_id', 'already_waiting'],
  'a client who waits for a service does not wait for it again')
from public.join_waitlist(tests.join_request('north aspen')) answer;
select tests.authenticate_as(tests.id('north rosa login'));
select is(public.join_waitlist(tests.join_request('north birch')) -> 'problem', null, 'a therapist puts a client on the waitlist');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(public.join_waitlist(tests.join_request('north cedar')) -> 'problem', null, 'a scheduler puts any client on the waitlist');
select tests.clear_authentication();
select throws_ok(
  $$ select tests.wait('north aspen') $$, '23505', null, 'the table itself does not let a client wait for a service twice');

-- ---------------------------------------------------------------------------------------------------------
-- Offering, and who sees an offer
-- ---------------------------------------------------------------------------------------------------------

select tests.add_session('given back', 'north', '10:00', '{"client": "north cedar"}');
-- acting as a scheduler
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  public.cancel_sessions(jsonb_build_object('session_ids', array[tests.id('given back')], 'cancelled_by', 'client')) #>> '{data,cancelled,0,id}',
  tests.id('given back')::text, 'a session is cancelled');
select is(tests.offers(), array['north aspen 10:00'], 'its time is offered to who came first of those whom the therapist treats');
select is(
  (select count(*)::integer from public.session_holds where id = tests.offer_of('north aspen') and created_by is null
    and expires_at between clock_timestamp() + interval '119 minutes' and clock_timestamp() + interval '2 hours'), 1,
  'the offer is a hold of nobody''s, for as long as the organization gives');
select is(
  public.confirm_sessions(jsonb_build_object('hold_key', tests.offer_of('north aspen'))) #>> '{problem,code}', 'forbidden', 'an offer is not confirmed round the waitlist');
select is(
  public.hold_sessions(tests.hold_request('north', array['10:00'])) #>> '{problem,code}', 'therapist_conflict', 'nobody else books a time that is offered');

select tests.authenticate_as(tests.id('family'));
select is(
  array[(select count(*) from public.session_holds), (select count(*) from public.waitlist_entries), (select count(*) from public.waitlist_times)],
  array[1, 1, 7]::bigint[], 'a family sees its own entry and its own offer');
select tests.authenticate_as(tests.id('other family'));
select is(
  array[(select count(*) from public.session_holds), (select count(*) from public.waitlist_entries), (select count(*) from public.waitlist_times)],
  array[0, 1, 7]::bigint[], 'another family sees its own entry and nobody''s offer');
select tests.authenticate_as(tests.id('north theo login'));
select is(
  array[(select count(*) from public.session_holds), (select count(*) from public.waitlist_entries where client_id = tests.id('north aspen'))],
  array[0, 0]::bigint[], 'a therapist sees neither a colleague''s offer nor the entry of a client they do not treat');
select tests.authenticate_as(tests.id('south admin login'));
select is(
  array[(select count(*) from public.session_holds), (select count(*) from public.waitlist_entries), (select count(*) from public.waitlist_times)],
  array[0, 0, 0]::bigint[], 'another clinic sees nothing');
select is(tests.answer(tests.offer_of('north aspen'), 'decline') #>> '{problem,code}', 'not_found', 'another clinic does not answer an offer');
select tests.authenticate_as(tests.id('other family'));
select is(tests.answer(tests.offer_of('north aspen'), 'accept') #>> '{problem,code}', 'not_found', 'another family does not answer an offer');
select is(
  public.leave_waitlist(jsonb_build_object('waitlist_entry_id', tests.kept('aspen') -> 'id')) #>> '{problem,code}', 'not_found',
  'another family does not take a child off the waitlist');
select tests.authenticate_as(tests.id('north theo login'));
select is(tests.answer(tests.offer_of('north aspen'), 'decline') #>> '{problem,code}', 'not_found', 'a colleague does not answer an offer');

-- ---------------------------------------------------------------------------------------------------------
-- Answering
-- ---------------------------------------------------------------------------------------------------------

-- acting as the family
select tests.authenticate_as(tests.id('family'));
select is(
  tests.answer(tests.offer_of('north aspen'), 'perhaps') #>> '{problem,errors,0,field}', 'answer', 'an answer is yes or no');
select is(
  answer #>> '{problem,errors,0,field}', 'session', 'a family does not say where a session takes place')
from tests.answer(tests.offer_of('north aspen'), 'accept', '{"session": {"place_of_service": "12"}}') answer;
select is((select count(*) from public.sessions where id = tests.offer_of('north aspen')), 0::bigint, 'and books nothing by saying it');
select tests.keep('declined', to_jsonb(tests.offer_of('north aspen')));
select is(
  array[answer #>> '{data,entry,status}', answer #>> '{data,entry,offer}', answer -> 'data' ->> 'session'], array['waiting', null, null],
  'a family declines and waits on')
from tests.answer((tests.kept('declined') #>> '{}')::uuid, 'decline') answer;
select is(tests.offers(), array['north birch 10:00'], 'what is declined is offered to the next at once');
select is(tests.answer((tests.kept('declined') #>> '{}')::uuid, 'decline') -> 'problem', null, 'declining again is no error');
select is(tests.offers(), array['north birch 10:00'], 'and takes nothing from the next');

-- acting as a scheduler
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  jsonb_array_length(public.cancel_sessions(jsonb_build_object('hold_key', tests.offer_of('north birch'))) #> '{data,cancelled}'), 1,
  'a scheduler releases an offer by its key');
select is(tests.offers(), '{}', 'who let a time go is not offered it again');
select tests.clear_authentication();
select is(app.sweep_waitlist(only_organization => tests.id('north')), 0, 'nor by a sweep');

select tests.wait('north dogwood');
insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
values (tests.id('north'), tests.id('north rosa'), tests.id('north dogwood'), 'therapist', current_date);
select is(app.sweep_waitlist(only_organization => tests.id('north')), 1, 'freed time that is open still is offered to who has joined since');
-- acting as Rosa, whose time it is
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  array[answer #>> '{data,entry,status}', answer #>> '{data,session,status}', answer #>> '{data,session,place_of_service}', answer #>> '{data,session,id}'],
  array['booked', 'scheduled', '12', tests.offer_of('north dogwood')::text], 'accepting an offer books it')
from tests.answer(tests.offer_of('north dogwood'), 'accept', '{"session": {"place_of_service": "12"}}') answer;
select is(
  array[answer #>> '{problem,code}', answer #>> '{problem,session_ids,0}'], array['hold_confirmed', tests.offer_of('north dogwood')::text], 'what was accepted is not declined any more')
from tests.answer(tests.offer_of('north dogwood'), 'decline') answer;
select is(
  answer #>> '{problem,code}', 'hold_confirmed', 'nor accepted again')
from tests.answer(tests.offer_of('north dogwood'), 'accept') answer;
select tests.clear_authentication();
select is(
  (select array_agg(action || coalesce(' ' || actor_id::text, '') order by id) from audit.events where action !~ '^row\.' and row_id = (select waitlist_entry_id from public.session_holds where id = tests.offer_of('north dogwood'))),
  array['waitlist.offered', 'waitlist.booked ' || tests.id('north rosa login')], 'the trail says that it was offered, by nobody, and who booked it');

-- ---------------------------------------------------------------------------------------------------------
-- Leaving
-- ---------------------------------------------------------------------------------------------------------

select tests.start_over(), tests.wait('north aspen'), tests.wait('north birch');
select is(tests.free('11:00'), array['north aspen 11:00'], 'first come, first served');
select throws_ok(
  $$ insert into public.session_holds (
      organization_id, batch_key, therapist_id, client_id, service_id, start_time, end_time, time_zone, waitlist_entry_id, expires_at)
    select organization_id, gen_random_uuid(), therapist_id, client_id, service_id, start_time + interval '30 days',
      end_time + interval '30 days', time_zone, waitlist_entry_id, expires_at
    from public.session_holds where id = tests.offer_of('north aspen') $$,
  '23505', 'duplicate key value violates unique constraint "session_holds_one_offer_per_entry_idx"',
  'an entry has one live offer, whoever writes another');
-- acting as the family
select tests.authenticate_as(tests.id('family'));
select is(
  (select array_agg(public.leave_waitlist(jsonb_build_object('waitlist_entry_id', entry.id)) #>> '{data,entry,status}')
    from public.waitlist_entries entry cross join generate_series(1, 2) twice where entry.status = 'waiting'),
  array['withdrawn', 'withdrawn'], 'a family takes its child off the waitlist, and once more without an error');
select is(tests.offers(), array['north birch 11:00'], 'what it was offered passes to the next');

-- ---------------------------------------------------------------------------------------------------------
-- Expiry
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
select tests.start_over(), tests.wait('north aspen'), tests.wait('north birch');
select is(tests.free('12:00'), array['north aspen 12:00'], 'a time is offered to the first');
select tests.let_expire(tests.offer_of('north aspen'));
select tests.authenticate_as(tests.id('family'));
select is(
  array[answer #>> '{problem,code}', answer #>> '{problem,still_free}'], array['hold_expired', 'true'], 'an offer that has run out is not accepted')
from tests.answer(tests.offer_of('north aspen'), 'accept') answer;
select tests.clear_authentication();
select is(app.sweep_waitlist(only_organization => tests.id('north')), 1, 'a sweep passes it on');
select is(tests.offers(), array['north birch 12:00'], 'to the next');
select is(app.sweep_waitlist(only_organization => tests.id('north')), 0, 'and once only');
select tests.let_expire(tests.offer_of('north birch'));
select app.expire_holds(array[tests.offer_of('north birch')]);
select tests.wait('north dogwood');
select is(app.sweep_waitlist(only_organization => tests.id('north')), 1, 'whoever ended an expired offer, it passes on');

select tests.start_over(), tests.wait('north aspen'), tests.wait('north birch');
select is(tests.free('13:00'), array['north aspen 13:00'], 'a time is offered');
select tests.let_expire(tests.offer_of('north aspen'));
select tests.authenticate_as(tests.id('north scheduler login'));
select is(public.hold_sessions(tests.hold_request('north', array['13:00'])) -> 'problem', null, 'whoever books the time of an expired offer has it');
select tests.clear_authentication();
select is(app.sweep_waitlist(only_organization => tests.id('north')), 0, 'and nothing is offered');
update public.session_holds set status = 'released' where organization_id = tests.id('north') and status = 'held';

-- ---------------------------------------------------------------------------------------------------------
-- Whom, and which part of the time
-- ---------------------------------------------------------------------------------------------------------

insert into public.services (id, organization_id, service_code, name, cpt_code, credentials)
values (tests.id('for BCBAs'), tests.id('north'), 'BCBA', 'for BCBAs', '97151', '{BCBA}');
insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
values (tests.id('north'), tests.id('north rosa'), tests.id('north cedar'), 'therapist', current_date + 31);

-- Each case alone: who waits, what comes free, and what is offered.
create function tests.case_of(waits jsonb, clock text, changes jsonb) returns text[] language plpgsql set search_path = '' as $$
declare
  outcome text[];
begin
  perform tests.start_over();
  perform tests.wait(entry ->> 'client', entry) from pg_catalog.jsonb_array_elements(waits) entry;
  outcome := tests.free(clock, changes);
  perform tests.start_over();
  return outcome;
end
$$;
select is(tests.case_of(given.waits::jsonb, given.clock, given.changes::jsonb), given.offered, given.name)
from (values
  ('[{"client": "north aspen", "therapist": "north theo"}, {"client": "north birch"}]', '14:00', '{}', array['north birch 14:00'], 'who waits for another therapist is passed over'),
  ('[{"client": "north aspen", "service": "for BCBAs"}, {"client": "north birch"}]', '14:00', '{}', array['north birch 14:00'], 'who waits for another credential is passed over'),
  ('[{"client": "north cedar"}, {"client": "north birch"}]', '14:00', '{}', array['north birch 14:00'], 'who has the therapist on its care team from tomorrow on is passed over'),
  ('[{"client": "north cedar"}, {"client": "north birch"}]', '14:00', '{"day": 1}', array['north cedar 14:00'], 'and on that day is not'),
  ('[{"client": "north aspen", "end": "14:45"}, {"client": "north birch"}]', '14:00', '{}', array['north birch 14:00'], 'who cannot come for the whole hour is passed over'),
  ('[{"client": "north aspen", "minutes": 61}, {"client": "north birch"}]', '14:00', '{}', array['north birch 14:00'], 'who needs more time than there is is passed over'),
  ('[{"client": "north aspen", "minutes": 30, "start": "14:10"}, {"client": "north birch", "minutes": 15}]', '14:00', '{}', array['north birch 14:00', 'north aspen 14:15'],
    'who can come later starts on the next quarter of an hour, and the rest goes to the next'),
  ('[{"client": "north aspen", "minutes": 50}]', '14:05', '{}', array['north aspen 14:05'], 'freed time is offered from its own start'),
  ('[{"client": "north birch"}]', '14:00', '{"client": "north birch", "by": "client"}', '{}', 'who gave the time back is not offered it'),
  ('[{"client": "north birch"}]', '14:00', '{"client": "north aspen", "by": "therapist"}', '{}', 'the time of a therapist who cancelled is not offered'),
  ('[{"client": "north birch"}]', '14:00', '{"day": -40}', '{}', 'nor is time that is past')
) given (waits, clock, changes, offered, name);

select tests.wait('north aspen', jsonb_build_object('until', current_date + 29)), tests.wait('north birch', jsonb_build_object('from', current_date + 31));
select is(tests.free('15:00'), '{}', 'outside of the days that somebody waits for nothing is offered');
select tests.start_over(), tests.wait('north aspen'), tests.wait('north birch');
select tests.add_session('elsewhere', 'north', '15:30', '{"therapist": "north theo", "client": "north aspen"}');
select is(tests.free('15:00'), array['north birch 15:00'], 'whose own time is taken is passed over');
select is(tests.free('17:00'), array['north birch 15:00', 'north aspen 17:00'], 'who has an offer gets no second one');

select tests.start_over(), tests.wait('north aspen'), tests.wait('north birch');
update public.clients set status = 'archived' where id = tests.id('north aspen');
select is(tests.free('18:00'), array['north birch 18:00'], 'an archived client is passed over');

-- Two times come free, and only the later is on a day that the payer authorized.
select tests.start_over(), tests.free('04:00'), tests.free('05:00', '{"day": 7}');
insert into public.payers (id, organization_id, name, requires_authorization) values (tests.id('payer'), tests.id('north'), 'Payer', true);
insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
values (tests.id('north'), tests.id('north birch'), tests.id('payer'), current_date - 30);
select tests.authenticate_as(tests.id('north scheduler login'));
select public.save_authorization(jsonb_build_object(
  'client_id', tests.id('north birch'), 'payer_id', tests.id('payer'), 'authorization_number', 'A-1', 'cpt_codes', '{97153}'::text[],
  'starts_on', current_date + 37, 'ends_on', current_date + 100, 'units', 100)) ? 'data';
select tests.clear_authentication();
select tests.wait('north birch');
select app.sweep_waitlist(only_organization => tests.id('north'));
select is(tests.offers(), array['north birch 05:00'], 'who lacks units for one time is offered the next');
update public.client_coverages set ends_on = current_date - 20 where client_id = tests.id('north birch');

-- A session that begins within the two hours of an offer.
select tests.start_over(), tests.wait('north birch');
insert into public.sessions (id, organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, status, cancelled_by)
values (tests.id('soon'), tests.id('north'), tests.id('north rosa'), tests.id('north dogwood'), tests.id('north 97153'),
  now() + interval '1 hour', now() + interval '2 hours', 'America/New_York', 'cancelled', 'clinic');
select app.offer_freed_time(tests.id('north'), array[tests.id('soon')]);
select is(
  (select expires_at from public.session_holds where id = tests.offer_of('north birch')), now() + interval '1 hour',
  'an offer ends when its time begins');

select is_empty('select * from app.ledger_faults()', 'the ledger, the holds and the sessions agree');

select * from finish();
rollback;
