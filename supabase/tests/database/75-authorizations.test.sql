-- Authorizations: what may be booked, what is drawn, and who is asked.
begin;
select plan(69);

select tests.create_clinic('north'), tests.create_clinic('south');
insert into public.payers (id, organization_id, name, requires_authorization, no_show_uses_units) values
  (tests.id('payer'), tests.id('north'), 'Payer', false, false),
  (tests.id('strict'), tests.id('north'), 'Strict', true, true),
  (tests.id('abroad'), tests.id('south'), 'Abroad', false, false);
insert into public.client_coverages (organization_id, client_id, payer_id, starts_on) values
  (tests.id('north'), tests.id('north aspen'), tests.id('payer'), current_date - 400),
  (tests.id('north'), tests.id('north birch'), tests.id('strict'), current_date - 400);

create function tests.call_as(who text, rpc text, request jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
  answer jsonb;
begin
  perform tests.authenticate_as(tests.id(who));
  execute pg_catalog.format('select public.%I(%L::jsonb)', rpc, request) into answer;
  perform tests.clear_authentication();
  return answer;
end
$$;
create function tests.problem(answer jsonb) returns text language sql set search_path = '' as $$
  select pg_catalog.concat_ws(' ', answer #>> '{problem,code}', answer #>> '{problem,errors,0,field}', answer #>> '{problem,errors,0,code}',
    answer #>> '{problem,conflicts,0,kind}')
$$;
create function tests.terms(changes jsonb default '{}') returns jsonb language sql set search_path = '' as $$
  select pg_catalog.jsonb_build_object('client_id', tests.id('north aspen'), 'payer_id', tests.id('payer'), 'authorization_number', 'A-1',
    'cpt_codes', '["97153", "97155"]'::jsonb, 'starts_on', current_date, 'ends_on', current_date + 100, 'units', 20) || changes
$$;
create function tests.save(label text, changes jsonb default '{}') returns text language plpgsql set search_path = '' as $$
declare
  answer jsonb := tests.call_as('north scheduler login', 'save_authorization', case
    when changes ? 'authorization_id' then changes else tests.terms(changes) end);
begin
  if answer ? 'data' then
    perform tests.name_row(label, (answer #>> '{data,authorization_id}')::uuid);
    return pg_catalog.concat_ws(' over ', answer #>> '{data,remaining_units}', nullif(answer #>> '{data,overridden_units}', '0'));
  end if;
  return tests.problem(answer);
end
$$;
create function tests.balances(label text) returns text language sql set search_path = '' as $$
  select pg_catalog.concat_ws(' ', reserved_units, scheduled_units, used_units, overridden_units) from public.authorizations where id = tests.id(label)
$$;
create function tests.book(label text, clock text, day integer, changes jsonb default '{}') returns text language plpgsql set search_path = '' as $$
declare
  -- Days of one week: 0 is its Monday.
  starts timestamptz := tests.at(clock, day + (8 - extract(isodow from current_date + 30)::integer) % 7);
  ends timestamptz := starts + coalesce(changes ->> 'length', '1 hour')::interval;
  answer jsonb := tests.call_as(coalesce(changes ->> 'who', 'north admin login'), 'hold_sessions', pg_catalog.jsonb_build_object(
    'therapist_id', tests.id(coalesce(changes ->> 'therapist', 'north rosa')), 'client_id', tests.id(coalesce(changes ->> 'client', 'north aspen')),
    'service_code', coalesce(changes ->> 'service', '97153'), 'time_zone', 'America/New_York',
    'occurrences', pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object(
      'start_time', starts, 'start_time_offset_minutes', app.utc_offset_minutes(starts, 'America/New_York'),
      'end_time', ends, 'end_time_offset_minutes', app.utc_offset_minutes(ends, 'America/New_York'))))
    || case when changes ? 'override' then pg_catalog.jsonb_build_object('authorization_override', pg_catalog.jsonb_build_object('reason', changes ->> 'override')) else '{}' end);
begin
  if answer ? 'problem' then
    return tests.problem(answer);
  end if;
  perform tests.name_row(label, (answer #>> '{data,hold_key}')::uuid);
  return 'held';
end
$$;

-- Entering

select is(tests.save('main'), '20', 'a scheduler enters an authorization');
select is(tests.save('other'), 'validation_failed cpt_codes overlaps_another', 'a second one for the same codes and days is refused');
select is(
  tests.save('other', '{"cpt_codes": ["97155", "97156"]}'), 'validation_failed cpt_codes overlaps_another', 'so is one that shares a code');
select is(
  tests.save('other', jsonb_build_object('starts_on', current_date + 100, 'ends_on', current_date + 110)),
  'validation_failed cpt_codes overlaps_another', 'or the last day');
select is(
  tests.save('later', jsonb_build_object('starts_on', current_date + 101, 'ends_on', current_date + 200)), '20',
  'the next one begins on the day after');
select is(tests.save('guidance', '{"cpt_codes": ["97156"], "kind": "schedule_only", "units": null}'), '', 'schedule_only has no units');
select throws_ok(
  $$ insert into public.authorization_codes (organization_id, authorization_id, client_id, payer_id, cpt_code, during)
    select organization_id, tests.id('later'), client_id, payer_id, '97155', daterange(current_date + 50, current_date + 60)
    from public.authorization_codes where authorization_id = tests.id('later') and cpt_code = '97153' $$,
  '23505', null, 'a code is listed once');
select throws_ok(
  $$ insert into public.authorizations (organization_id, client_id, payer_id, authorization_number, cpt_codes, starts_on, ends_on, units)
    values (tests.id('north'), tests.id('north aspen'), tests.id('payer'), 'A-9', '{97155}', current_date, current_date, 5) $$,
  '23P01', null, 'whoever writes, a constraint refuses what overlaps');
select is(tests.save('bad', changes), refusal, title)
from (values
  ('{"units": 0, "cpt_codes": ["97151"]}'::jsonb, 'validation_failed units out_of_range', 'no units are none'),
  ('{"units": -4, "cpt_codes": ["97151"]}', 'validation_failed units out_of_range', 'nor fewer than none'),
  ('{"units": 1000001, "cpt_codes": ["97151"]}', 'validation_failed units out_of_range', 'nor more than a million'),
  ('{"units": null, "cpt_codes": ["97151"]}', 'validation_failed units required', 'what is billable has units'),
  ('{"weekly_units": 0, "cpt_codes": ["97151"]}', 'validation_failed weekly_units out_of_range', 'a cap of none is refused'),
  ('{"kind": "schedule_only", "cpt_codes": ["97151"]}', 'validation_failed units not_allowed', 'schedule_only with units is refused'),
  ('{"kind": "free", "cpt_codes": ["97151"]}', 'validation_failed kind unknown', 'so is another kind'),
  ('{"cpt_codes": []}', 'validation_failed cpt_codes size', 'and no codes'),
  ('{"cpt_codes": ["00000"]}', 'validation_failed cpt_codes unknown', 'and a code that is none'),
  ('{"cpt_codes": ["97151", "97151"]}', 'validation_failed cpt_codes duplicate', 'and a code twice'),
  ('{"cpt_codes": ["97151"], "ends_on": "2001-01-01"}', 'validation_failed ends_on before_start', 'and an end before the start'),
  ('{"cpt_codes": ["97151"], "starts_on": "0044-03-15 BC"}', 'validation_failed starts_on out_of_range', 'and a start that no reader could read'),
  ('{"cpt_codes": ["97151"], "ends_on": "infinity"}', 'validation_failed ends_on out_of_range', 'and no end'),
  ('{"cpt_codes": ["97151"], "authorization_number": ""}', 'validation_failed authorization_number size', 'and a number without characters')
) given (changes, refusal, title);
select is(tests.save('bad', jsonb_build_object('payer_id', tests.id('abroad'))), 'not_found', 'another clinic''s payer is not found');
select is(tests.save('bad', jsonb_build_object('client_id', tests.id('south aspen'), 'payer_id', tests.id('payer'))), 'not_found', 'nor its client');

-- Booking

select is(tests.book('one', '09:00', 1), 'held', 'an hour is held');
select is(tests.balances('main'), '4 0 0 0', 'which reserves four units');
select is(tests.call_as('north admin login', 'confirm_sessions', jsonb_build_object('hold_key', tests.id('one'))) -> 'problem', null, 'confirming');
select is(tests.balances('main'), '0 4 0 0', 'schedules them');
select is(tests.book('two', '12:00', 1, '{"length": "4 hours 15 minutes"}'), 'authorization_exhausted units', 'more than is left is refused');
select is(tests.book('guide', '12:00', 1, '{"service": "97156", "length": "4 hours 15 minutes"}'), 'validation_failed service_code unknown', 'services are the clinic''s');
select is(
  (select array_agg(it ->> 'remaining_units')
    from jsonb_array_elements(tests.call_as('north admin login', 'read_authorizations', jsonb_build_object('client_id', tests.id('north aspen'))) #> '{data,authorizations}') it
    where it ->> 'authorization_id' = tests.id('main')::text),
  array['16'], 'reading says what is left');
select is(
  (select count(*) from audit.events
    where action = 'authorization.read' and organization_id = tests.id('north') and client_id = tests.id('north aspen')), 3::bigint,
  'and is on record');
select is(tests.save('main', jsonb_build_object('authorization_id', tests.id('main'), 'units', 3)), 'validation_failed units below_taken', 'it is not made smaller than what is taken');
select is(tests.save('main', jsonb_build_object('authorization_id', tests.id('main'), 'weekly_units', 3)), 'validation_failed weekly_units below_taken', 'nor a week');
select is(tests.save('main', jsonb_build_object('authorization_id', tests.id('main'), 'units', 8, 'weekly_units', 6, 'low_balance_percent', 25)), '4', 'but smaller, and with a cap');
select is(tests.book('two', '21:00', 1), 'authorization_exhausted week', 'the cap of the week is kept');
create function tests.days_offered(client text, length integer) returns integer[] language sql set search_path = '' as $$
  select coalesce(pg_catalog.array_agg(distinct (start::timestamptz at time zone 'America/New_York')::date - (current_date + 30 + monday)), '{}')
  from (values ((8 - extract(isodow from current_date + 30)::integer) % 7)) week (monday)
  cross join lateral pg_catalog.jsonb_array_elements_text(tests.call_as('north scheduler login', 'find_open_times', pg_catalog.jsonb_build_object(
    'client_id', tests.id(client), 'therapist_ids', pg_catalog.jsonb_build_array(tests.id('north rosa')), 'service_code', '97153',
    'duration_minutes', length, 'step_minutes', 60, 'time_zone', 'America/New_York',
    'range_start', tests.at('00:00', monday - 2), 'range_end', tests.at('00:00', monday + 9))) #> '{data,therapists,0,start_times}') start
$$;
select is(tests.days_offered('north aspen', 60), '{-2,-1,7,8}', 'and no time of that week is offered');
select is(tests.days_offered('north aspen', 30), '{-2,-1,0,1,2,3,4,5,6,7,8}', 'but for what its last units suffice');
select is(tests.days_offered('north aspen', 90), '{}', 'nor is one that takes more than is left');
select is(tests.days_offered('north birch', 60), '{}', 'nor where the payer asks for what nobody entered');

-- Overriding

select is(
  tests.book('over', '21:00', 1, '{"override": "A crisis", "who": "north scheduler login"}'), 'forbidden', 'a scheduler overrides nothing');
select is(tests.book('over', '21:00', 1, '{"override": "A crisis"}'), 'held', 'an admin does');
select is(tests.balances('main'), '2 4 0 2', 'what is beyond is counted apart');
select is(
  (select count(*)::integer from audit.events where action = 'authorization.overridden' and organization_id = tests.id('north')), 1, 'and is on record');
select is((select reason from public.authorization_entries where booking_id = tests.id('over')), 'A crisis', 'with its reason');
select is(tests.book('next', '09:00', 2), 'authorization_exhausted week', 'an override is no more than that booking''s');

-- Delivering

update public.sessions
set status = 'completed', actual_start_time = start_time, actual_end_time = start_time + interval '10 hours'
where id = tests.id('one');
select is(tests.balances('main'), '2 0 4 38', 'completing never fails: what was delivered beyond is counted apart');
select is(
  (select array_agg(alert ->> 'kind')
    from jsonb_array_elements(tests.call_as('north scheduler login', 'read_authorization_alerts', jsonb_build_object('organization_id', tests.id('north'))) #> '{data,alerts}') alert
    where alert ->> 'authorization_id' = tests.id('main')::text),
  array['low_balance', 'overdrawn'], 'a low balance is told, and what is overdrawn');

-- A payer that asks for authorizations

select is(tests.book('strict', '09:00', 3, '{"client": "north birch"}'), 'authorization_missing missing', 'without an authorization nothing is held');
select tests.clear_authentication();
select tests.add_session('before', 'north', '09:00', '{"day": 4, "client": "north birch"}');
select is(
  tests.save('birch', jsonb_build_object('client_id', tests.id('north birch'), 'payer_id', tests.id('strict'), 'units', 3)), '0 over 1',
  'what was booked before draws on an authorization that is entered late');
update public.sessions set status = 'no_show' where id = tests.id('before');
select is(tests.balances('birch'), '0 0 3 1', 'where the payer says so, a missed session takes its units');
select is(
  tests.call_as('north scheduler login', 'close_authorization', jsonb_build_object('authorization_id', tests.id('birch'))) #>> '{data,status}',
  'closed', 'an authorization is closed');
select is(tests.book('strict', '09:00', 3, '{"client": "north birch"}'), 'authorization_missing missing', 'and answers for nothing any more');

-- What changes after the booking

insert into public.client_coverages (id, organization_id, client_id, payer_id, starts_on)
values (tests.id('covered'), tests.id('north'), tests.id('north cedar'), tests.id('payer'), current_date - 400);
select tests.add_session('kept', 'north', '09:00', '{"therapist": "north theo", "client": "north cedar", "length": "2 hours"}');
select is(
  tests.save('typed', jsonb_build_object('client_id', tests.id('north cedar'), 'cpt_codes', '["97153"]'::jsonb, 'units', 3)), '0 over 5',
  'a number is typed wrong');
select is(
  tests.save('typed', jsonb_build_object('authorization_id', tests.id('typed'), 'low_balance_percent', 5)), '0 over 5', 'what is beyond stays beyond');
select is(
  tests.save('typed', jsonb_build_object('authorization_id', tests.id('typed'), 'units', 30)), '22',
  'put right, it is as if it had been right: nothing is beyond any more');
select is(
  tests.save('typed', jsonb_build_object('authorization_id', tests.id('typed'), 'ends_on', current_date + 10)), '30',
  'what an authorization covers no more draws nothing of it');
select is(
  tests.save('typed', jsonb_build_object('authorization_id', tests.id('typed'), 'ends_on', current_date + 100)), '22', 'until it does again');
select is(
  tests.save('next payer', jsonb_build_object(
    'client_id', tests.id('north cedar'), 'payer_id', tests.id('strict'), 'cpt_codes', '["97153"]'::jsonb)), '20',
  'the next payer authorizes before it covers');
update public.client_coverages set ends_on = current_date + 5 where id = tests.id('covered');
select is(tests.balances('typed'), '0 0 0 0', 'who does not cover the day any more authorizes nothing of it');
insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
values (tests.id('north'), tests.id('north cedar'), tests.id('strict'), current_date + 6);
select is(
  array[tests.balances('typed'), tests.balances('next payer')], array['0 0 0 0', '0 8 0 0'],
  'a session draws on the authorization of who covers its day by now');
select tests.save('typed', jsonb_build_object('authorization_id', tests.id('typed'), 'units', 20));
select tests.save('next payer', jsonb_build_object('authorization_id', tests.id('next payer'), 'low_balance_percent', 5));
select is((select count(*)::integer from public.authorization_entries where booking_id = tests.id('kept')), 6, 'a second look enters nothing');
update public.sessions set status = 'completed', actual_start_time = start_time, actual_end_time = end_time where id = tests.id('kept');
update public.client_coverages set starts_on = current_date + 60 where client_id = tests.id('north cedar') and payer_id = tests.id('strict');
update public.client_coverages set ends_on = current_date + 59 where id = tests.id('covered');
select is(
  array[tests.balances('typed'), tests.balances('next payer')], array['0 0 0 0', '0 0 8 0'],
  'what was delivered stays with who is charged for it');
select tests.save('typed', jsonb_build_object('authorization_id', tests.id('typed'), 'low_balance_percent', 6));
select is(
  (select array[tests.balances('typed'), it.payer_id::text, it.authorization_id::text]
    from app.billing_candidates(tests.id('north'), array[tests.id('kept')], false, null) it),
  array['0 0 0 0', tests.id('strict')::text, tests.id('next payer')::text], 'also when another authorization is saved: its claim names the authorization of its payer');
select app.reprice(tests.id('kept'));
select is(
  (select array[tests.balances('typed'), tests.balances('next payer'), it.payer_id::text, it.authorization_id::text]
    from app.billing_candidates(tests.id('north'), array[tests.id('kept')], false, null) it),
  array['0 0 8 0', '0 0 0 0', tests.id('payer')::text, tests.id('typed')::text], 'charged to another payer, it draws on the authorization of that one');
insert into public.payer_rules (organization_id, payer_id, starts_on, daily_unit_cap)
values (tests.id('north'), tests.id('payer'), current_date - 400, 3);
select app.reprice(tests.id('kept'));
select is(tests.balances('typed'), '0 0 3 0', 'charged for other units by a rule that was put right, it draws those');

select throws_ok(
  'delete from public.authorization_entries where booking_id = tests.id(''one'')', '23514', null, 'an entry is not taken back');
select is_empty(
  $$ select fault from app.authorization_faults() fault
    where authorization_id in (select id from public.authorizations where organization_id = tests.id('north')) $$,
  'the balances are the sum of the entries');
select is_empty('select fault from app.ledger_faults()', 'and the ledger of time agrees');
select * from finish();
rollback;
