-- Worlds for the matrix: for every persona a clinic of its own in which its login is linked to everything there is
-- (therapist row, hours, care team, supervision, guardianship, referral, hold, series, waitlist), so that only the role makes a
-- difference.
-- Commits the schema `access`, which both 90-matrix-cells and supabase/tests/access/matrix.test.ts stand on; the two may
-- run at once, so it is never dropped.
begin;

select pg_advisory_xact_lock(hashtext('schema access'));
set local client_min_messages = warning;
create schema if not exists access;
comment on schema access is 'The matrix of who may do what, and what runs it. Not part of the project; not exposed by the API.';

create table if not exists access.worlds (
  world text primary key, elsewhere text not null, persona text not null, login uuid not null
);

create or replace function access.id(label text) returns uuid language sql immutable set search_path = '' as $$
  select pg_catalog.md5(label)::uuid
$$;
create or replace function access.at(hour integer) returns timestamptz language sql stable set search_path = '' as $$
  select (current_date + 30)::timestamp at time zone 'UTC' + pg_catalog.make_interval(hours => hour)
$$;

create or replace function access.add_login(label text) returns uuid language sql set search_path = '' as $$
  insert into auth.users (id, email) values (access.id(label), access.id(label) || '@access.example');
  insert into auth.sessions (id, user_id, created_at) values (access.id(label), access.id(label), now()) returning id
$$;

create or replace function access.create_world(run text, persona text, of_login uuid default null)
returns text language plpgsql set search_path = '' as $$
declare
  world text := run || ' ' || persona;
  org uuid := access.id(world);
  login uuid := coalesce(of_login, access.add_login(world || ' login'));
  colleague uuid := access.add_login(world || ' colleague login');
begin
  perform access.add_login(world || ' newcomer login');
  insert into access.worlds values (world, run || ' elsewhere', persona, login);
  insert into public.organizations (id, name, time_zone, requires_mfa, calls_per_minute, total_calls_per_minute)
  values (org, world, 'UTC', persona = 'admin at aal1', 100000, 1000000);

  insert into public.user_roles (id, organization_id, user_id, role)
  values (access.id(world || ' colleague role'), org, colleague, 'therapist');
  insert into public.user_roles (id, organization_id, user_id, role)
  select access.id(world || ' role'), case when held.role <> 'super_admin' then org end, login, held.role
  from (select case
    when persona in ('revoked therapist', 'banned therapist') then 'therapist'
    when persona = 'admin at aal1' then 'admin'
    when persona = 'super_admin with break-glass' then 'super_admin'
    when persona not in ('anon', 'no_role', 'service_role', 'elsewhere') then persona end) held (role)
  where held.role is not null;
  insert into public.user_roles (id, organization_id, user_id, role, kind, reason, expires_at)
  select access.id(world || ' break-glass'), org, login, 'super_admin', 'break_glass', 'The clinic cannot sign in', now() + interval '1 hour'
  where persona = 'super_admin with break-glass';

  insert into public.therapists (id, organization_id, user_id, display_name, credential) values
    (access.id(world || ' me'), org, login, 'Me', 'BCBA'),
    (access.id(world || ' colleague'), org, colleague, 'Colleague', 'RBT'),
    (access.id(world || ' supervised'), org, null, 'Supervised', 'RBT');
  insert into public.clients (id, organization_id, full_name)
  select access.id(world || ' ' || client), org, client from unnest(array['mine', 'theirs', 'reviewed', 'caseload', 'free']) client;
  insert into public.rooms (id, organization_id, name) values (access.id(world || ' room'), org, 'Room');
  insert into public.services (id, organization_id, service_code, name, cpt_code, is_group, is_team) values
    (access.id(world || ' service'), org, '97153', 'Direct', '97153', false, false),
    (access.id(world || ' other service'), org, '97156', 'Guidance', '97156', false, false),
    (access.id(world || ' group service'), org, '97154', 'Group', '97154', true, false),
    (access.id(world || ' team service'), org, '0373T', 'Team', '0373T', false, true);
  insert into public.care_team_assignments (id, organization_id, therapist_id, client_id, team_role, starts_on)
  select access.id(concat_ws(' ', world, team.who, 'of', team.whom)), org, access.id(world || ' ' || team.who), access.id(world || ' ' || team.whom), team.team_role, current_date - 30
  from (values ('me', 'mine', 'therapist'), ('me', 'reviewed', 'psychiatrist'), ('colleague', 'mine', 'therapist'),
    ('colleague', 'theirs', 'therapist'), ('colleague', 'reviewed', 'therapist'), ('supervised', 'caseload', 'therapist')) team (who, whom, team_role);
  insert into public.supervisions (id, organization_id, supervisor_id, therapist_id, starts_on) values
    (access.id(world || ' my supervision'), org, access.id(world || ' me'), access.id(world || ' supervised'), current_date - 30),
    (access.id(world || ' colleague supervision'), org, access.id(world || ' colleague'), access.id(world || ' supervised'), current_date - 30);
  insert into public.client_guardians (id, organization_id, client_id, user_id, relationship, starts_on) values
    (access.id(world || ' my guardianship'), org, access.id(world || ' mine'), login, 'parent', current_date - 30),
    (access.id(world || ' colleague guardianship'), org, access.id(world || ' theirs'), colleague, 'parent', current_date - 30);

  perform access.fill_schedule(world);
  perform access.add_consents(world, login);
  insert into public.sessions (id, organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone)
  select access.id(world || ' ' || booked.label), org, access.id(world || ' ' || booked.who), access.id(world || ' ' || booked.whom),
    access.id(world || ' service'), access.at(booked.hour), access.at(booked.hour + 1), 'UTC'
  from (values ('my session', 'me', 'mine', 10), ('session of my client', 'colleague', 'mine', 12), ('colleague session', 'colleague', 'theirs', 14),
    ('supervised session', 'supervised', 'caseload', 10), ('session under review', 'colleague', 'reviewed', 16),
    ('my last session', 'me', 'mine', 23), ('colleague last session', 'colleague', 'theirs', 23),
    -- What the RPCs move, exchange and give to somebody else.
    ('me moved', 'me', 'mine', 42), ('me one', 'me', 'mine', 46), ('me other', 'me', 'mine', 48), ('me given', 'me', 'mine', 60),
    ('colleague moved', 'colleague', 'theirs', 42), ('colleague one', 'colleague', 'theirs', 46), ('colleague other', 'colleague', 'theirs', 48),
    ('colleague given', 'colleague', 'mine', 62),
    -- What they mark; the past is by the hour of the day a month ago.
    ('me to complete', 'me', 'mine', -1440), ('me to miss', 'me', 'mine', -1438), ('me to correct', 'me', 'mine', -1436), ('me to start', 'me', 'mine', -1434),
    ('supervised to complete', 'supervised', 'caseload', -1440), ('supervised to miss', 'supervised', 'caseload', -1438),
    ('supervised to correct', 'supervised', 'caseload', -1436), ('supervised to start', 'supervised', 'caseload', -1434),
    ('colleague to complete', 'colleague', 'theirs', -1440), ('colleague to miss', 'colleague', 'theirs', -1438),
    ('colleague to correct', 'colleague', 'theirs', -1436), ('colleague to start', 'colleague', 'theirs', -1434),
    -- What was delivered, and is not billed.
    ('me delivered', 'me', 'mine', -1460), ('supervised delivered', 'supervised', 'caseload', -1460), ('colleague delivered', 'colleague', 'theirs', -1460),
    ('reviewed delivered', 'colleague', 'reviewed', -1458),
    -- Of a day on which nothing else changes, so that their charges stay as they are made below.
    ('me over', 'me', 'mine', -1500), ('supervised over', 'supervised', 'caseload', -1500), ('colleague over', 'colleague', 'theirs', -1500),
    ('client over', 'colleague', 'mine', -1498), ('reviewed over', 'colleague', 'reviewed', -1496)) booked (label, who, whom, hour);
  update public.sessions session set status = 'no_show'
  where session.id in (select access.id(concat_ws(' ', world, who, 'to correct')) from unnest(array['me', 'supervised', 'colleague']) who);
  update public.sessions session set status = 'completed', actual_start_time = session.start_time, actual_end_time = session.end_time
  where session.id in (select access.id(concat_ws(' ', world, which, 'delivered')) from unnest(array['me', 'supervised', 'colleague', 'reviewed']) which);
  insert into public.attendance_marks (id, organization_id, session_id, event, status)
  values (access.id(world || ' mark'), org, access.id(world || ' me to correct'), 'no_show', 'no_show');
  -- As if more had been planned than the limit, so that there is something to override.
  update public.session_charges set warnings = '{mue_exceeded}', mue_limit = 1, mue_units = 4 where organization_id = org;
  insert into public.session_groups (id, organization_id, therapist_id, service_id, start_time, end_time)
  select access.id(concat_ws(' ', world, who, 'group')), org, access.id(world || ' ' || who), access.id(world || ' group service'), access.at(18), access.at(19)
  from unnest(array['me', 'colleague', 'supervised']) who;

  perform access.write_notes(world, login, colleague);
  perform access.add_documents(world, login, colleague);
  perform set_config('request.jwt.claims', jsonb_build_object('sub', maker.maker)::text, true), access.hold(world, maker.label, maker.who, maker.whom, maker.hour)
  from (values ('hold I made', 'colleague', 'theirs', 4, login), ('hold for me', 'me', 'mine', 4, login), ('hold on my time', 'me', 'mine', 6, colleague),
    ('colleague hold', 'colleague', 'theirs', 6, colleague), ('supervised hold', 'supervised', 'caseload', 4, colleague),
    ('offer to my child', 'colleague', 'mine', 2, colleague), ('offer to another family', 'colleague', 'theirs', 0, colleague),
    ('offer on my time', 'me', 'reviewed', 2, colleague)) maker (label, who, whom, hour, maker);
  update public.session_holds hold
  set waitlist_entry_id = access.id(world || offered.whom || ' entry')
  from (values ('offer to my child', ' mine'), ('offer to another family', ' theirs'), ('offer on my time', ' reviewed')) offered (label, whom)
  where hold.id = access.id(world || ' ' || offered.label);
  perform set_config('request.jwt.claims', jsonb_build_object('sub', colleague)::text, true);
  insert into public.referrals (id, organization_id, reference) values (access.id(world || ' colleague referral'), org, 'THEIRS');
  perform set_config('request.jwt.claims', jsonb_build_object('sub', login)::text, true);
  insert into public.referrals (id, organization_id, reference) values (access.id(world || ' my referral'), org, 'MINE');
  perform set_config('request.jwt.claims', '', true);

  perform access.add_billing(world);
  insert into public.service_accounts (id, organization_id, name, scopes) values (access.id(world || ' account'), org, 'Partner', '{schedule:read}');
  insert into public.service_account_tokens (id, organization_id, service_account_id, token_hash, prefix, expires_at)
  values (access.id(world || ' token'), org, access.id(world || ' account'), sha256(convert_to(world || ' token', 'UTF8')), 'hf_abcdef', now() + interval '1 day');
  insert into app.webhook_endpoints (id, organization_id, url, event_types)
  values (access.id(world || ' endpoint'), org, 'https://hooks.example.com/', '{document.stored}');
  insert into app.calendar_feeds (id, organization_id, user_id, therapist_id, token_hash, second_factor, expires_at)
  select access.id(world || feed.label), org, feed.owner, access.id(world || ' colleague'), sha256(convert_to(world || feed.label, 'UTF8')), true, now() + interval '1 day'
  -- The last is one that nobody revokes.
  from (values (' my feed', login), (' colleague feed', colleague), (' feed', colleague)) feed (label, owner);
  insert into public.access_alerts (id, organization_id, kind) values (access.id(world || ' alert'), org, 'break_glass');
  insert into public.active_organizations (user_id, organization_id) values (login, org), (colleague, org);
  insert into public.idempotency_keys (organization_id, user_id, operation, key, request_hash, response) values (org, login, 'hold_sessions', 'key', '', '{}');
  insert into audit.events (organization_id, actor_id, action, decision, code, row_id) values (org, login, 'rpc.hold_sessions', 'deny', 'forbidden', access.id(world));
  return world;
end
$$;

-- Of "me" with "mine": a session on an open "case", one to attach, a "case to void", and "sent" and "void" cases of a batch that went out.
create or replace function access.add_billing(world text) returns void language sql set search_path = '' as $$
  insert into public.billing_profiles (id, organization_id, legal_name, npi, tax_id, taxonomy_code, street, town, region, zip, contact_name, contact_number,
    submitter_code, receiver_name, receiver_code, requires_signature, starts_on)
  values (access.id(world || ' profile'), access.id(world), 'Clinic', '1234567893', '123456789', '103K00000X', 'Street 1', 'Town', 'CA', '900010001', 'Who bills',
    '5555550100', 'SENDER', 'Receiver', 'RECEIVER', false, current_date - 30);
  update public.therapists set npi = '1234567893', legal_given = 'A', legal_family = 'Therapist' where id = access.id(world || ' me');
  update public.payers set payer_code = 'PAYER', filing_indicator = 'CI' where id = access.id(world || ' payer');
  update public.client_coverages set member_id = 'MEMBER', starts_on = current_date - 40 where id = access.id(world || ' mine coverage');
  update public.clients set given_name = 'A', family_name = 'Client', date_of_birth = '2020-01-01', sex = 'U', address_line = 'Street 2', city = 'Town', state = 'CA',
    postal_code = '90001', diagnosis_codes = '{F84.0}' where id = access.id(world || ' mine');
  insert into public.payer_rates (id, organization_id, payer_id, cpt_code, unit_cents, starts_on)
  values (access.id(world || ' rate'), access.id(world), access.id(world || ' payer'), '97153', 1500, current_date - 40);
  insert into public.sessions (id, organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, place_of_service, status, actual_start_time, actual_end_time)
  select access.id(world || ' ' || past.label), access.id(world), access.id(world || ' me'), access.id(world || ' mine'), access.id(world || ' service'),
    access.at(past.hour), access.at(past.hour + 1), 'UTC', '11', 'completed', access.at(past.hour), access.at(past.hour + 1)
  from (values ('billed session', -1446), ('session to bill', -1480)) past (label, hour);
  insert into public.billing_batches (id, organization_id, receiver_code, control_number, usage)
  values (access.id(world || ' batch'), access.id(world), 'RECEIVER', 1, 'test');
  update public.billing_batches set status = 'exported' where id = access.id(world || ' batch');
  insert into public.billing_cases (id, organization_id, claim_number, client_id, payer_id, therapist_id, place_of_service, month, batch_id, status)
  select access.id(world || ' ' || made.label), access.id(world), made.number, access.id(world || ' mine'), access.id(world || ' payer'), access.id(world || ' me'), '11',
    date_trunc('month', access.at(-1446)), case when made.status <> 'open' then access.id(world || ' batch') end, made.status
  from (values ('case', 1, 'open'), ('sent case', 2, 'submitted'), ('void case', 3, 'void'), ('case to void', 4, 'open')) made (label, number, status);
  insert into public.billing_lines (id, organization_id, case_id, session_id, status, line_number, service_date, cpt_code, modifiers, units, unit_cents, place_of_service)
  select access.id(world || ' line of ' || made.label), access.id(world), access.id(world || ' ' || made.label), access.id(world || ' billed session'), made.status, 1,
    access.at(-1446)::date, '97153', '{}', 4, 1500, '11'
  from (values ('case', 'billed'), ('sent case', 'void'), ('void case', 'void')) made (label, status);
$$;

-- Forms "form" (signed for everybody but "free"), "unsigned" and "draft"; what the other service asks for.
create or replace function access.add_consents(world text, signer uuid) returns void language plpgsql set search_path = '' as $$
begin
  insert into public.consent_forms (id, organization_id, form_code, version, title, body)
  select access.id(pg_catalog.concat_ws(' ', world, form.label)), access.id(world), form.code, 1, 'Title', 'Body'
  from (values ('form', 'telehealth'), ('unsigned', 'photos'), ('draft', 'outings')) form (label, code);
  update public.consent_forms set status = 'published' where id in (access.id(world || ' form'), access.id(world || ' unsigned'));
  insert into public.service_consents (id, organization_id, service_id, form_code, starts_on)
  values (access.id(world || ' asked'), access.id(world), access.id(world || ' other service'), 'telehealth', current_date);
  perform pg_catalog.set_config('request.jwt.claims', pg_catalog.jsonb_build_object('sub', signer)::text, true),
    pg_catalog.set_config('request.headers', '{"cf-connecting-ip": "203.0.113.9"}', true);
  insert into public.consent_signatures (id, organization_id, client_id, form_id, typed_name)
  select access.id(pg_catalog.concat_ws(' ', world, whom, 'signature')), access.id(world), access.id(world || ' ' || whom), access.id(world || ' form'), 'A name'
  from pg_catalog.unnest(array['mine', 'theirs', 'reviewed', 'caseload']) whom;
  perform pg_catalog.set_config('request.jwt.claims', '', true), pg_catalog.set_config('request.headers', '', true);
end
$$;

-- A note of each session that a scope means, or where it is signed of one that took place: my own is a draft, the others are signed; and released summaries.
create or replace function access.write_notes(world text, login uuid, colleague uuid) returns void language plpgsql set search_path = '' as $$
declare
  note record;
begin
  insert into public.client_keys (id, organization_id, client_id, wrapped_key, master_key_id)
  select access.id(concat_ws(' ', world, whom, 'key')), access.id(world), access.id(world || ' ' || whom), 'aaaa..bbbb.cccc.dddd', 'k1'
  from unnest(array['mine', 'theirs', 'reviewed', 'caseload']) whom;
  for note in
    select written.*, access.id(world || ' ' || label || ' note') as id, case who when 'me' then login else colleague end as author
    from (values ('my session', 'my session', 'me', 'mine', 'session', 'draft'), ('my draft', 'me over', 'me', 'mine', 'session', 'draft'), ('session of my client', 'client over', 'colleague', 'mine', 'session', 'signed'),
      ('colleague session', 'colleague over', 'colleague', 'theirs', 'session', 'signed'), ('supervised session', 'supervised over', 'supervised', 'caseload', 'session', 'signed'),
      ('session under review', 'reviewed over', 'colleague', 'reviewed', 'session', 'signed'), ('reviewed draft', 'reviewed over', 'colleague', 'reviewed', 'summary', 'draft'),
      ('my summary', 'me over', 'me', 'mine', 'summary', 'signed'), ('colleague summary', 'colleague over', 'colleague', 'theirs', 'summary', 'signed')
    ) written (label, of_session, who, whom, kind, status)
  loop
    insert into public.session_notes (id, organization_id, session_id, client_id, therapist_id, author_id, kind, needs_cosignature)
    values (note.id, access.id(world), access.id(world || ' ' || note.of_session), access.id(world || ' ' || note.whom), access.id(world || ' ' || note.who),
      note.author, note.kind, note.kind = 'session');
    insert into public.session_note_versions (id, organization_id, note_id, client_id, key_id, number, ciphertext, text_digest)
    values (access.id(world || ' ' || note.label || ' text'), access.id(world), note.id, access.id(world || ' ' || note.whom), access.id(world || ' ' || note.whom || ' key'),
      1, 'eeee..ffff.gggg.hhhh', sha256(''));
    update public.session_notes
    set status = note.status, signed_by = note.author, signed_at = now(), text_digest = sha256(''),
      released_by = case note.kind when 'summary' then note.author end, released_at = case note.kind when 'summary' then now() end
    where id = note.id and note.status = 'signed';
  end loop;
end
$$;

-- A stored document of each client that a scope means, one of mine that the family does not see, and an insurance card.
create or replace function access.add_documents(world text, login uuid, colleague uuid) returns void language plpgsql set search_path = '' as $$
declare
  document record;
begin
  for document in
    select * from (values ('my document', 'mine', 'plan', true, login), ('hidden document', 'mine', 'assessment', false, colleague),
      ('colleague document', 'theirs', 'plan', true, colleague), ('reviewed document', 'reviewed', 'plan', false, colleague),
      ('supervised document', 'caseload', 'plan', false, colleague), ('card', 'theirs', 'insurance', false, colleague)) it (label, whom, kind, visible, uploader)
  loop
    perform pg_catalog.set_config('request.jwt.claims', pg_catalog.jsonb_build_object('sub', document.uploader)::text, true);
    insert into public.documents (id, organization_id, client_id, kind, title, file_name, content_type, size_bytes, visible_to_family, status, stored_at)
    values (access.id(world || ' ' || document.label), access.id(world), access.id(world || ' ' || document.whom), document.kind, 'Title', 'file.pdf',
      'application/pdf', 1, document.visible, 'stored', now());
  end loop;
  perform pg_catalog.set_config('request.jwt.claims', '', true);
end
$$;

-- A row in every table of a clinic's schedule but sessions, groups and holds.
create or replace function access.fill_schedule(world text) returns void language sql set search_path = '' as $$
  insert into public.therapist_availability (id, organization_id, therapist_id, weekday, local_start, local_end, effective_from, time_zone)
  select access.id(pg_catalog.concat_ws(' ', world, who, 'hours', weekday)), access.id(world), access.id(world || ' ' || who), weekday, '00:00', '24:00', '2020-01-01', 'UTC'
  from pg_catalog.unnest(array['me', 'colleague', 'supervised']) who cross join pg_catalog.generate_series(1, 7) weekday;
  insert into public.availability_exceptions (id, organization_id, therapist_id, kind, start_time, end_time, time_zone, note)
  select access.id(pg_catalog.concat_ws(' ', world, who, 'time off')), access.id(world), access.id(world || ' ' || who), 'time_off', access.at(480), access.at(500), 'UTC', 'A fever'
  from pg_catalog.unnest(array['me', 'colleague', 'supervised']) who;
  insert into public.availability_exceptions (id, organization_id, kind, start_time, end_time, time_zone)
  values (access.id(world || ' holiday'), access.id(world), 'holiday', access.at(504), access.at(528), 'UTC');
  insert into public.payers (id, organization_id, name) values (access.id(world || ' payer'), access.id(world), 'Payer');
  insert into public.payer_rules (id, organization_id, payer_id, starts_on)
  values (access.id(world || ' payer rule'), access.id(world), access.id(world || ' payer'), current_date - 30);
  insert into public.payer_modifiers (id, organization_id, payer_id, modifiers, starts_on)
  values (access.id(world || ' payer modifiers'), access.id(world), access.id(world || ' payer'), '{HM}', current_date - 30);
  insert into public.client_coverages (id, organization_id, client_id, payer_id, starts_on)
  select access.id(pg_catalog.concat_ws(' ', world, whom, 'coverage')), access.id(world), access.id(world || ' ' || whom), access.id(world || ' payer'), current_date - 30
  from pg_catalog.unnest(array['mine', 'theirs']) whom;
  insert into public.authorizations (id, organization_id, client_id, payer_id, authorization_number, cpt_codes, starts_on, ends_on, units)
  select access.id(pg_catalog.concat_ws(' ', world, whom, 'authorization')), access.id(world), access.id(world || ' ' || whom), access.id(world || ' payer'), 'A-1', '{97156}',
    current_date - 30, current_date + 300, 100
  from pg_catalog.unnest(array['mine', 'theirs']) whom;
  insert into public.authorization_periods (organization_id, authorization_id, period, period_start)
  select access.id(world), access.id(pg_catalog.concat_ws(' ', world, whom, 'authorization')), 'month', '2020-01-01' from pg_catalog.unnest(array['mine', 'theirs']) whom;
  insert into public.authorization_entries (organization_id, authorization_id, booking_id, state, units, overridden_units, week_start, month_start)
  select access.id(world), access.id(pg_catalog.concat_ws(' ', world, whom, 'authorization')), access.id(pg_catalog.concat_ws(' ', world, whom, 'entry')), 'released', 0, 0, '2020-01-06', '2020-01-01'
  from pg_catalog.unnest(array['mine', 'theirs']) whom;
  insert into public.client_preferred_hours (id, organization_id, client_id, weekday, local_start, local_end, effective_from, time_zone)
  select access.id(pg_catalog.concat_ws(' ', world, whom, 'preference')), access.id(world), access.id(world || ' ' || whom), 1, '08:00', '18:00', current_date - 30, 'UTC'
  from pg_catalog.unnest(array['mine', 'theirs', 'reviewed', 'caseload']) whom;
  insert into public.buffer_rules (id, organization_id, service_id, minutes_after)
  values (access.id(world || ' buffer'), access.id(world), access.id(world || ' group service'), 5);
  insert into public.cancellation_rules (id, organization_id, role, minimum_notice_hours)
  values (access.id(world || ' rule'), access.id(world), 'client', 24);
  insert into public.session_series (id, organization_id, therapist_id, client_id, service_id, time_zone, rule, local_start, duration_minutes, status)
  select access.id(world || ' ' || repeated.label || ' series'), access.id(world), access.id(world || ' ' || repeated.who), access.id(world || ' ' || repeated.whom),
    access.id(world || case when repeated.who is null then ' team service' else ' service' end), 'UTC', 'FREQ=WEEKLY', current_date + interval '30 days', 60, 'active'
  from (values ('my', 'me', 'mine'), ('colleague', 'colleague', 'theirs'), ('supervised', 'supervised', 'caseload'), ('mine', 'colleague', 'mine'),
    ('reviewed', 'colleague', 'reviewed'), ('my team', null, 'mine'), ('reviewed team', null, 'reviewed'), ('colleague team', null, 'theirs')) repeated (label, who, whom);
  insert into public.session_teams (id, organization_id, client_id, service_id, start_time, end_time)
  select access.id(pg_catalog.concat_ws(' ', world, whom, 'team')), access.id(world), access.id(world || ' ' || whom), access.id(world || ' team service'), access.at(20), access.at(21)
  from pg_catalog.unnest(array['mine', 'theirs', 'reviewed', 'caseload']) whom;
  insert into public.waitlist_entries (id, organization_id, client_id, service_id, duration_minutes, wanted_from, time_zone)
  select access.id(pg_catalog.concat_ws(' ', world, whom, 'entry')), access.id(world), access.id(world || ' ' || whom), access.id(world || ' service'), 60, current_date, 'UTC'
  from pg_catalog.unnest(array['mine', 'theirs', 'reviewed', 'caseload']) whom;
  insert into public.waitlist_times (id, organization_id, entry_id, client_id, weekday, local_start, local_end)
  select access.id(pg_catalog.concat_ws(' ', world, whom, 'wanted time')), access.id(world), access.id(pg_catalog.concat_ws(' ', world, whom, 'entry')),
    access.id(world || ' ' || whom), 1, '08:00', '18:00'
  from pg_catalog.unnest(array['mine', 'theirs', 'reviewed', 'caseload']) whom;
$$;

create or replace function access.hold(world text, label text, who text, whom text, hour integer) returns void language sql set search_path = '' as $$
  insert into public.session_holds (id, organization_id, batch_key, therapist_id, client_id, service_id, start_time, end_time, time_zone, expires_at)
  values (access.id(world || ' ' || label), access.id(world), access.id(world || ' ' || label), access.id(world || ' ' || who), access.id(world || ' ' || whom),
    access.id(world || ' service'), access.at(hour), access.at(hour + 1), 'UTC', clock_timestamp() + interval '10 minutes')
$$;

create or replace function access.end_access(of_world text) returns void language plpgsql set search_path = '' as $$
declare
  this access.worlds := (select it from access.worlds it where it.world = of_world);
begin
  update public.user_roles set revoked_at = now() where id = access.id(of_world || ' role') and this.persona = 'revoked therapist';
  update auth.users set banned_until = now() + interval '1 day' where id = this.login and this.persona = 'banned therapist';
end
$$;
comment on function access.end_access is 'Revokes or bans whom the persona says, after they signed in: their token lives on.';

-- The row that a scope means: a label of create_world, or the key itself.
create or replace function access.target(of_world text, relation text, scope text) returns text language plpgsql stable set search_path = '' as $$
declare
  this access.worlds := (select it from access.worlds it where it.world = of_world);
  here text := case scope when 'other organization' then this.elsewhere else of_world end;
  mine boolean := scope = 'own row';
  whose text := case scope when 'own row' then 'me' when 'supervised row' then 'supervised' else 'colleague' end;
  whom text := case scope when 'own row' then 'mine' when 'assigned client' then 'mine' when 'client for review' then 'reviewed' when 'supervised row' then 'caseload' else 'theirs' end;
  label text;
begin
  if relation in ('roles', 'role_permissions', 'cpt_codes', 'mue_limits', 'credentials', 'places_of_service') then
    return case relation when 'cpt_codes' then '97153' when 'mue_limits' then '97153' when 'credentials' then 'RBT' when 'places_of_service' then '11'
      else 'partner_provider' end;
  elsif relation = 'denied_attempts' then
    return (select event.id from audit.events event where event.organization_id = access.id(here) and event.row_id = access.id(here) and event.decision = 'deny');
  elsif relation = 'active_organizations' then
    return case when mine then this.login else access.id(here || ' colleague login') end;
  elsif relation = 'idempotency_keys' then
    return this.login;
  end if;
  label := case
    when relation in ('organizations', 'access_thresholds') then null
    when relation = 'user_roles' then case when mine and this.persona = 'super_admin with break-glass' then 'break-glass' when mine then 'role' else 'colleague role' end
    when relation = 'therapists' then case when mine then 'me' else 'colleague' end
    when relation in ('clients', 'family_clients') then whom
    when relation = 'care_team_assignments' then
      case scope when 'own row' then 'me of mine' when 'assigned client' then 'colleague of mine' when 'supervised row' then 'supervised of caseload' else 'colleague of theirs' end
    when relation in ('sessions', 'family_sessions', 'session_charges', 'calendar_claims') then
      case scope when 'own row' then 'my session' when 'assigned client' then 'session of my client' when 'client for review' then 'session under review'
        when 'supervised row' then 'supervised session' else 'colleague session' end
    when relation in ('session_attendance', 'unbilled_sessions') then case scope when 'client for review' then 'reviewed' else whose end || ' delivered'
    when relation = 'session_groups' then whose || ' group'
    when relation = 'therapist_availability' then whose || ' hours 1'
    when relation = 'availability_exceptions' then case when scope in ('own organization', 'other organization') then 'holiday' else whose || ' time off' end
    when relation = 'payers' then 'payer'
    when relation = 'payer_rules' then 'payer rule'
    when relation = 'payer_modifiers' then 'payer modifiers'
    when relation = 'client_coverages' then whom || ' coverage'
    when relation = 'billing_profiles' then 'profile'
    when relation = 'payer_rates' then 'rate'
    when relation = 'billing_batches' then 'batch'
    when relation = 'billing_cases' then 'case'
    when relation = 'billing_lines' then 'line of case'
    when relation in ('authorizations', 'authorization_codes', 'authorization_periods') then whom || ' authorization'
    when relation = 'authorization_entries' then whom || ' entry'
    when relation = 'client_preferred_hours' then whom || ' preference'
    when relation = 'buffer_rules' then 'buffer'
    when relation = 'cancellation_rules' then 'rule'
    when relation = 'session_series' then
      case scope when 'own row' then 'my' when 'assigned client' then 'mine' when 'client for review' then 'reviewed' when 'supervised row' then 'supervised'
        when 'a team of an assigned client' then 'my team' when 'a team of a client for review' then 'reviewed team'
        when 'a team of an unassigned client' then 'colleague team' else 'colleague' end || ' series'
    when relation = 'session_teams' then whom || ' team'
    when relation = 'waitlist_entries' then whom || ' entry'
    when relation = 'waitlist_times' then whom || ' wanted time'
    when relation = 'consent_forms' then case scope when 'own organization' then 'form' else 'draft' end
    when relation = 'consent_signatures' then whom || ' signature'
    when relation = 'service_consents' then 'asked'
    when relation = 'session_holds' then case scope when 'an offer to an own child' then 'offer to my child' when 'an offer to another family' then 'offer to another family' when 'an offer of own time' then 'offer on my time' when 'own row' then 'hold I made' when 'own time' then 'hold on my time' when 'supervised row' then 'supervised hold' else 'colleague hold' end
    when relation in ('session_notes', 'session_note_versions') then
      case scope when 'own row' then 'my session' when 'assigned client' then 'session of my client' when 'client for review' then 'session under review'
        when 'supervised row' then 'supervised session' when 'a draft of a client for review' then 'reviewed draft'
        when 'a released summary of an own child' then 'my summary' when 'a released summary of another child' then 'colleague summary'
        else 'colleague session' end || case relation when 'session_notes' then ' note' else ' text' end
    when relation = 'client_keys' then whom || ' key'
    when relation = 'documents' then case scope when 'own row' then 'my document' when 'client for review' then 'reviewed document' when 'supervised row' then 'supervised document'
      when 'a hidden one of an own child' then 'hidden document' when 'an insurance card' then 'card' else 'colleague document' end
    when relation = 'attendance_marks' then 'mark'
    when relation = 'supervisions' then case when mine then 'my' else 'colleague' end || ' supervision'
    when relation = 'client_guardians' then case when mine then 'my' else 'colleague' end || ' guardianship'
    when relation in ('referrals', 'referral_summaries') then case when mine then 'my' else 'colleague' end || ' referral'
    when relation = 'access_alerts' then 'alert'
    when relation = 'service_accounts' then 'account'
    when relation = 'service_account_tokens' then 'token'
    when relation = 'rooms' then 'room'
    when relation = 'services' then 'service'
    else 'no such relation' end;
  return access.id(concat_ws(' ', here, label));
end
$$;

-- What is written: a row of the relation for the scope, and a change of one.
create or replace function access.new_row(of_world text, relation text, scope text) returns jsonb language plpgsql stable set search_path = '' as $$
declare
  this access.worlds := (select it from access.worlds it where it.world = of_world);
  here text := case scope when 'other organization' then this.elsewhere else of_world end;
  mine boolean := scope = 'own row';
  newcomer uuid := access.id(this.elsewhere || ' newcomer login');
  today date := current_date;
begin
  return case
    when relation in ('organizations', 'roles', 'role_permissions', 'cpt_codes', 'mue_limits', 'credentials', 'places_of_service', 'family_sessions', 'family_clients', 'referral_summaries', 'session_attendance', 'unbilled_sessions') then '{}'
    else pg_catalog.jsonb_build_object('organization_id', access.id(here)) end || case relation
    when 'organizations' then '{"name": "A new tenant", "time_zone": "UTC"}'::jsonb
    when 'user_roles' then pg_catalog.jsonb_build_object('user_id', case when mine then this.login else newcomer end, 'role', 'psychiatrist')
    when 'active_organizations' then pg_catalog.jsonb_build_object('user_id', newcomer)
    when 'therapists' then '{"display_name": "New", "credential": "RBT"}'
    when 'clients' then '{"full_name": "New"}'
    when 'rooms' then pg_catalog.jsonb_build_object('name', 'New for ' || this.persona)
    when 'services' then pg_catalog.jsonb_build_object('service_code', pg_catalog.left(this.persona, 20), 'name', 'New', 'cpt_code', '97153')
    when 'care_team_assignments' then pg_catalog.jsonb_build_object(
      'therapist_id', access.id(here || case when mine then ' me' else ' colleague' end), 'client_id', access.id(here || ' caseload'), 'team_role', 'therapist', 'starts_on', today)
    when 'supervisions' then pg_catalog.jsonb_build_object(
      'supervisor_id', access.id(here || case when mine then ' me' else ' supervised' end), 'therapist_id', access.id(here || ' colleague'), 'starts_on', today)
    when 'client_guardians' then pg_catalog.jsonb_build_object(
      'client_id', access.id(here || ' caseload'), 'user_id', case when mine then this.login else newcomer end, 'relationship', 'parent', 'starts_on', today)
    when 'payers' then pg_catalog.jsonb_build_object('name', 'New for ' || this.persona)
    when 'payer_rules' then pg_catalog.jsonb_build_object(
      'payer_id', access.id(here || ' payer'), 'starts_on', '2001-01-01', 'ends_on', '2001-12-31')
    when 'payer_modifiers' then pg_catalog.jsonb_build_object(
      'payer_id', access.id(here || ' payer'), 'credential', 'RBT', 'modifiers', array['HM'], 'starts_on', today)
    when 'session_charges' then '{"kind": "actual"}'
    when 'billing_profiles' then pg_catalog.jsonb_build_object('legal_name', 'New', 'npi', '1234567893', 'tax_id', '123456789', 'taxonomy_code', '103K00000X',
      'street', 'Street 1', 'town', 'Town', 'region', 'CA', 'zip', '900010001', 'contact_name', 'Who bills', 'contact_number', '5555550100',
      'submitter_code', 'SENDER', 'receiver_name', 'Receiver', 'receiver_code', 'RECEIVER', 'starts_on', '2001-01-01', 'ends_on', '2001-12-31')
    when 'payer_rates' then pg_catalog.jsonb_build_object(
      'payer_id', access.id(here || ' payer'), 'cpt_code', '97153', 'unit_cents', 1, 'starts_on', '2001-01-01', 'ends_on', '2001-12-31')
    when 'billing_batches' then '{"control_number": 9}'
    when 'billing_cases' then '{"claim_number": 9}'
    when 'billing_lines' then '{"line_number": 9}'
    when 'client_coverages' then pg_catalog.jsonb_build_object('client_id', access.id(here || ' free'), 'payer_id', access.id(here || ' payer'), 'starts_on', today)
    when 'client_preferred_hours' then pg_catalog.jsonb_build_object(
      'client_id', access.id(here || ' free'), 'weekday', 1, 'local_start', '08:00', 'local_end', '18:00', 'effective_from', today, 'time_zone', 'UTC')
    when 'therapist_availability' then pg_catalog.jsonb_build_object(
      'therapist_id', access.id(here || ' me'), 'weekday', 1, 'local_start', '08:00', 'local_end', '18:00', 'effective_from', '2001-01-01', 'effective_until', '2001-12-31', 'time_zone', 'UTC')
    when 'availability_exceptions' then pg_catalog.jsonb_build_object(
      'therapist_id', access.id(here || ' me'), 'kind', 'extra_hours', 'start_time', access.at(600), 'end_time', access.at(601), 'time_zone', 'UTC')
    when 'buffer_rules' then pg_catalog.jsonb_build_object('service_id', access.id(here || ' service'), 'therapist_id', access.id(here || ' supervised'), 'minutes_after', 5)
    when 'cancellation_rules' then '{"role": "supervisor", "minimum_notice_hours": 1}'
    when 'consent_forms' then '{"form_code": "new", "version": 1, "title": "New", "body": "New"}'
    when 'consent_signatures' then pg_catalog.jsonb_build_object(
      'client_id', access.id(here || ' mine'), 'form_id', access.id(here || ' unsigned'), 'typed_name', 'A name')
    when 'service_consents' then pg_catalog.jsonb_build_object('service_id', access.id(here || ' service'), 'form_code', 'telehealth', 'starts_on', today + 400)
    when 'session_series' then pg_catalog.jsonb_build_object('therapist_id', access.id(here || ' me'))
    when 'session_teams' then pg_catalog.jsonb_build_object(
      'client_id', access.id(here || ' free'), 'service_id', access.id(here || ' team service'), 'start_time', access.at(30), 'end_time', access.at(31))
    when 'waitlist_entries' then pg_catalog.jsonb_build_object('client_id', access.id(here || ' mine'))
    when 'waitlist_times' then pg_catalog.jsonb_build_object('client_id', access.id(here || ' mine'), 'weekday', 7)
    when 'session_groups' then pg_catalog.jsonb_build_object(
      'therapist_id', access.id(here || ' me'), 'service_id', access.id(here || ' group service'), 'start_time', access.at(30), 'end_time', access.at(31))
    when 'sessions' then pg_catalog.jsonb_build_object(
      'therapist_id', access.id(here || case when mine then ' me' else ' colleague' end), 'client_id', access.id(here || case when mine then ' mine' else ' theirs' end),
      'service_id', access.id(here || ' service'), 'start_time', access.at(32), 'end_time', access.at(33), 'time_zone', 'UTC')
    when 'session_holds' then pg_catalog.jsonb_build_object('therapist_id', access.id(here || ' me'))
    when 'referrals' then '{"reference": "NEW"}'
    when 'access_alerts' then '{"kind": "break_glass"}'
    when 'access_thresholds' then '{"denials": 3}'
    when 'service_accounts' then '{"name": "New", "scopes": ["schedule:read"]}'
    when 'service_account_tokens' then '{"prefix": "hf_abcdef"}'
    when 'calendar_claims' then pg_catalog.jsonb_build_object('claim_id', newcomer)
    when 'authorizations' then '{"units": 1}'
    when 'authorization_codes' then '{"cpt_code": "97151"}'
    when 'authorization_periods' then '{"period": "week"}'
    when 'authorization_entries' then '{"state": "used"}'
    when 'client_keys' then '{"master_key_id": "k2"}'
    when 'session_notes' then '{"kind": "session"}'
    when 'documents' then '{"kind": "plan"}'
    when 'attendance_marks' then '{"event": "no_show", "status": "no_show"}'
    when 'session_note_versions' then '{"number": 2}'
    when 'idempotency_keys' then '{"key": "new"}'
    when 'roles' then '{"role": "new", "summary": "New"}'
    when 'role_permissions' then '{"role": "client", "permission": "view_clients"}'
    when 'cpt_codes' then '{"code": "00000", "description": "New"}'
    when 'mue_limits' then '{"cpt_code": "97153", "programme": "medicaid", "units_per_day": 1, "starts_on": "2001-01-01", "source": "New"}'
    when 'credentials' then '{"code": "NEW", "description": "New", "level": 1}'
    when 'places_of_service' then '{"code": "98", "description": "New"}'
    when 'denied_attempts' then '{"action": "a.b"}'
    when 'session_attendance' then '{"late_cancellation": true}'
    when 'unbilled_sessions' then '{"units": 1}'
    else '{"status": "new"}' end;
end
$$;
create or replace function access.change(of_world text, relation text) returns jsonb language sql stable set search_path = '' as $$
  select case
    when relation = 'organizations' then '{"name": "Renamed"}'
    when relation = 'user_roles' then '{"expires_at": "2099-01-01T00:00:00Z"}'
    when relation = 'active_organizations' then pg_catalog.jsonb_build_object('organization_id', access.id(of_world))
    when relation = 'therapists' then '{"display_name": "Renamed"}'
    when relation = 'clients' then '{"full_name": "Renamed"}'
    when relation = 'rooms' then pg_catalog.jsonb_build_object('name', 'Renamed by ' || of_world)
    when relation = 'services' then '{"name": "Renamed"}'
    when relation in ('care_team_assignments', 'supervisions', 'client_guardians') then pg_catalog.jsonb_build_object('ends_on', current_date + 400)
    when relation = 'session_groups' then pg_catalog.jsonb_build_object('end_time', access.at(20))
    when relation = 'session_teams' then pg_catalog.jsonb_build_object('end_time', access.at(22))
    when relation = 'payers' then pg_catalog.jsonb_build_object('name', 'Renamed by ' || of_world)
    when relation in ('payer_rules', 'payer_modifiers', 'billing_profiles', 'payer_rates') then pg_catalog.jsonb_build_object('ends_on', current_date + 400)
    when relation = 'session_charges' then '{"units": 96}'
    when relation = 'billing_batches' then '{"usage": "production"}'
    when relation = 'billing_cases' then '{"frequency": "7"}'
    when relation = 'billing_lines' then '{"units": 96}'
    when relation = 'client_coverages' then pg_catalog.jsonb_build_object('ends_on', current_date + 400)
    when relation in ('client_preferred_hours', 'therapist_availability', 'waitlist_times') then '{"local_end": "19:00"}'
    when relation = 'buffer_rules' then '{"minutes_after": 10}'
    when relation = 'cancellation_rules' then '{"minimum_notice_hours": 2}'
    when relation = 'availability_exceptions' then '{"status": "cancelled"}'
    when relation = 'consent_forms' then '{"title": "Renamed"}'
    when relation = 'consent_signatures' then '{"typed_name": "Forged"}'
    when relation = 'service_consents' then pg_catalog.jsonb_build_object('ends_on', current_date + 400)
    when relation = 'session_series' then '{"status": "ended"}'
    when relation = 'waitlist_entries' then '{"status": "withdrawn"}'
    when relation = 'sessions' then '{"place_of_service": "12"}'
    when relation = 'attendance_marks' then '{"event": "no_show"}'
    when relation = 'session_holds' then '{"status": "released"}'
    when relation = 'access_alerts' then '{"kind": "note_unreadable"}'
    when relation = 'access_thresholds' then '{"denials": 3}'
    when relation = 'service_accounts' then '{"disabled_at": null}'
    when relation = 'service_account_tokens' then '{"revoked_at": null}'
    when relation = 'calendar_claims' then '{"kind": "session"}'
    when relation = 'authorizations' then '{"units": 1000}'
    when relation = 'authorization_codes' then '{"cpt_code": "97151"}'
    when relation = 'authorization_periods' then '{"taken_units": 0}'
    when relation = 'authorization_entries' then '{"units": 0}'
    when relation = 'client_keys' then '{"master_key_id": "k2"}'
    when relation = 'session_notes' then '{"kind": "summary"}'
    when relation = 'documents' then '{"kind": "report"}'
    when relation = 'session_note_versions' then '{"number": 2}'
    when relation = 'idempotency_keys' then '{"operation": "none"}'
    when relation = 'roles' then '{"summary": "Renamed"}'
    when relation = 'role_permissions' then '{"permission": "view_all"}'
    when relation = 'mue_limits' then '{"units_per_day": 96}'
    when relation in ('cpt_codes', 'credentials', 'places_of_service') then '{"description": "Renamed"}'
    when relation = 'denied_attempts' then '{"action": "a.b"}'
    when relation = 'session_attendance' then '{"late_cancellation": true}'
    when relation = 'unbilled_sessions' then '{"units": 1}'
    else '{"status": "declined"}' end::jsonb
$$;

create or replace function access.time(starts integer) returns jsonb language sql stable set search_path = '' as $$
  select pg_catalog.jsonb_build_object('time_zone', 'UTC', 'start_time', access.at(starts), 'start_time_offset_minutes', 0,
    'end_time', access.at(starts + 1), 'end_time_offset_minutes', 0)
$$;
-- The requests of scheduling, each of a time and rows that no other one is about.
-- The proof that the function session-notes would give of a second version of `my session note`.
insert into app.note_writers (master_key_id, proof_key) values ('matrix', decode(repeat('0b', 32), 'hex')) on conflict do nothing;
create or replace function access.proof(of_world text, key uuid) returns text language sql stable set search_path = '' as $$
  select pg_catalog.encode(app.hmac_sha256(pg_catalog.convert_to(pg_catalog.concat_ws(E'\n',
    'holdfast note v1', access.id(of_world), access.id(of_world || ' mine'), access.id(of_world || ' my session'), this.login, 'session',
    access.id(of_world || ' my session note'), 1, key, '', '', 'eeee..ffff.gggg.hhhh', pg_catalog.repeat('0', 64)), 'UTF8'),
    pg_catalog.decode(pg_catalog.repeat('0b', 32), 'hex')), 'hex')
  from access.worlds this where this.world = of_world
$$;

create or replace function access.request(of_world text, rpc text, scope text) returns jsonb language plpgsql stable set search_path = '' as $$
declare
  this access.worlds := (select it from access.worlds it where it.world = of_world);
  here text := case scope when 'other organization' then this.elsewhere else of_world end;
  whose text := case scope when 'own row' then 'me' else 'colleague' end;
  me text := here || ' ' || whose;
  marked text := here || case scope when 'supervised row' then ' supervised' else ' ' || whose end;
  client text := here || case when scope = 'own row' then ' mine' else ' theirs' end;
begin
  return case rpc
    when 'find_open_times' then pg_catalog.jsonb_build_object(
      'therapist_ids', pg_catalog.jsonb_build_array(access.id(me)), 'client_id', access.id(client), 'service_code', '97153', 'duration_minutes', 60,
      'range_start', access.at(80), 'range_end', access.at(90), 'time_zone', 'UTC')
    when 'join_slot' then pg_catalog.jsonb_build_object('group_id', access.id(me || ' group'), 'client_id', access.id(client))
    when 'move_session' then access.time(44) || pg_catalog.jsonb_build_object('session_id', access.id(me || ' moved'), 'version', 1)
    when 'set_place_of_service' then pg_catalog.jsonb_build_object('session_id', access.id(me || ' moved'), 'place_of_service', '12')
    when 'start_session' then pg_catalog.jsonb_build_object(
      'session_id', access.id(marked || ' to start'), 'version', 1, 'actual_start_time', access.at(-1434))
    when 'complete_session' then pg_catalog.jsonb_build_object(
      'session_id', access.id(marked || ' to complete'), 'version', 1, 'actual_start_time', access.at(-1440), 'actual_end_time', access.at(-1439))
    when 'mark_no_show' then pg_catalog.jsonb_build_object('session_id', access.id(marked || ' to miss'), 'version', 1)
    when 'correct_attendance' then pg_catalog.jsonb_build_object(
      'session_id', access.id(marked || ' to correct'), 'version', 2, 'status', 'scheduled', 'reason', 'A slip')
    when 'list_no_show_candidates' then pg_catalog.jsonb_build_object('organization_id', access.id(here))
    when 'evv_records' then pg_catalog.jsonb_build_object('organization_id', access.id(here), 'from', access.at(-1500), 'to', access.at(0))
    when 'swap_sessions' then pg_catalog.jsonb_build_object(
      'session_id', access.id(me || ' one'), 'version', 1, 'other_session_id', access.id(me || ' other'), 'other_version', 1, 'exchange', 'times')
    when 'substitute_therapist' then pg_catalog.jsonb_build_object(
      'therapist_id', access.id(me), 'substitute_id', access.id(here || case whose when 'me' then ' colleague' else ' me' end), 'from', access.at(59), 'to', access.at(64))
    when 'update_series' then pg_catalog.jsonb_build_object(
      'series_id', access.target(of_world, 'session_series', scope), 'version', 1, 'from', access.at(0), 'time_zone', 'UTC',
      'occurrences', pg_catalog.jsonb_build_array(access.time(72) - 'time_zone'),
      'recurrence', pg_catalog.jsonb_build_object('rule', 'FREQ=WEEKLY;COUNT=1', 'local_start', (current_date + 33)::timestamp, 'exdates', '[]'::jsonb))
    when 'set_availability' then pg_catalog.jsonb_build_object(
      'therapist_id', access.id(me), 'time_zone', 'UTC', 'effective_from', current_date + 300, 'effective_until', current_date + 301,
      'hours', '[{"weekday": 1, "local_start": "08:00", "local_end": "18:00"}]'::jsonb)
    when 'add_exception' then access.time(600) || pg_catalog.jsonb_build_object('kind', 'extra_hours', 'therapist_id', access.id(me))
    when 'cancel_exception' then pg_catalog.jsonb_build_object('exception_id', access.target(of_world, 'availability_exceptions', scope))
    when 'join_waitlist' then pg_catalog.jsonb_build_object(
      'client_id', access.target(of_world, 'clients', scope), 'service_code', '97156', 'duration_minutes', 60, 'wanted_from', current_date + 2, 'time_zone', 'UTC',
      'wanted_times', '[{"weekday": 1, "local_start": "08:00", "local_end": "18:00"}]'::jsonb)
    when 'leave_waitlist' then pg_catalog.jsonb_build_object('waitlist_entry_id', access.target(of_world, 'waitlist_entries', scope))
    when 'answer_offer' then pg_catalog.jsonb_build_object('hold_key', access.target(of_world, 'session_holds', scope), 'answer', 'decline')
    when 'request_document' then pg_catalog.jsonb_build_object(
      'client_id', access.target(of_world, 'clients', scope), 'kind', case scope when 'an insurance card' then 'insurance' else 'plan' end, 'title', 'Title',
      'file_name', 'file.pdf', 'content_type', 'application/pdf', 'size_bytes', 1)
    when 'find_documents' then pg_catalog.jsonb_build_object('client_id', access.target(of_world, 'clients', scope))
    when 'finish_document' then pg_catalog.jsonb_build_object('document_id', access.target(of_world, 'documents', scope))
    when 'read_document' then pg_catalog.jsonb_build_object('document_id', access.target(of_world, 'documents', scope))
    when 'delete_document' then pg_catalog.jsonb_build_object('document_id', access.target(of_world, 'documents', scope), 'reason', 'Not ours')
    when 'prepare_note' then pg_catalog.jsonb_build_object('session_id', access.target(of_world, 'sessions', scope))
    when 'save_note' then pg_catalog.jsonb_build_object(
      'session_id', access.target(of_world, 'sessions', scope), 'version', 1, 'ciphertext', 'eeee..ffff.gggg.hhhh', 'text_digest', pg_catalog.repeat('0', 64),
      'key_id', access.id(here || ' mine key'), 'proof', access.proof(of_world, access.id(here || ' mine key')))
    when 'override_mue' then pg_catalog.jsonb_build_object('session_id', access.id(here || case scope
      when 'supervised row' then ' supervised' when 'assigned client' then ' client' when 'client for review' then ' reviewed'
      when 'unassigned client' then ' colleague' else ' me' end || ' over'), 'reason', 'It was necessary')
    when 'destroy_client_key' then pg_catalog.jsonb_build_object('client_id', access.id(here || ' mine'))
    when 'report_unreadable_note' then pg_catalog.jsonb_build_object('note_id', access.target(of_world, 'session_notes', scope), 'reason', 'text_tampered')
    when 'read_note' then pg_catalog.jsonb_build_object('note_id', access.target(of_world, 'session_notes', scope))
    when 'release_summary' then pg_catalog.jsonb_build_object('note_id', access.target(of_world, 'session_notes', scope))
    when 'sign_note' then pg_catalog.jsonb_build_object(
      -- Not the draft that save_note saves.
      'note_id', case when scope = 'own row' then access.id(here || ' my draft note')::text else access.target(of_world, 'session_notes', scope) end,
      'version', 1, 'text_digest', pg_catalog.encode(pg_catalog.sha256(''), 'hex'))
    when 'cosign_note' then pg_catalog.jsonb_build_object(
      'note_id', access.target(of_world, 'session_notes', scope), 'version', 1, 'text_digest', pg_catalog.encode(pg_catalog.sha256(''), 'hex')) end;
end
$$;

create or replace function access.endpoint(here text) returns jsonb language sql immutable set search_path = '' as $$
  select pg_catalog.jsonb_build_object('organization_id', access.id(here), 'endpoint_id', access.id(here || ' endpoint'))
$$;

create or replace function access.arguments(of_world text, rpc text, scope text) returns jsonb language plpgsql stable set search_path = '' as $$
declare
  this access.worlds := (select it from access.worlds it where it.world = of_world);
  here text := case scope when 'other organization' then this.elsewhere else of_world end;
  mine boolean := scope = 'own row';
begin
  if rpc in ('find_open_times', 'join_slot', 'move_session', 'swap_sessions', 'substitute_therapist', 'update_series', 'set_availability', 'add_exception',
    'cancel_exception', 'join_waitlist', 'leave_waitlist', 'answer_offer',
    'request_document', 'find_documents', 'finish_document', 'read_document', 'delete_document',
    'start_session', 'complete_session', 'mark_no_show', 'correct_attendance', 'list_no_show_candidates', 'evv_records',
    'set_place_of_service',
    'prepare_note', 'save_note', 'read_note', 'sign_note', 'cosign_note', 'release_summary', 'report_unreadable_note', 'destroy_client_key', 'override_mue')
  then
    return pg_catalog.jsonb_build_object('request', access.request(of_world, rpc, scope));
  end if;
  if rpc in ('read_attendance', 'read_cancellations', 'read_utilization', 'read_authorization_units', 'read_unbilled_sessions', 'read_missing_notes') then
    return pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object('organization_id', access.id(here), 'from', current_date - 90, 'to', current_date));
  end if;
  return case rpc
    when 'sign_consent' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'client_id', access.target(of_world, 'clients', scope), 'form_id', access.id(here || ' unsigned'), 'typed_name', 'A name'))
    when 'terminate_consent' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'signature_id', access.target(of_world, 'consent_signatures', scope), 'reason', 'No longer'))
    when 'client_access_report' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'client_id', access.target(of_world, 'clients', scope)))
    when 'read_insights' then pg_catalog.jsonb_build_object('request', access.endpoint(here) - 'endpoint_id')
    when 'save_insights' then pg_catalog.jsonb_build_object('request', access.endpoint(here) - 'endpoint_id' || '{"enabled": true}')
    when 'claim_insights' then pg_catalog.jsonb_build_object('request', access.endpoint(here) - 'endpoint_id')
    when 'record_insights' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object('lease_id', access.id(here), 'status_code', 200))
    when 'save_webhook_endpoint' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'organization_id', access.id(here), 'url', 'https://hooks.example.com/new'))
    when 'rotate_webhook_secret' then pg_catalog.jsonb_build_object('request', access.endpoint(here))
    when 'read_webhook_endpoints' then pg_catalog.jsonb_build_object('request', access.endpoint(here) - 'endpoint_id')
    when 'read_webhook_deliveries' then pg_catalog.jsonb_build_object('request', access.endpoint(here))
    when 'replay_webhook_deliveries' then pg_catalog.jsonb_build_object('request', access.endpoint(here))
    when 'claim_webhook_deliveries' then pg_catalog.jsonb_build_object('request', access.endpoint(here) - 'endpoint_id')
    when 'record_webhook_attempt' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'delivery_id', access.id(here), 'lease_id', access.id(here), 'duration_ms', 1, 'status_code', 200))
    when 'create_calendar_feed' then pg_catalog.jsonb_build_object('request', case scope
      when 'own organization' then pg_catalog.jsonb_build_object('organization_id', access.id(here))
      else pg_catalog.jsonb_build_object('client_id', access.target(of_world, 'clients', scope)) end)
    when 'revoke_calendar_feed' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'feed_id', access.id(here || case when mine then ' my feed' else ' colleague feed' end)))
    when 'read_calendar_feeds' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object('organization_id', access.id(here)))
    when 'read_calendar' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'token_hash', pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(here || ' feed', 'UTF8')), 'hex')))
    when 'run_job' then '{"job": "make_partitions"}'
    when 'read_access_alerts' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object('organization_id', access.id(here)))
    when 'acknowledge_alert' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'alert_id', access.target(of_world, 'access_alerts', scope), 'reason', 'Looked into'))
    when 'read_clients' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'organization_id', access.id(here), 'ids', pg_catalog.jsonb_build_array(access.target(of_world, 'clients', scope))))
    when 'read_texts' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'organization_id', access.id(here), 'table', 'sessions', 'ids', pg_catalog.jsonb_build_array(access.target(of_world, 'sessions', scope))))
    when 'save_client' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'client_id', access.target(of_world, 'clients', scope), 'full_name', 'Saved'))
    when 'save_coverage' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'client_id', access.target(of_world, 'clients', scope), 'coverage_id', access.target(of_world, 'client_coverages', scope), 'member_id', 'SAVED'))
    when 'read_consents' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'client_id', access.target(of_world, 'clients', scope)))
    when 'save_authorization' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'client_id', access.target(of_world, 'clients', scope), 'payer_id', access.id(here || ' payer'), 'authorization_number', 'A-2', 'cpt_codes', '["97151"]'::jsonb,
      'starts_on', current_date, 'ends_on', current_date + 90, 'units', 32))
    when 'close_authorization' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'authorization_id', access.target(of_world, 'authorizations', scope)))
    when 'read_authorizations' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'client_id', access.target(of_world, 'clients', scope)))
    when 'read_authorization_alerts' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object('organization_id', access.id(here)))
    when 'supervision_months' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'organization_id', access.id(here), 'month', pg_catalog.to_char(current_date, 'YYYY-MM')))
    when 'attach_sessions' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'session_ids', pg_catalog.jsonb_build_array(access.id(here || ' session to bill'))))
    when 'void_case' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object('case_id', access.id(here || ' case to void')))
    when 'rebill_case' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'case_id', access.id(here || ' void case'), 'action', 'take_back', 'payer_claim_number', 'P-1'))
    when 'settle_case' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object('case_id', access.id(here || ' sent case'), 'status', 'paid'))
    when 'create_billing_batch' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'case_ids', pg_catalog.jsonb_build_array(access.id(here || ' case')), 'usage', 'test'))
    when 'read_billing_batch' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object('batch_id', access.id(here || ' batch')))
    when 'export_billing_batch' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object('batch_id', access.id(here || ' batch'), 'claims', 2))
    when 'preview_sessions' then access.arguments(of_world, 'hold_sessions', scope)
    when 'hold_sessions' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'therapist_id', access.id(here || case when mine then ' me' else ' colleague' end), 'client_id', access.id(here || case when mine then ' mine' else ' theirs' end),
      'time_zone', 'UTC', 'service_code', '97153', 'occurrences', pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object(
        'start_time', access.at(36), 'start_time_offset_minutes', 0, 'end_time', access.at(37), 'end_time_offset_minutes', 0))))
    when 'confirm_sessions' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'hold_key', access.id(here || case when mine then ' hold for me' else ' colleague hold' end)))
    when 'cancel_sessions' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object(
      'session_ids', pg_catalog.jsonb_build_array(access.id(here || case when mine then ' my last session' else ' colleague last session' end)),
      'cancelled_by', case this.persona when 'client' then 'client' else 'clinic' end))
    when 'find_notes_to_cosign' then pg_catalog.jsonb_build_object('request', pg_catalog.jsonb_build_object('organization_id', access.id(here)))
    when 'archive_client' then pg_catalog.jsonb_build_object('client', access.id(here || ' free'))
    when 'break_glass' then pg_catalog.jsonb_build_object('organization', access.id(here), 'reason', 'The clinic cannot sign in', 'minutes', 5)
    when 'custom_access_token_hook' then pg_catalog.jsonb_build_object('event', pg_catalog.jsonb_build_object('user_id', this.login, 'claims', '{}'::jsonb))
    when 'create_service_account' then pg_catalog.jsonb_build_object('organization', access.id(here), 'name', 'New', 'scopes', array['schedule:read'])
    when 'rotate_service_account_token' then pg_catalog.jsonb_build_object('account', access.id(here || ' account'))
    when 'revoke_service_account' then pg_catalog.jsonb_build_object('account', access.id(here || ' account'))
    when 'list_service_account_tokens' then pg_catalog.jsonb_build_object('account', access.id(here || ' account'))
    -- The token is the authority, whoever sends it; a token of elsewhere that was never issued is none.
    when 'partner_sync' then pg_catalog.jsonb_build_object('token', of_world || case scope when 'own organization' then ' token' else ' no token' end, 'request', '{"operation": "schedule"}'::jsonb)
    when 'health' then '{}'
    when 'metrics' then '{}'
    when 'list_denied_attempts' then pg_catalog.jsonb_build_object('organization', access.id(here), 'until', access.at(99))
    else pg_catalog.jsonb_build_object('organization', access.id(here)) end;
end
$$;

create or replace function access.answer_means_yes(rpc text, answer jsonb) returns text language sql immutable set search_path = '' as $$
  select case
    when answer #>> '{problem,code}' in ('forbidden', 'not_found', 'mfa_required', 'unauthenticated') then 'deny'
    when answer -> 'problem' is not null then 'error ' || (answer ->> 'problem')
    when rpc ~ '^list_' and (answer is null or answer in ('[]', 'null')) then 'deny'
    else 'allow' end
$$;

commit;

begin;
select plan(3);
select access.create_world('trial', 'elsewhere'), access.create_world('trial', 'therapist');
select is(
  (select count(*)::integer from public.user_roles where user_id = access.target('trial therapist', 'active_organizations', 'own row')::uuid),
  1, 'a world gives its persona the one role');
select is(
  (select count(*)::integer from public.sessions
    where id::text in (access.target('trial therapist', 'sessions', 'own row'), access.target('trial therapist', 'sessions', 'other organization'))),
  2, 'a scope means a row that exists');
select is_empty('select fault from app.ledger_faults()', 'the worlds'' holds and sessions agree with the ledger');
select * from finish();
rollback;
