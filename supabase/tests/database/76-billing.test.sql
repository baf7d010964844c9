-- Billing: what was billed stays, and freezes what it was made of, whoever writes.
begin;
select plan(46);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.fill_schedule('north'), tests.fill_schedule('south');
select tests.add_session('taken', 'north', '10:00', '{"day": -32, "status": "completed"}');
select tests.add_session('other', 'north', '12:00', '{"day": -32, "status": "completed"}');
select tests.add_session('theirs', 'south', '12:00', '{"day": -32, "status": "completed"}');

create function pg_temp.add_case(label text, changes jsonb default '{}') returns uuid language sql as $$
  insert into public.billing_cases (
    organization_id, claim_number, client_id, payer_id, therapist_id, place_of_service, month, frequency, replaces_case_id,
    payer_claim_number, batch_id, status)
  select tests.id('north'), (changes ->> 'number')::integer, tests.id(coalesce(changes ->> 'client', 'north birch')), tests.id('north payer'),
    tests.id('north rosa'), '11', coalesce((changes ->> 'month')::date, date_trunc('month', current_date)::date),
    coalesce(changes ->> 'frequency', '1'), tests.id(changes ->> 'replaces'), changes ->> 'known_as', tests.id(changes ->> 'batch'),
    coalesce(changes ->> 'status', 'open')
  returning tests.name_row(label, id)
$$;
create function pg_temp.add_line(label text, of_case text, changes jsonb default '{}') returns uuid language sql as $$
  insert into public.billing_lines (
    organization_id, case_id, session_id, status, line_number, service_date, cpt_code, modifiers, units, unit_cents, place_of_service)
  select tests.id('north'), tests.id(of_case), tests.id(coalesce(changes ->> 'session', 'taken')), coalesce(changes ->> 'status', 'billed'),
    coalesce((changes ->> 'number')::smallint, 1::smallint), date_trunc('month', current_date), '97153', '{HM}',
    coalesce((changes ->> 'units')::integer, 4), coalesce((changes ->> 'cents')::integer, 1500), '11'
  returning tests.name_row(label, id)
$$;
insert into public.billing_batches (id, organization_id, receiver_code, control_number, usage)
values (tests.id('batch'), tests.id('north'), 'RECEIVER', 1, 'test');
select pg_temp.add_case('claim', '{"number": 1}'), pg_temp.add_line('line', 'claim');

-- ---------------------------------------------------------------------------------------------------------
-- What stays, for the owner of the tables too
-- ---------------------------------------------------------------------------------------------------------

select throws_ok(format('update public.billing_cases set %s where id = tests.id(''claim'')', change), '23514', null, 'of a claim does not change: ' || change)
from unnest(array['client_id = tests.id(''north aspen'')', 'claim_number = 9', 'place_of_service = ''12''', 'month = ''2020-01-01''',
  'therapist_id = tests.id(''north theo'')', 'status = ''submitted''', 'status = ''paid''']) change;
select throws_ok(format('update public.billing_lines set %s where id = tests.id(''line'')', change), '23514', null, 'of a line does not change: ' || change)
from unnest(array['units = 5', 'unit_cents = 1', 'modifiers = ''{}''', 'session_id = tests.id(''other'')', 'service_date = ''2020-01-01''', 'status = ''reversal''']) change;
select throws_ok('update public.billing_batches set control_number = 2 where id = tests.id(''batch'')', '23514', null, 'a control number does not change');
select throws_ok(format('delete from public.%s where organization_id = tests.id(''north'')', relation), '23514', null, 'nobody deletes from ' || relation)
from unnest(array['billing_lines', 'billing_cases', 'billing_batches']) relation;
select is(
  (select count(*)::integer from pg_trigger
    where tgrelid in ('public.billing_lines'::regclass, 'public.billing_cases'::regclass, 'public.billing_batches'::regclass)
      and tgfoid = 'app.refuse_change()'::regprocedure and tgtype & 32 = 32 and tgenabled = 'O'),
  3, 'nobody empties them either');

-- ---------------------------------------------------------------------------------------------------------
-- One live claim a session
-- ---------------------------------------------------------------------------------------------------------

select pg_temp.add_case('second', '{"number": 2}');
select throws_ok($$ select pg_temp.add_line('again', 'second') $$, '23505', null, 'a session is on one live claim');
select lives_ok($$ select pg_temp.add_line('repeated', 'second', '{"status": "reversal"}') $$, 'a claim that takes it back repeats it');
select throws_ok($$ select pg_temp.add_line('foreign', 'second', '{"session": "theirs", "number": 2}') $$, '23503', null, 'another clinic''s session is on no claim');
select throws_ok($$ select pg_temp.add_line('none', 'second', '{"session": "other", "number": 3, "units": 0}') $$, '23514', null, 'a line has a unit');
select throws_ok($$ select pg_temp.add_line('far', 'second', '{"session": "other", "number": 51}') $$, '23514', null, 'a claim has at most fifty lines');
select throws_ok($$ select pg_temp.add_case('twin', '{"number": 1}') $$, '23505', null, 'a claim''s number is its own');
select throws_ok($$ select pg_temp.add_case('nothing', '{"number": 3, "frequency": "7"}') $$, '23514', null, 'what replaces says what');
select throws_ok($$ select pg_temp.add_case('unsent', '{"number": 3, "status": "paid"}') $$, '23514', null, 'what is paid was sent');
select throws_ok(
  $$ insert into public.billing_batches (organization_id, receiver_code, control_number, usage) values (tests.id('north'), 'RECEIVER', 1, 'test') $$,
  '23505', null, 'a control number is not used twice towards a receiver');

-- ---------------------------------------------------------------------------------------------------------
-- Frozen sessions
-- ---------------------------------------------------------------------------------------------------------

select throws_like(
  $$ update public.sessions set actual_end_time = actual_end_time - interval '1 minute' where id = tests.id('taken') $$,
  '%"sessions_frozen_while_billed"%', 'a session on a claim does not change');
select throws_like(
  $$ update public.session_charges set units = 3, rounded_minutes = 45 where session_id = tests.id('taken') and kind = 'actual' $$,
  '%"sessions_frozen_while_billed"%', 'nor does its actual charge');
select lives_ok(
  $$ update public.sessions set actual_end_time = actual_end_time - interval '1 minute' where id = tests.id('other') $$,
  'one that is not on a claim does');
-- acting as the service role
select tests.authenticate_as_service_role();
select throws_like(
  $$ update public.sessions set place_of_service = '12' where id = tests.id('taken') $$,
  '%"sessions_frozen_while_billed"%', 'the secret key does not help');
select throws_ok($$ update public.billing_lines set status = 'void' where id = tests.id('line') $$, '42501', null, 'nor does it void');
select tests.clear_authentication();
select bag_eq(
  $$ select fault from app.billing_faults() it where it.case_id in (tests.id('claim'), tests.id('second')) $$,
  array['not_as_charged', 'of_another_claim'], 'what does not agree is found: the line that nobody derived, the reversal on a first claim');
update public.billing_lines set status = 'void' where id = tests.id('line');
select lives_ok(
  $$ update public.sessions set actual_end_time = actual_end_time - interval '1 minute' where id = tests.id('taken') $$,
  'once the line is void it changes');
select throws_ok($$ update public.billing_lines set status = 'billed' where id = tests.id('line') $$, '23514', null, 'void is for good');

-- ---------------------------------------------------------------------------------------------------------
-- Reference data
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north scheduler login'));
select throws_like(
  format($$ update public.payers set filing_indicator = '%s' where id = tests.id('north payer') $$, 'XX'),
  '%payers_filing_indicator_known%', 'a filing indicator is one of X12''s');
select lives_ok(
  $$ insert into public.payer_rates (organization_id, payer_id, cpt_code, unit_cents, starts_on) values (tests.id('north'), tests.id('north payer'), '97153', 1500, '2027-01-01') $$,
  'schedulers enter rates');
select throws_ok(
  $$ insert into public.payer_rates (organization_id, payer_id, cpt_code, unit_cents, starts_on) values (tests.id('north'), tests.id('north payer'), '97153', 1600, '2028-01-01') $$,
  '23P01', null, 'a day has one rate');
select throws_ok(
  $$ insert into public.payer_rates (organization_id, payer_id, cpt_code, unit_cents, starts_on) values (tests.id('north'), tests.id('south payer'), '97153', 1600, '2028-01-01') $$,
  '23503', null, 'a rate is not another clinic''s payer''s');
select tests.authenticate_as(tests.id('north admin login'));
select lives_ok(
  format($$ update public.therapists set npi = '%s' where id = tests.id('north rosa') $$, npi), npi || ' is an NPI')
from unnest(array['1234567893', '1245319599', '1679576722']) npi;
select throws_like(
  format($$ update public.therapists set npi = '%s' where id = tests.id('north rosa') $$, npi), '%therapists_npi_valid%', npi || ' is none')
from unnest(array['1234567890', '1234567839', '123456789', '123456789X']) npi;

select * from finish();
rollback;
