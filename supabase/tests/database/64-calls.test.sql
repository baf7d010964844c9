-- What every call has in common: idempotency keys, the second factor, the rate limit.
begin;
select plan(46);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
insert into public.user_roles (organization_id, user_id, role) values (tests.id('south'), tests.id('north scheduler login'), 'internal_ops');

-- ---------------------------------------------------------------------------------------------------------
-- Idempotency keys
-- ---------------------------------------------------------------------------------------------------------

-- acting as a scheduler of North and South
select tests.authenticate_as(tests.id('north scheduler login'));
select tests.keep('first', public.hold_sessions(tests.hold_request('north', array['10:00']), 'key-1'));
select is(tests.kept('first') -> 'replayed', 'false', 'a first call is not a replay');
select is(
  public.hold_sessions(tests.hold_request('north', array['10:00']), 'key-1'), tests.kept('first') || '{"replayed": true}',
  'the same key and request give the first success again');
select is((select count(*)::integer from public.session_holds), 1, 'a replay does nothing again');
select is(
  public.hold_sessions(tests.hold_request('north', array['11:00']), 'key-1') #>> '{problem,code}', 'idempotency_key_reused',
  'the same key with another request is refused');
select is(
  public.hold_sessions(tests.hold_request('north', array['10:00']), 'key-2') #>> '{problem,code}', 'therapist_conflict',
  'the same request with another key is another call');
select is(
  public.confirm_sessions(jsonb_build_object('hold_key', tests.kept('first') #> '{data,hold_key}'), 'key-1') -> 'replayed', 'false',
  'a key is of one operation: confirming with the key of the hold is another call');
select is(
  public.confirm_sessions(jsonb_build_object('hold_key', tests.kept('first') #> '{data,hold_key}'), 'key-1') -> 'replayed', 'true',
  'confirming again with its key gives the first success, where without it the hold has ended');
select is(
  public.hold_sessions(tests.hold_request('south', array['10:00']), 'key-1') -> 'replayed', 'false', 'a key is of one clinic');
-- acting as another user
select tests.authenticate_as(tests.id('north admin login'));
select tests.keep('other', public.hold_sessions(tests.hold_request('north', array['12:00']), 'key-1'));
select is(tests.kept('other') -> 'replayed', 'false', 'a key is of one user: another''s same key is another call');

-- acting as the scheduler: refusals are not kept
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  public.hold_sessions(tests.hold_request('north', array['12:00']), 'key-3') #>> '{problem,code}', 'therapist_conflict', 'a call is refused');
select tests.authenticate_as(tests.id('north admin login'));
select is(
  public.cancel_sessions(jsonb_build_object('hold_key', tests.kept('other') #> '{data,hold_key}')) -> 'problem', null, 'what stood in the way is gone');
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  public.hold_sessions(tests.hold_request('north', array['12:00']), 'key-3') -> 'replayed', 'false', 'the same key may succeed after a refusal');

select is(public.hold_sessions(tests.hold_request('north', array['14:00']), key) #>> '{problem,code}', code, name)
from (values
  ('', 'idempotency_key_invalid', 'an empty key is refused'),
  (repeat('k', 256), 'idempotency_key_invalid', 'a key of 256 characters is refused'),
  ('a b', 'idempotency_key_invalid', 'a key with a space is refused'),
  ('clé', 'idempotency_key_invalid', 'a key with a character outside ASCII is refused')
) refused (key, code, name);
select is(public.hold_sessions(tests.hold_request('north', array['14:00']), repeat('k', 255)) -> 'problem', null, 'a key of 255 characters is accepted');

-- acting as the owner: a day later
select tests.clear_authentication();
select ok(
  (select bool_and(expires_at between created_at + interval '24 hours' and created_at + interval '24 hours 1 second')
    from public.idempotency_keys where organization_id = tests.id('north')),
  'a key is kept for 24 hours');
update public.idempotency_keys set expires_at = clock_timestamp() where organization_id = tests.id('north') and operation = 'hold_sessions';
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  public.hold_sessions(tests.hold_request('north', array['10:00']), 'key-1') #>> '{problem,code}', 'therapist_conflict', 'a key that is past that is a new one');
select throws_ok('select key from public.idempotency_keys', '42501', null, 'nobody reads the keys');

-- ---------------------------------------------------------------------------------------------------------
-- The second factor
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
update public.organizations set requires_mfa = true where id = tests.id('west');
select tests.add_session('west session', 'west', '08:00'), tests.add_hold('west hold', 'west', '09:00');
-- acting as an admin of West who gave a password only
select tests.authenticate_as(tests.id('west admin login'), 'aal1');
select is(
  public.hold_sessions(tests.hold_request('west', array['10:00'])) #>> '{problem,code}', 'mfa_required',
  'where a second factor is demanded, holding needs it');
select is(public.confirm_sessions(jsonb_build_object('hold_key', tests.id('west hold'))) #>> '{problem,code}', 'mfa_required', 'and confirming');
select is(
  public.cancel_sessions(jsonb_build_object('session_ids', array[tests.id('west session')], 'cancelled_by', 'clinic')) #>> '{problem,code}',
  'mfa_required', 'and cancelling');
-- acting as a token that does not say, and as one that has it
select tests.authenticate_as(tests.id('west admin login'), null);
select is(public.hold_sessions(tests.hold_request('west', array['10:00'])) #>> '{problem,code}', 'mfa_required', 'a token that does not say has no second factor');
select tests.authenticate_as(tests.id('west admin login'), 'aal2');
select is(public.hold_sessions(tests.hold_request('west', array['10:00'])) -> 'problem', null, 'with a second factor the same call is granted');
-- acting as somebody from elsewhere
select tests.authenticate_as(tests.id('south admin login'), 'aal1');
select is(
  public.hold_sessions(tests.hold_request('west', array['10:00'])) #>> '{problem,code}', 'not_found', 'who is from elsewhere does not learn that a second factor is demanded');

-- ---------------------------------------------------------------------------------------------------------
-- The rate limit
-- ---------------------------------------------------------------------------------------------------------

select tests.clear_authentication();
update public.organizations set calls_per_minute = 1 where id = tests.id('south');
-- acting as South's scheduler: of three calls at most one minute begins anew between two
select tests.authenticate_as(tests.id('south scheduler login'));
select tests.keep('calls', jsonb_build_array(
  public.hold_sessions(tests.hold_request('south', array['13:00'])),
  public.hold_sessions(tests.hold_request('south', array['13:00'])),
  public.hold_sessions(tests.hold_request('south', array['13:00']))));
select is(tests.kept('calls') #> '{0,problem}', null, 'a call within the minute''s allowance is granted');
select is(
  jsonb_path_query_first(tests.kept('calls'), '$[*].problem.code ? (@ == "rate_limited")'), '"rate_limited"', 'a call beyond it is refused');
select ok(
  jsonb_path_query_first(tests.kept('calls'), '$[*].problem ? (@.code == "rate_limited").retry_after')::integer between 1 and 60,
  'the refusal says in how many seconds the minute ends');
-- acting as a colleague
select tests.authenticate_as(tests.id('south rosa login'));
select is(public.hold_sessions(tests.hold_request('south', array['15:00'])) -> 'problem', null, 'the allowance is each user''s own');

-- Counts and clock are the owner's here, so that no turn of a minute comes between.
select tests.clear_authentication();
select is(
  (app.rate_limited(clock_timestamp() - interval '63 seconds') ->> 'retry_after')::integer, 1,
  'a refused call is never told to wait for less than a second, where it waited for another of its caller until the minute was over');
create function pg_temp.exceeded(minute timestamptz) returns text language sql as $$
  select app.exceeded_limit(tests.id('south'), 1, minute)
$$;
create function pg_temp.call(clinic text, is_admitted boolean default true) returns text language sql as $$
  select coalesce(app.count_call(tests.id(clinic), 'hold_sessions', is_admitted) #>> '{problem,reason}', 'admitted')
$$;
update public.organizations set calls_per_minute = 10, total_calls_per_minute = 12 where id = tests.id('south');
insert into app.call_counts (user_id, organization_id, minute, calls) values
  (tests.id('south admin login'), tests.id('south'), '2031-01-01 10:00Z', 900),
  (tests.id('south theo login'), tests.id('south'), '2031-01-01 10:00Z', 2),
  (gen_random_uuid(), tests.id('north'), '2031-01-01 10:00Z', 5),
  (gen_random_uuid(), tests.id('south'), '2031-01-01 10:01Z', 5),
  (gen_random_uuid(), null, '2031-01-01 10:00Z', 5);
select is(
  pg_temp.exceeded('2031-01-01 10:00Z'), null,
  'a clinic''s calls are those of its users in the minute, of each no more than were admitted; those of nobody''s clinic are not');
update app.call_counts set calls = 3 where user_id = tests.id('south theo login');
select is(pg_temp.exceeded('2031-01-01 10:00Z'), 'organization', 'one more is one too many');
update app.call_counts set calls = 2 where user_id = tests.id('south theo login');
with account as (
  insert into public.service_accounts (organization_id, name, scopes, created_by)
  values (tests.id('south'), 'A partner', '{schedule:read}', tests.id('south admin login')) returning id)
insert into app.partner_call_counts (organization_id, service_account_id, minute, calls)
select tests.id('south'), id, '2031-01-01 10:00Z', 1 from account;
select is(pg_temp.exceeded('2031-01-01 10:00Z'), 'organization', 'a partner''s calls are the clinic''s, too');

-- acting as a user whose clinic has used up its allowance
update public.organizations set total_calls_per_minute = 1 where id = tests.id('north');
insert into app.call_counts (user_id, organization_id, minute, calls)
select gen_random_uuid(), tests.id('north'), minute, 1
from (values (date_trunc('minute', clock_timestamp())), (date_trunc('minute', clock_timestamp()) + interval '1 minute')) now (minute);
select tests.authenticate_as(tests.id('north rosa login'));
reset role;
select is(
  array[pg_temp.call('north'), pg_temp.call('north'), pg_temp.call('north')],
  array['organization_limit', 'organization_limit', 'organization_limit'], 'who comes after that is refused until the minute ends');
select cmp_ok(
  (select count(*) from audit.events where organization_id = tests.id('north') and code = 'rate_limited'), '<=', 2::bigint,
  'which is on record once a minute');
select is(pg_temp.call('west'), 'admitted', 'another clinic has its own allowance');
select is(pg_temp.call('north', is_admitted => false), 'admitted', 'what was not admitted is not counted for a clinic');
select is(
  (select count(*)::integer from app.call_counts where user_id = tests.id('north rosa login') and organization_id is null), 1,
  'but for the caller alone');

-- acting as a stranger, whose calls are refused: what clinic a row is of does not show in when they are too many
select tests.clear_authentication();
create function pg_temp.after(calls integer, clinic text, login text) returns text language plpgsql as $$
begin
  -- Of this minute and the next, so that no turn comes between.
  delete from app.call_counts where user_id = tests.id(login);
  perform tests.authenticate_as(tests.id(login));
  reset role;
  for number in 1..calls loop
    perform app.count_call(tests.id(clinic), 'hold_sessions', false);
  end loop;
  return pg_temp.call(clinic, is_admitted => false);
end
$$;
update public.organizations set calls_per_minute = 5 where id = tests.id('south');
select is(pg_temp.after(calls, clinic, 'north theo login'), expected, format('after %s refused calls a stranger is %s, in a clinic %s', calls, expected, why))
from (values
  (20, 'south', 'admitted', 'with a lower limit'),
  (20, 'no clinic', 'admitted', 'that there is not'),
  (70, 'west', 'own_limit', 'with a higher limit'),
  (70, 'no clinic', 'own_limit', 'that there is not')
) it (calls, clinic, expected, why);
select is(pg_temp.after(70, 'north', 'north theo login'), 'admitted', 'a member who is refused has the limit of the clinic');

-- acting as somebody whose session has ended
select tests.authenticate_as(tests.id('north aspen login'), 'aal1', '{"session_id": null}');
reset role;
select ok(
  (select bool_and(public.hold_sessions(tests.hold_request('north', array['10:00'])) #>> '{problem,code}' = 'unauthenticated') from generate_series(1, 150)),
  'whose session has ended is told so, however often they call');
select cmp_ok(
  (select count(*) from audit.events where actor_id = tests.id('north aspen login')), '<=', 122::bigint,
  'and is on record no more often than the limit of strangers');

select tests.clear_authentication();
select * from finish();
rollback;
