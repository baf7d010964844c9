-- Unusual access: each kind just does not fire, and fires one further on; by the clinic's own clock, over its changes; and what
-- an alert becomes. That any events give the same as a recount does, supabase/tests/access/unusual-access.test.ts shows.
begin;
select plan(67);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
update public.organizations set time_zone = 'Asia/Tokyo' where id = tests.id('south');
select tests.create_user('parent login');
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('parent login'), 'client');

-- Reads of as many clients as are asked for, a second apart. No key binds them: the trail outlives what it tells of.
create function pg_temp.read(reader text, at timestamptz, clients integer default 1, action text default 'note.read', clinic text default 'north')
returns void language sql as $$
  insert into audit.events (organization_id, actor_id, action, client_id, occurred_at)
  select tests.id(clinic), tests.id(reader || ' login'), action, tests.id('stranger ' || n), at + n * interval '1 second'
  from generate_series(1, clients) n
$$;
create function pg_temp.read_client(reader text, client text, at timestamptz, action text default 'note.read') returns void language sql as $$
  insert into audit.events (organization_id, actor_id, action, client_id, occurred_at)
  values (tests.id('north'), tests.id(reader || ' login'), action, tests.id(client), at)
$$;
create function pg_temp.deny(reader text, at timestamptz, code text default 'not_found') returns void language sql as $$
  insert into audit.events (organization_id, actor_id, action, decision, code, occurred_at)
  values (tests.id('north'), tests.id(reader || ' login'), 'rpc.read_note', 'deny', code, at)
$$;
create function pg_temp.figures(reader text, of_kind text, day date, clinic text default 'north') returns jsonb language sql as $$
  select figures from app.unusual_access(tests.id(clinic), day) where kind = of_kind and actor_id = tests.id(reader || ' login')
$$;
create function pg_temp.noon(day date) returns timestamptz language sql as $$ select (day + time '12:00') at time zone 'America/New_York' $$;

-- ---------------------------------------------------------------------------------------------------------
-- Far more clients
-- ---------------------------------------------------------------------------------------------------------

-- without days before
select pg_temp.read('north rosa', pg_temp.noon('2031-05-06'), 19);
select is(pg_temp.figures('north rosa', 'many_clients', '2031-05-06'), null, 'who has read nothing before may read one less than the threshold');
select pg_temp.read('north rosa', pg_temp.noon('2031-05-06') + interval '1 hour', 19), pg_temp.read('north rosa', pg_temp.noon('2031-05-06') + interval '2 hours', 19, 'consent.read');
select is(pg_temp.figures('north rosa', 'many_clients', '2031-05-06'), null, 'reading the same clients again, or something else of theirs, is not reading more clients');
select pg_temp.read('north rosa', pg_temp.noon('2031-05-06') + interval '3 hours', 20);
select is(
  pg_temp.figures('north rosa', 'many_clients', '2031-05-06'), '{"clients": 20, "baseline_days": 0, "baseline_mean": 0, "baseline_deviation": 0}',
  'at the threshold it is unusual');
select is(pg_temp.figures('north rosa', 'many_clients', '2031-05-07'), null, 'and not on the day after');

-- days of 10 and 30 clients: mean 20, standard deviation 10, so 50 is the limit
select pg_temp.read('north theo', pg_temp.noon('2031-06-10') - ago * interval '1 day', case ago % 2 when 0 then 10 else 30 end)
from generate_series(1, 4) ago;
select pg_temp.read('north theo', pg_temp.noon('2031-06-10'), 50);
select is(pg_temp.figures('north theo', 'many_clients', '2031-06-10'), null, 'mean and three deviations are still usual');
select pg_temp.read('north theo', pg_temp.noon('2031-06-10'), 51);
select is(
  pg_temp.figures('north theo', 'many_clients', '2031-06-10'), '{"clients": 51, "baseline_days": 4, "baseline_mean": 20.00, "baseline_deviation": 10.00}',
  'one more is not');
update public.access_thresholds set deviations = 3.1 where organization_id = tests.id('north');
select is(pg_temp.figures('north theo', 'many_clients', '2031-06-10'), null, 'unless the clinic allows for more deviation');
update public.access_thresholds set deviations = 3, clients_a_day = 52 where organization_id = tests.id('north');
select is(pg_temp.figures('north theo', 'many_clients', '2031-06-10'), null, 'or for more clients');
update public.access_thresholds set clients_a_day = 2 where organization_id = tests.id('north');

-- the thirty days, and no other
select pg_temp.read('north rosa', pg_temp.noon('2031-07-31') - interval '31 days', 9), pg_temp.read('north rosa', pg_temp.noon('2031-07-31'), 2);
select is(pg_temp.figures('north rosa', 'many_clients', '2031-07-31') ->> 'baseline_days', '0', 'a day thirty-one days ago is not compared with');
select pg_temp.read('north rosa', ('2031-07-01'::timestamp at time zone 'America/New_York'), 1);
select is(
  pg_temp.figures('north rosa', 'many_clients', '2031-07-31') - 'clients', '{"baseline_days": 1, "baseline_mean": 1.00, "baseline_deviation": 0.00}',
  'the thirtieth is, from its midnight on');
select pg_temp.read('north rosa', ('2031-07-01'::timestamp at time zone 'America/New_York') + interval '1 minute', 2);
select is(pg_temp.figures('north rosa', 'many_clients', '2031-07-31'), null, 'a day like another is usual');

-- ---------------------------------------------------------------------------------------------------------
-- Off hours
-- ---------------------------------------------------------------------------------------------------------

update public.access_thresholds set clients_a_day = 1000, off_hours_reads = 2, unassigned_clients = 1000 where organization_id in (tests.id('north'), tests.id('south'));
select pg_temp.read_client('north rosa', 'north aspen', ('2031-08-05 ' || clock)::timestamp at time zone 'America/New_York')
from unnest(array['05:59:59.999999', '06:00', '20:59:59.999999']) clock;
select is(pg_temp.figures('north rosa', 'off_hours', '2031-08-05'), null, 'what is read from opening to closing is not off hours');
select pg_temp.read_client('north rosa', 'north birch', '2031-08-05 21:00'::timestamp at time zone 'America/New_York');
select is(pg_temp.figures('north rosa', 'off_hours', '2031-08-05'), '{"reads": 2, "clients": 2}', 'before and after, and at closing, it is');
select pg_temp.read_client('north rosa', 'north aspen', ('2031-08-06 23:59')::timestamp at time zone 'America/New_York'),
  pg_temp.read_client('north rosa', 'north aspen', ('2031-08-07 00:00')::timestamp at time zone 'America/New_York');
select is(pg_temp.figures('north rosa', 'off_hours', '2031-08-06'), null, 'a night is of two days');
select is(pg_temp.figures('north rosa', 'off_hours', '2031-08-07'), null, 'neither of which has enough');
select pg_temp.read_client('north rosa', 'north aspen', ('2031-08-10 12:0' || n)::timestamp at time zone 'America/New_York') from generate_series(1, 2) n;
select is(pg_temp.figures('north rosa', 'off_hours', '2031-08-10'), '{"reads": 2, "clients": 1}', 'a Sunday is off hours at noon');
update public.access_thresholds set open_weekdays = '{7}' where organization_id = tests.id('north');
select is(pg_temp.figures('north rosa', 'off_hours', '2031-08-10'), null, 'but not where the clinic opens on Sundays');
select isnt(pg_temp.figures('north rosa', 'off_hours', '2031-08-05'), null, 'which then may be closed on Tuesdays');

-- the clock goes forward on 2031-03-09 and back on 2031-11-02, both Sundays
update public.access_thresholds set open_weekdays = '{1,2,3,4,5,6,7}' where organization_id = tests.id('north');
select pg_temp.read_client('north theo', 'north birch', moment::timestamptz)
from unnest(array['2031-03-08 10:30Z', '2031-03-08 10:31Z', '2031-03-09 10:30Z', '2031-03-09 10:31Z', '2031-11-01 10:30Z', '2031-11-01 10:31Z',
  '2031-11-02 10:30Z', '2031-11-02 10:31Z']) moment;
select is(
  array(select day::date from unnest(array['2031-03-08', '2031-03-09', '2031-11-01', '2031-11-02']) day where pg_temp.figures('north theo', 'off_hours', day::date) is not null),
  array['2031-03-08', '2031-11-02']::date[], 'half past five by the clock is off hours, half past six is not, on either side of a change of the clock');
select app.detect_unusual_access(tests.id('north'), '2031-11-02');
select is(
  (select window_end - window_start from public.access_alerts where organization_id = tests.id('north')), interval '25 hours',
  'the day on which the clock goes back has 25 hours');

-- by the clinic's zone: the same moments are the evening of the same day in Tokyo
select pg_temp.read('south rosa', '2031-08-05 11:58Z', 1, clinic => 'south'), pg_temp.read('south rosa', '2031-08-05 12:00Z', 1, clinic => 'south');
select is(pg_temp.figures('south rosa', 'off_hours', '2031-08-05', 'south'), null, 'a minute before nine in the evening is not off hours in Tokyo');
select pg_temp.read('south rosa', '2031-08-05 12:01Z', 1, clinic => 'south');
select is(pg_temp.figures('south rosa', 'off_hours', '2031-08-05', 'south'), '{"reads": 2, "clients": 1}', 'after nine it is');
select is_empty($$ select from app.unusual_access(tests.id('west'), '2031-08-05') $$, 'and another clinic has nothing of it');

-- ---------------------------------------------------------------------------------------------------------
-- Without assignment
-- ---------------------------------------------------------------------------------------------------------

update public.access_thresholds set off_hours_reads = 1000, unassigned_clients = 2 where organization_id = tests.id('north');
select pg_temp.read_client('north rosa', client, pg_temp.noon('2031-09-02')) from unnest(array['north aspen', 'north birch', 'north cedar']) client;
select pg_temp.read_client('north rosa', 'north cedar', pg_temp.noon('2031-09-02') + interval '1 hour');
select is(pg_temp.figures('north rosa', 'unassigned_reads', '2031-09-02'), null, 'the own clients do not count, and a stranger counts once');
select pg_temp.read_client('north rosa', 'stranger', pg_temp.noon('2031-09-02'), 'client.read');
select is(pg_temp.figures('north rosa', 'unassigned_reads', '2031-09-02'), '{"clients": 2, "reads": 3}', 'two strangers are unusual');
-- on the day itself
update public.care_team_assignments set ends_on = '2031-09-03' where organization_id = tests.id('north') and therapist_id = tests.id('north rosa');
select pg_temp.read_client('north rosa', client, pg_temp.noon(day::date))
from unnest(array['2031-09-03', '2031-09-04']) day cross join unnest(array['north aspen', 'north birch']) client;
select is(pg_temp.figures('north rosa', 'unassigned_reads', '2031-09-03'), null, 'an assignment holds on its last day');
select isnt(pg_temp.figures('north rosa', 'unassigned_reads', '2031-09-04'), null, 'and not on the day after');
insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
select tests.id('north'), tests.id('north theo'), tests.id('north aspen'), 'therapist', '2031-09-04';
insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on, ends_on)
values (tests.id('north'), tests.id('north rosa'), tests.id('north theo'), '2031-09-04', '2031-09-04');
select is(pg_temp.figures('north rosa', 'unassigned_reads', '2031-09-04'), null, 'who supervises one of the team that day is no stranger');
insert into public.therapists (id, organization_id, display_name, credential) values (tests.id('north tess'), tests.id('north'), 'tess', 'RBT');
insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on, ends_on)
values (tests.id('north'), tests.id('north rosa'), tests.id('north tess'), '2031-09-05', '2031-09-05');
select pg_temp.read_client('north rosa', client, pg_temp.noon('2031-09-05')) from unnest(array['north aspen', 'north birch']) client;
select isnt(pg_temp.figures('north rosa', 'unassigned_reads', '2031-09-05'), null, 'on another day they are, whomever else they supervise');
-- the family
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on) values
  (tests.id('north'), tests.id('north aspen'), tests.id('parent login'), 'parent', '2031-09-02'), (tests.id('north'), tests.id('north birch'), tests.id('parent login'), 'parent', '2031-09-03');
select pg_temp.read_client('parent', client, pg_temp.noon(day::date))
from unnest(array['2031-09-01', '2031-09-02']) day cross join unnest(array['north aspen', 'north birch']) client;
select isnt(pg_temp.figures('parent', 'unassigned_reads', '2031-09-01'), null, 'who does not stand for the clients yet is a stranger');
select is(pg_temp.figures('parent', 'unassigned_reads', '2031-09-02'), null, 'who stands for one of two is a stranger to one');
select pg_temp.read_client('parent', 'stranger', pg_temp.noon('2031-09-02'));
select is(pg_temp.figures('parent', 'unassigned_reads', '2031-09-02'), '{"clients": 2, "reads": 2}', 'and to everybody else''s child');
-- whose work is the organization
select pg_temp.read('north scheduler', pg_temp.noon('2031-09-02'), 9, 'client.read'), pg_temp.read('north admin', pg_temp.noon('2031-09-02'), 9, 'client.read');
select pg_temp.read('north scheduler', pg_temp.noon('2031-09-02'), 1, 'consent.read');
select is(pg_temp.figures('north scheduler', 'unassigned_reads', '2031-09-02'), null, 'lists of clients are a scheduler''s work');
select is(pg_temp.figures('north admin', 'unassigned_reads', '2031-09-02'), null, 'and an admin''s');
select pg_temp.read('north scheduler', pg_temp.noon('2031-09-02'), 2, 'consent.read');
select is(pg_temp.figures('north scheduler', 'unassigned_reads', '2031-09-02'), '{"clients": 2, "reads": 3}', 'what else is in a record is not');
update public.user_roles set expires_at = '2031-09-03' where id = tests.id('north scheduler role');
select pg_temp.read('north scheduler', pg_temp.noon('2031-09-03'), 2, 'client.read');
select isnt(pg_temp.figures('north scheduler', 'unassigned_reads', '2031-09-03'), null, 'nor are lists, for who has the role no more');

-- ---------------------------------------------------------------------------------------------------------
-- Denials
-- ---------------------------------------------------------------------------------------------------------

update public.access_thresholds set denials = 3, denial_minutes = 10 where organization_id = tests.id('north');
select pg_temp.deny('north rosa', pg_temp.noon('2031-10-07') + span) from unnest(array['0 minutes', '5 minutes', '10 minutes 0.000001 seconds']::interval[]) span;
select pg_temp.deny('north rosa', pg_temp.noon('2031-10-07') + interval '6 minutes', code) from unnest(array['validation_failed', 'therapist_conflict', 'rate_limited']) code;
select is(pg_temp.figures('north rosa', 'repeated_denials', '2031-10-07'), null, 'a microsecond more than the minutes is not within them; what cannot be is no denial of access');
select pg_temp.deny('north rosa', pg_temp.noon('2031-10-07') + interval '10 minutes', 'forbidden');
select is(pg_temp.figures('north rosa', 'repeated_denials', '2031-10-07'), '{"denials": 3, "minutes": 10}', 'the minutes are, to their end');
select pg_temp.deny('north theo', ('2031-10-08'::timestamp at time zone 'America/New_York') + span) from unnest(array['-5 minutes', '-2 minutes', '1 minute']::interval[]) span;
select is(pg_temp.figures('north theo', 'repeated_denials', '2031-10-07'), null, 'before midnight there were two');
select isnt(pg_temp.figures('north theo', 'repeated_denials', '2031-10-08'), null, 'a burst over midnight is of the day on which it ends');
select pg_temp.deny('north theo', ('2031-10-15'::timestamp at time zone 'America/New_York') - minutes * interval '1 minute') from generate_series(1, 3) minutes;
select is(pg_temp.figures('north theo', 'repeated_denials', '2031-10-15'), null, 'and one that ended before midnight is not of the day after');
select pg_temp.deny('north rosa', pg_temp.noon('2031-10-09')), pg_temp.deny('north theo', pg_temp.noon('2031-10-09')), pg_temp.deny('parent', pg_temp.noon('2031-10-09'));
select is_empty($$ select from app.unusual_access(tests.id('north'), '2031-10-09') $$, 'three who are refused once each are no burst');

-- of one clinic what happened in another
select pg_temp.read('north theo', pg_temp.noon('2031-10-21'), 9, 'consent.read', 'south');
insert into audit.events (organization_id, actor_id, action, decision, code, occurred_at)
select tests.id('south'), tests.id('north theo login'), 'rpc.read_note', 'deny', 'not_found', pg_temp.noon('2031-10-21') from generate_series(1, 9);
select is_empty($$ select from app.unusual_access(tests.id('north'), '2031-10-21') $$, 'what somebody does in one clinic is not unusual in another');

-- ---------------------------------------------------------------------------------------------------------
-- Alerts
-- ---------------------------------------------------------------------------------------------------------

select is_empty($$ select from public.access_alerts where organization_id = tests.id('north') and kind <> 'off_hours' $$, 'so far it was only asked');
create function pg_temp.told() returns bigint language sql as $$
  select count(*) from app.outbox_events told
  join public.access_alerts alert on alert.id = told.subject_id
  where told.organization_id = tests.id('north') and told.type = 'access_alert.raised' and told.payload = jsonb_build_object('kind', alert.kind)
$$;
select is(app.detect_unusual_access(tests.id('north'), '2031-09-02'), 3, 'a day''s findings become alerts');
select results_eq(
  $$ select kind, actor_id, window_start, window_end, figures, status from public.access_alerts
    where organization_id = tests.id('north') and actor_id = tests.id('north rosa login') and kind = 'unassigned_reads' $$,
  $$ values ('unassigned_reads', tests.id('north rosa login'), '2031-09-02 04:00Z'::timestamptz, '2031-09-03 04:00Z'::timestamptz, '{"clients": 2, "reads": 3}'::jsonb, 'open') $$,
  'with who, which day and how many');
select is(app.detect_unusual_access(tests.id('north'), '2031-09-02'), 0, 'looking again raises none');
select pg_temp.read_client('north rosa', 'another stranger', pg_temp.noon('2031-09-02'));
select is(app.detect_unusual_access(tests.id('north'), '2031-09-02'), 0, 'nor does more of the same on the same day');
select is(pg_temp.told(), (select count(*) from public.access_alerts where organization_id = tests.id('north')), 'each is told outside, once, by id and kind');
select is_empty($$ select from public.access_alerts where organization_id = tests.id('west') $$, 'none is of another clinic');

-- acting as admin
select tests.create_user('dora login');
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('dora login'), 'admin');
select tests.name_row('alert', (select id from public.access_alerts
  where organization_id = tests.id('north') and actor_id = tests.id('north rosa login') and kind = 'unassigned_reads'));
select pg_temp.read('north admin', pg_temp.noon('2031-09-09'), 2), app.detect_unusual_access(tests.id('north'), '2031-09-09');
select tests.name_row('own alert', (select id from public.access_alerts where organization_id = tests.id('north') and actor_id = tests.id('north admin login')));
create function pg_temp.acknowledge(alert text, reason text default 'Covers for Theo') returns jsonb language sql as $$
  select public.acknowledge_alert(jsonb_build_object('alert_id', tests.id(alert), 'reason', reason))
$$;
grant execute on function pg_temp.acknowledge to authenticated;
select tests.authenticate_as(tests.id('north admin login'));
select is(pg_temp.acknowledge('alert', ' ') #>> '{problem,errors,0,field}', 'reason', 'an alert is not waved away without a reason');
select is(pg_temp.acknowledge('own alert') #>> '{problem,code}', 'forbidden', 'nor by whom it is about');
select is(pg_temp.acknowledge('alert') #>> '{data,already_acknowledged}', 'false', 'an admin says what it was');
select tests.authenticate_as(tests.id('dora login'));
select is(pg_temp.acknowledge('alert', 'Other') #>> '{data,acknowledged_by}', tests.id('north admin login')::text, 'who said it first stays');
select is(pg_temp.acknowledge('own alert') #>> '{data,already_acknowledged}', 'false', 'another admin looks at what is about an admin');
select throws_ok('select acknowledged_reason from public.access_alerts', '42501', null, 'the reason is read by the RPC only');
select is(
  public.read_access_alerts(jsonb_build_object('organization_id', tests.id('north'), 'status', 'acknowledged')) #>> '{data,alerts,1,acknowledged_reason}',
  'Covers for Theo', 'which has it');
select throws_ok(
  $$ update public.access_thresholds set opens_at = '22:00' $$, '23514', null, 'a clinic opens before it closes');
select lives_ok($$ update public.access_thresholds set denials = 5 $$, 'an admin says what is unusual');
select tests.clear_authentication();

-- sweeping
select pg_temp.deny('north theo', clock_timestamp()) from generate_series(1, 5);
select is(app.sweep_unusual_access(only_organization => tests.id('north')), 1, 'the job finds what happens now');
select is(app.sweep_unusual_access(only_organization => tests.id('north')), 0, 'and does not find it again');

-- ---------------------------------------------------------------------------------------------------------
-- Whose record it was
-- ---------------------------------------------------------------------------------------------------------

select throws_ok(
  $$ insert into audit.events (organization_id, action) values (tests.id('north'), 'note.read') $$, '23514', null, 'a read that does not say whose record is not written');
select tests.add_session('a session', 'north', '10:00');
select tests.authenticate_as(tests.id('north theo login'));
select is(public.read_note(jsonb_build_object('session_id', tests.id('a session'))) #>> '{problem,code}', 'not_found', 'a note of a colleague''s session is refused');
select is(public.read_consents(jsonb_build_object('client_id', 'no uuid', 'therapist_id', tests.id('north theo'))) #>> '{problem,code}', 'validation_failed', 'and so is what is no id');
select is(public.archive_client(tests.id('nobody')) #>> '{problem,code}', 'not_found', 'and who does not exist');
select tests.clear_authentication();
select results_eq(
  $$ select action, client_id from audit.events
    where actor_id = tests.id('north theo login') and action in ('rpc.read_note', 'rpc.read_consents', 'rpc.archive_client') and occurred_at between now() and '2031-01-01'
      and client_id is not null $$,
  $$ values ('rpc.read_note', tests.id('north birch')) $$, 'the refusal says whose record was reached for, by whatever was named, and nobody''s where none was');

-- By index: no partition is read from end to end, and of reads and denials one only.
create function pg_temp.scans() returns bigint language sql volatile as $$
  select coalesce(sum(seq_scan), 0) from pg_stat_xact_all_tables where schemaname = 'audit' and relname like 'events%'
$$;
select set_config('tests.scans', pg_temp.scans()::text, true);
select count(*) from app.unusual_access(tests.id('north'), '2031-09-02');
select is(pg_temp.scans(), current_setting('tests.scans')::bigint, 'detection reads no partition from end to end');

select * from finish();
rollback;
