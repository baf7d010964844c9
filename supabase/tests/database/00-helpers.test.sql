-- What the other files stand on. The only file that commits: it makes the schema `tests` anew at every run.
--
-- Every row of a fixture has a label, so a test names it as it would in speech, tests.id('north rosa'), and no file
-- carries ids from one statement to the next.
begin;

set local client_min_messages = warning;
drop schema if exists tests cascade;
create schema tests;
comment on schema tests is 'Helpers of the pgTAP suite. Not part of the project; not exposed by the API.';
-- The tests act as these roles, and call the helpers that are granted below while they do.
grant usage on schema tests to anon, authenticated, service_role;

create function tests.id(label text)
returns uuid
language sql
stable
set search_path = ''
as $$
  select coalesce(nullif(pg_catalog.current_setting('tests.id_' || pg_catalog.md5(label), true), ''), pg_catalog.md5(label))::uuid
$$;
comment on function tests.id is 'The id of the row with this label: made from the label, or the one that tests.name_row gave it.';

create function tests.name_row(label text, id uuid)
returns uuid
language sql
set search_path = ''
as $$
  select pg_catalog.set_config('tests.id_' || pg_catalog.md5(label), id::text, true)::uuid
$$;
comment on function tests.name_row is 'Gives a label to a row whose id the database made, until the transaction ends.';

create function tests.at(clock text, day integer default 0)
returns timestamptz
language sql
stable
set search_path = ''
as $$
  select (current_date + 30 + day + clock::time) at time zone 'America/New_York'
$$;
comment on function tests.at is 'A moment a month ahead, by the wall clock of the fixtures'' time zone.';

-- ---------------------------------------------------------------------------------------------------------
-- Who acts
-- ---------------------------------------------------------------------------------------------------------

create function tests.act_as(role_name text, claims jsonb)
returns void
language plpgsql
set search_path = ''
as $$
begin
  perform pg_catalog.set_config('request.jwt.claims', coalesce(claims::text, ''), true);
  perform pg_catalog.set_config('role', role_name, true);
end
$$;
comment on function tests.act_as is 'Acts as a database role with a token''s claims until the transaction ends.';

create function tests.session_of(of_user uuid)
returns uuid
language sql
security definer
set search_path = ''
as $$
  insert into auth.sessions (id, user_id, created_at, updated_at)
  select login.id, login.id, now(), now() from auth.users login where login.id = of_user
  on conflict do nothing;
  select session.id from auth.sessions session where session.id = of_user;
$$;
comment on function tests.session_of is 'The session that a user is signed in with, made at the first need; it has the user''s id.';

create function tests.authenticate_as(user_id uuid, aal text default 'aal1', claims jsonb default '{}')
returns void
language sql
set search_path = ''
as $$
  select tests.act_as('authenticated', pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
    'sub', user_id, 'session_id', tests.session_of(user_id), 'role', 'authenticated', 'aud', 'authenticated', 'aal', aal, 'is_anonymous', false) || claims))
$$;
comment on function tests.authenticate_as is 'Acts as a signed-in user, as the REST server does.';

create function tests.authenticate_as_service_role()
returns void
language sql
set search_path = ''
as $$
  select tests.act_as('service_role', '{"role": "service_role"}')
$$;
comment on function tests.authenticate_as_service_role is 'Acts as a caller with the secret key.';

create function tests.clear_authentication()
returns void
language sql
set search_path = ''
as $$
  select tests.act_as('postgres', null)
$$;
comment on function tests.clear_authentication is 'Acts as the owner of the schema again.';

create function tests.keep(name text, answer jsonb)
returns void
language sql
set search_path = ''
as $$
  select pg_catalog.set_config('tests.' || name, answer::text, true)
$$;
comment on function tests.keep is 'Keeps an answer under a name for later statements of the transaction.';

create function tests.kept(name text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select nullif(pg_catalog.current_setting('tests.' || name), '')::jsonb
$$;
comment on function tests.kept is 'The answer that tests.keep kept.';

create function tests.truncate_calls(tables regclass[])
returns setof text
language sql
stable
set search_path = ''
as $$
  select trigger.tgrelid::regclass || ' ' || trigger.tgfoid::regproc
  from pg_catalog.pg_trigger trigger
  where trigger.tgrelid = any (tables)
    -- Of TRUNCATE (32), before it (2), for a statement (not 1), on at all times but as a replica, without a WHEN.
    and trigger.tgtype & 35 = 34 and trigger.tgenabled in ('O', 'A') and trigger.tgqual is null
  order by trigger.tgrelid::regclass::text collate "C"
$$;
comment on function tests.truncate_calls is
  'The functions that stand before a truncate of the tables. Looked up and not tried: even a refused truncate takes the table '
  'for itself, and waits for every other test that writes it. What the functions do, other statements show.';

-- ---------------------------------------------------------------------------------------------------------
-- Rows
-- ---------------------------------------------------------------------------------------------------------

create function tests.create_user(label text)
returns uuid
language sql
set search_path = ''
as $$
  insert into auth.users (id, email) values (tests.id(label), pg_catalog.replace(label, ' ', '.') || '@tests.example')
  returning id
$$;
comment on function tests.create_user is 'A login without any role.';

create function tests.work_round_the_clock(therapist text)
returns void
language sql
set search_path = ''
as $$
  insert into public.therapist_availability (
    organization_id, therapist_id, weekday, local_start, local_end, effective_from, time_zone)
  select it.organization_id, it.id, weekday, '00:00', '24:00', '2020-01-01', 'America/New_York'
  from public.therapists it
  cross join pg_catalog.generate_series(1, 7) weekday
  where it.id = tests.id(therapist)
$$;
comment on function tests.work_round_the_clock is 'Gives a therapist weekly hours without a gap, for tests that are not about hours.';

create function tests.create_clinic(clinic text)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  organization uuid := tests.id(clinic);
begin
  perform tests.create_user(clinic || ' ' || person || ' login')
  from pg_catalog.unnest(array['admin', 'scheduler', 'rosa', 'theo']) person;
  insert into public.organizations (id, name, time_zone) values (organization, clinic, 'America/New_York');
  insert into public.user_roles (id, organization_id, user_id, role)
  select tests.id(clinic || ' ' || given.person || ' role'), organization, tests.id(clinic || ' ' || given.person || ' login'), given.role
  from (values ('admin', 'admin'), ('scheduler', 'internal_ops'), ('rosa', 'therapist'), ('theo', 'therapist')) given (person, role);
  insert into public.therapists (id, organization_id, user_id, display_name, credential)
  select tests.id(clinic || ' ' || person), organization, tests.id(clinic || ' ' || person || ' login'), clinic || ' ' || person, 'RBT'
  from pg_catalog.unnest(array['rosa', 'theo']) person;
  perform tests.work_round_the_clock(clinic || ' ' || person) from pg_catalog.unnest(array['rosa', 'theo']) person;
  insert into public.clients (id, organization_id, full_name)
  select tests.id(clinic || ' ' || client), organization, clinic || ' ' || client
  from pg_catalog.unnest(array['aspen', 'birch', 'cedar']) client;
  insert into public.rooms (id, organization_id, name) values (tests.id(clinic || ' room'), organization, 'room');
  insert into public.services (id, organization_id, service_code, name, cpt_code, client_lane, is_group)
  select tests.id(clinic || ' ' || given.code), organization, given.code, given.code, given.code, given.lane, given.is_group
  from (values ('97153', 0, false), ('97155', 1, false), ('97154', 0, true)) given (code, lane, is_group);
  insert into public.care_team_assignments (id, organization_id, therapist_id, client_id, team_role, starts_on)
  select
    tests.id(clinic || ' ' || given.therapist || ' ' || given.client), organization,
    tests.id(clinic || ' ' || given.therapist), tests.id(clinic || ' ' || given.client), 'therapist', current_date - 30
  from (values ('rosa', 'aspen'), ('rosa', 'birch'), ('theo', 'birch'), ('theo', 'cedar')) given (therapist, client);
  return organization;
end
$$;
comment on function tests.create_clinic is
  'A clinic "north" with the logins "north admin login", "north scheduler login", "north rosa login" and "north theo '
  'login"; therapists "north rosa" (team of aspen and birch) and "north theo" (birch and cedar); clients "north aspen", '
  '"north birch", "north cedar"; services "north 97153", "north 97155" (lane 1), "north 97154" (group); "north room".';

create function tests.add_session(label text, clinic text, clock text, changes jsonb default '{}')
returns uuid
language sql
set search_path = ''
as $$
  insert into public.sessions (
    organization_id, therapist_id, client_id, room_id, service_id, group_id, start_time, end_time, time_zone, status, cancelled_by,
    actual_start_time, actual_end_time)
  select
    tests.id(clinic), tests.id(coalesce(changes ->> 'therapist', clinic || ' rosa')),
    tests.id(coalesce(changes ->> 'client', clinic || ' birch')), tests.id(changes ->> 'room'),
    tests.id(coalesce(changes ->> 'service', clinic || ' 97153')), tests.id(changes ->> 'group'),
    starts, starts + coalesce(changes ->> 'length', '1 hour')::interval, coalesce(changes ->> 'zone', 'America/New_York'),
    coalesce(changes ->> 'status', 'scheduled'), changes ->> 'cancelled_by',
    case when changes ->> 'status' in ('in_progress', 'completed') then starts end,
    case when changes ->> 'status' = 'completed' then starts + coalesce(changes ->> 'length', '1 hour')::interval end
  from tests.at(clock, coalesce((changes ->> 'day')::integer, 0)) starts
  returning tests.name_row(label, id)
$$;
comment on function tests.add_session is
  'A plain insert by whoever acts: Rosa with Birch for an hour, but for changes {therapist, client, room, service, group: '
  'labels; length, day, zone, status, cancelled_by}. What took place did so as booked.';

create function tests.add_group(label text, clinic text, clock text, changes jsonb default '{}')
returns uuid
language sql
set search_path = ''
as $$
  insert into public.session_groups (organization_id, therapist_id, service_id, start_time, end_time)
  select
    tests.id(clinic), tests.id(coalesce(changes ->> 'therapist', clinic || ' rosa')),
    tests.id(coalesce(changes ->> 'service', clinic || ' 97154')), tests.at(clock), tests.at(clock) + interval '1 hour'
  returning tests.name_row(label, id)
$$;
comment on function tests.add_group is 'A plain insert by whoever acts: a group of Rosa''s for an hour, but for {therapist, service}: labels.';

create function tests.add_hold(label text, clinic text, clock text, changes jsonb default '{}')
returns void
language sql
set search_path = ''
as $$
  insert into public.session_holds (
    id, organization_id, batch_key, therapist_id, client_id, room_id, service_id, session_id, start_time, end_time,
    time_zone, expires_at)
  select
    tests.id(label), tests.id(clinic), tests.id(label), tests.id(coalesce(changes ->> 'therapist', clinic || ' rosa')),
    tests.id(coalesce(changes ->> 'client', clinic || ' birch')), tests.id(changes ->> 'room'),
    tests.id(coalesce(changes ->> 'service', clinic || ' 97153')), tests.id(changes ->> 'session'), starts,
    starts + coalesce(changes ->> 'length', '1 hour')::interval, 'America/New_York',
    clock_timestamp() + coalesce(changes ->> 'expires_in', '5 minutes')::interval
  from tests.at(clock) starts
$$;
comment on function tests.add_hold is
  'A plain insert of a hold, with the changes of tests.add_session, session: label, and expires_in (negative: expired).';

create function tests.add_form(clinic text, code text default 'telehealth', version integer default 1)
returns uuid
language sql
set search_path = ''
as $$
  insert into public.consent_forms (id, organization_id, form_code, version, title, body)
  values (tests.id(pg_catalog.concat_ws(' ', clinic, code, version)), tests.id(clinic), code, version, 'Telehealth', 'We meet by video.');
  update public.consent_forms set status = 'published' where id = tests.id(pg_catalog.concat_ws(' ', clinic, code, version))
  returning id
$$;
comment on function tests.add_form is 'A published consent form "north telehealth 1".';

create function tests.sign_as(login text, clinic text, client text, form text)
returns uuid
language plpgsql
set search_path = ''
as $$
declare
  claims text := pg_catalog.current_setting('request.jwt.claims', true);
  headers text := pg_catalog.current_setting('request.headers', true);
  signature uuid;
begin
  perform
    pg_catalog.set_config('request.jwt.claims', pg_catalog.jsonb_build_object('sub', tests.id(login))::text, true),
    pg_catalog.set_config('request.headers', '{"cf-connecting-ip": "203.0.113.9"}', true);
  insert into public.consent_signatures (organization_id, client_id, form_id, typed_name)
  values (tests.id(clinic), tests.id(clinic || ' ' || client), tests.id(form), 'Pat Parent')
  returning id into signature;
  perform
    pg_catalog.set_config('request.jwt.claims', coalesce(claims, ''), true),
    pg_catalog.set_config('request.headers', coalesce(headers, ''), true);
  return signature;
end
$$;
comment on function tests.sign_as is 'A plain insert of a signature in a login''s name, by whoever acts.';

create function tests.fill_schedule(clinic text)
returns void
language sql
set search_path = ''
as $$
  insert into public.payers (id, organization_id, name) values (tests.id(clinic || ' payer'), tests.id(clinic), 'payer');
  insert into public.payer_rules (organization_id, payer_id, starts_on) values (tests.id(clinic), tests.id(clinic || ' payer'), '2020-01-01');
  insert into public.payer_modifiers (organization_id, payer_id, credential, modifiers, starts_on)
  values (tests.id(clinic), tests.id(clinic || ' payer'), 'RBT', '{HM}', '2020-01-01');
  insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
  values (tests.id(clinic), tests.id(clinic || ' birch'), tests.id(clinic || ' payer'), current_date - 30);
  insert into public.client_preferred_hours (organization_id, client_id, weekday, local_start, local_end, effective_from, time_zone)
  values (tests.id(clinic), tests.id(clinic || ' birch'), 1, '08:00', '18:00', current_date - 30, 'America/New_York');
  insert into public.availability_exceptions (id, organization_id, therapist_id, kind, start_time, end_time, time_zone, note)
  values
    (tests.id(clinic || ' time off'), tests.id(clinic), tests.id(clinic || ' rosa'), 'time_off',
      tests.at('00:00', 20), tests.at('00:00', 21), 'America/New_York', 'a fever'),
    (tests.id(clinic || ' holiday'), tests.id(clinic), null, 'holiday',
      tests.at('00:00', 22), tests.at('00:00', 23), 'America/New_York', null);
  insert into public.buffer_rules (organization_id, service_id, minutes_after)
  values (tests.id(clinic), tests.id(clinic || ' 97155'), 10);
  insert into public.session_series (
    id, organization_id, therapist_id, client_id, service_id, time_zone, rule, local_start, duration_minutes)
  values (tests.id(clinic || ' series'), tests.id(clinic), tests.id(clinic || ' rosa'), tests.id(clinic || ' birch'),
    tests.id(clinic || ' 97153'), 'America/New_York', 'FREQ=WEEKLY', current_date + time '09:00', 60);
  insert into public.services (id, organization_id, service_code, name, cpt_code, is_team)
  values (tests.id(clinic || ' 0373T'), tests.id(clinic), '0373T', '0373T', '0373T', true);
  insert into public.session_teams (id, organization_id, client_id, service_id, start_time, end_time)
  values (tests.id(clinic || ' team'), tests.id(clinic), tests.id(clinic || ' birch'), tests.id(clinic || ' 0373T'),
    tests.at('22:00'), tests.at('23:00'));
  insert into public.waitlist_entries (
    id, organization_id, client_id, service_id, duration_minutes, wanted_from, time_zone)
  values (tests.id(clinic || ' entry'), tests.id(clinic), tests.id(clinic || ' birch'), tests.id(clinic || ' 97153'), 60,
    current_date, 'America/New_York');
  insert into public.waitlist_times (organization_id, entry_id, client_id, weekday, local_start, local_end)
  values (tests.id(clinic), tests.id(clinic || ' entry'), tests.id(clinic || ' birch'), 1, '08:00', '18:00');
  insert into public.cancellation_rules (organization_id, role, minimum_notice_hours) values (tests.id(clinic), 'client', 24);
  select tests.add_form(clinic);
  insert into public.service_consents (id, organization_id, service_id, form_code, starts_on)
  values (tests.id(clinic || ' asked'), tests.id(clinic), tests.id(clinic || ' 97155'), 'telehealth', current_date - 30);
  select tests.name_row(clinic || ' signature', tests.sign_as(clinic || ' admin login', clinic, 'birch', clinic || ' telehealth 1'));
$$;
comment on function tests.fill_schedule is
  'A row in every table of a clinic''s schedule besides sessions, groups and holds: Rosa''s "time off" in 20 days and "series" '
  'with Birch; Birch''s coverage by "payer", preferred hours, "team" at 22:00 and "entry" on the waitlist; a "holiday", a buffer '
  'after 97155 and a rule for cancelling; "telehealth 1", which 97155 asks for ("asked"), and its "signature" for Birch. '
  'Labels begin with the clinic.';

create function tests.fill_billing(clinic text)
returns void
language sql
set search_path = ''
as $$
  insert into public.billing_profiles (
    organization_id, legal_name, npi, tax_id, taxonomy_code, street, town, region, zip, contact_name, contact_number,
    submitter_code, receiver_name, receiver_code, starts_on)
  values (tests.id(clinic), 'Clinic', '1234567893', '123456789', '103K00000X', 'Street 1', 'Town', 'CA', '900010001',
    'Who bills', '5555550100', 'SENDER', 'Receiver', 'RECEIVER', '2020-01-01');
  insert into public.payer_rates (organization_id, payer_id, cpt_code, unit_cents, starts_on)
  values (tests.id(clinic), tests.id(clinic || ' payer'), '97153', 1500, '2020-01-01');
  insert into public.billing_batches (organization_id, receiver_code, control_number, usage)
  values (tests.id(clinic), 'RECEIVER', 1, 'test');
  insert into public.billing_cases (id, organization_id, claim_number, client_id, payer_id, therapist_id, place_of_service, month)
  values (tests.id(clinic || ' case'), tests.id(clinic), 1, tests.id(clinic || ' birch'), tests.id(clinic || ' payer'),
    tests.id(clinic || ' rosa'), '11', '2020-01-01');
  insert into public.billing_lines (
    organization_id, case_id, session_id, line_number, service_date, cpt_code, modifiers, units, unit_cents, place_of_service)
  select tests.id(clinic), tests.id(clinic || ' case'), it.id, 1, '2020-01-01', '97153', '{}', 4, 1500, '11'
  from public.sessions it
  where it.organization_id = tests.id(clinic)
  order by it.start_time desc
  limit 1
$$;
comment on function tests.fill_billing is
  'A row in every table of a clinic''s billing, after tests.fill_schedule: a profile, a rate of "payer", a batch, and a "case" with a '
  'line of the last session.';

create function tests.add_note(label text, clinic text, session text, changes jsonb default '{}')
returns void
language sql
set search_path = ''
as $$
  insert into public.client_keys (id, organization_id, client_id, wrapped_key, master_key_id)
  select tests.id(clinic || ' key of ' || session), it.organization_id, it.client_id, 'aaaa..bbbb.cccc.dddd', 'k1'
  from public.sessions it
  where it.id = tests.id(session)
  on conflict do nothing;
  insert into public.session_notes (
    id, organization_id, session_id, client_id, therapist_id, author_id, kind, needs_cosignature)
  select tests.id(label), it.organization_id, it.id, it.client_id, it.therapist_id, therapist.user_id,
    coalesce(changes ->> 'kind', 'session'), true
  from public.sessions it
  join public.therapists therapist on therapist.id = it.therapist_id
  where it.id = tests.id(session);
  insert into public.session_note_versions (organization_id, note_id, client_id, key_id, number, ciphertext, text_digest)
  select note.organization_id, note.id, note.client_id, key.id, 1, 'eeee..ffff.gggg.hhhh', sha256('')
  from public.session_notes note
  join public.client_keys key
    on key.organization_id = note.organization_id and key.client_id = note.client_id and key.status = 'active'
  where note.id = tests.id(label);
$$;
comment on function tests.add_note is
  'A plain insert: a draft by the therapist of a session, with the client''s key; no text that anything opens. changes: {kind}.';

create function tests.add_document(label text, clinic text, changes jsonb default '{}')
returns void
language sql
set search_path = ''
as $$
  select pg_catalog.set_config('request.jwt.claims', pg_catalog.jsonb_build_object(
    'sub', tests.id(coalesce(changes ->> 'uploader', clinic || ' admin login')))::text, true);
  insert into public.documents (
    id, organization_id, client_id, kind, title, file_name, content_type, size_bytes, visible_to_family, status, stored_at)
  values (
    tests.id(label), tests.id(clinic), tests.id(coalesce(changes ->> 'client', clinic || ' birch')),
    coalesce(changes ->> 'kind', 'assessment'), 'A title', 'a.pdf', 'application/pdf', 10,
    coalesce((changes ->> 'visible_to_family')::boolean, false), coalesce(changes ->> 'status', 'stored'),
    case when changes ->> 'status' is null then pg_catalog.now() end);
  select pg_catalog.set_config('request.jwt.claims', '', true);
$$;
comment on function tests.add_document is
  'A plain insert: a PDF of Birch, uploaded by the admin, without an object. changes: {uploader, client, kind, visible_to_family, status}.';

-- ---------------------------------------------------------------------------------------------------------
-- Requests
-- ---------------------------------------------------------------------------------------------------------

create function tests.offset_of(moment timestamptz)
returns integer
language sql
stable
set search_path = ''
as $$
  select (extract(epoch from (moment at time zone 'America/New_York') - (moment at time zone 'UTC')) / 60)::integer
$$;
comment on function tests.offset_of is 'Minutes east of UTC in the fixtures'' time zone.';

create function tests.occurrence(starts timestamptz, ends timestamptz)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select pg_catalog.jsonb_build_object(
    'start_time', starts, 'start_time_offset_minutes', tests.offset_of(starts),
    'end_time', ends, 'end_time_offset_minutes', tests.offset_of(ends))
$$;
comment on function tests.occurrence is 'One element of a request''s occurrences, with the offsets of the fixtures'' time zone.';

create function tests.times(starts timestamptz, ends timestamptz)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select pg_catalog.jsonb_build_object('occurrences', pg_catalog.jsonb_build_array(tests.occurrence(starts, ends)))
$$;
comment on function tests.times is 'The change of a request to one occurrence with these times.';

create function tests.hold_request(clinic text, clocks text[], changes jsonb default '{}')
returns jsonb
language sql
stable
set search_path = ''
as $$
  select pg_catalog.jsonb_build_object(
    'therapist_id', tests.id(clinic || ' rosa'), 'client_id', tests.id(clinic || ' birch'),
    'time_zone', 'America/New_York', 'service_code', '97153',
    'occurrences', pg_catalog.jsonb_agg(tests.occurrence(tests.at(clock), tests.at(clock) + interval '1 hour') order by place))
    || changes
  from pg_catalog.unnest(clocks) with ordinality as given (clock, place)
$$;
comment on function tests.hold_request is
  'A request that public.hold_sessions grants to Rosa: an hour with Birch at each clock time, but for the changes.';

-- Only what is called while a test acts as a user, and nothing that adds people or clinics.
grant execute on function
  tests.id, tests.name_row, tests.at, tests.act_as, tests.session_of, tests.authenticate_as, tests.authenticate_as_service_role, tests.clear_authentication,
  tests.keep, tests.kept, tests.occurrence, tests.offset_of, tests.times, tests.hold_request, tests.add_session, tests.add_group
to anon, authenticated, service_role;

commit;

begin;
select plan(4);

select tests.create_clinic('north');
select tests.authenticate_as(tests.id('north rosa login'), 'aal2', '{"org_id": "00000000-0000-0000-0000-000000000001"}');
select is(
  array[current_user::text, auth.uid()::text, auth.jwt() ->> 'aal', auth.jwt() ->> 'org_id'],
  array['authenticated', tests.id('north rosa login')::text, 'aal2', '00000000-0000-0000-0000-000000000001'],
  'authenticate_as acts as the database role, user and claims of a token');
select throws_ok($$ select tests.create_clinic('south') $$, '42501', null, 'a user whom a test acts as cannot add a clinic');
select tests.clear_authentication();
select is(
  array[current_user::text, auth.uid()::text], array['postgres', null],
  'clear_authentication acts as the owner, with nobody signed in');
select is(
  (select count(*)::integer from public.care_team_assignments where organization_id = tests.id('north')), 4,
  'create_clinic adds a clinic up to its care teams');

select * from finish();
rollback;
