-- Consents: what is published stays, what is signed is what the database took, and what ends ends once, whoever writes.
begin;
select plan(58);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
select tests.create_user('north parent login'), tests.create_user('north other login'), tests.create_user('south parent login');
insert into public.user_roles (organization_id, user_id, role) values
  (tests.id('north'), tests.id('north parent login'), 'client'),
  (tests.id('north'), tests.id('north other login'), 'client'),
  (tests.id('south'), tests.id('south parent login'), 'client');
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on) values
  (tests.id('north'), tests.id('north birch'), tests.id('north parent login'), 'parent', current_date - 30),
  (tests.id('north'), tests.id('north aspen'), tests.id('north other login'), 'parent', current_date - 30),
  (tests.id('south'), tests.id('south birch'), tests.id('south parent login'), 'parent', current_date - 30);
select tests.add_form('north'), tests.add_form('north', 'photos'), tests.add_form('south');

-- ---------------------------------------------------------------------------------------------------------
-- Forms
-- ---------------------------------------------------------------------------------------------------------

insert into public.consent_forms (id, organization_id, form_code, version, title, body, status, published_at)
values (tests.id('draft'), tests.id('north'), 'telehealth', 2, 'Telehealth', 'We meet by video or phone.', 'published', '2001-01-01');
select results_eq(
  $$ select status, published_at from public.consent_forms where id = tests.id('draft') $$,
  $$ values ('draft', null::timestamptz) $$, 'every form starts as a draft, whatever the insert says');
select throws_ok(
  $$ update public.consent_forms set status = 'published' where id = tests.id('draft') $$,
  '23505', null, 'a second version is not published beside the first');
select throws_ok(
  $$ insert into public.consent_forms (organization_id, form_code, version, title, body)
    values (tests.id('north'), 'telehealth', 1, 'Again', 'Again.') $$, '23505', null, 'a version is written once');
select lives_ok(
  $$ update public.consent_forms set title = 'Renamed' where id = tests.id('draft') $$, 'a draft may still change');

select throws_ok(
  format('update public.consent_forms set %s where id = tests.id(''north telehealth 1'')', change.what), '23514',
  'a published form does not change: constraint "consent_forms_published_text_stays"',
  format('%s: not even its owner changes a published form''s %s', actor.login, change.name))
from (values ('postgres', null), ('service_role', '{"role": "service_role"}'::jsonb)) actor (login, claims)
cross join (values ('body', 'body = ''Other.'''), ('title', 'title = ''Other''')) change (name, what)
cross join lateral tests.act_as(actor.login, actor.claims);
select tests.clear_authentication();
select throws_ok(
  format('update public.consent_forms set %s where id = tests.id(''north telehealth 1'')', change.what), '23514', null,
  'nor its ' || change.name)
from (values ('version', 'version = 9'), ('code', 'form_code = ''other'''), ('time', 'published_at = ''2001-01-01''')) change (name, what);
select throws_ok(
  $$ update public.consent_forms set status = 'draft' where id = tests.id('north telehealth 1') $$,
  '23514', 'a form cannot go from published to draft: constraint "consent_forms_status_transition"', 'a published form is no draft again');

-- acting as the admin
select tests.authenticate_as(tests.id('north admin login'));
select throws_ok(
  $$ update public.consent_forms set body = 'Other.' where id = tests.id('north telehealth 1') $$,
  '23514', null, 'an admin does not change a published form');
select throws_ok(
  $$ update public.consent_forms set published_at = '2001-01-01' where id = tests.id('draft') $$,
  '42501', null, 'when a form is published is not the admin''s to say');
select tests.authenticate_as(tests.id('north scheduler login'));
select is_empty(
  $$ update public.consent_forms set status = 'retired' where id = tests.id('north telehealth 1') returning id $$,
  'a scheduler retires no form');
select is_empty($$ select id from public.consent_forms where status = 'draft' $$, 'nor reads drafts');
select tests.authenticate_as(tests.id('north parent login'));
select set_eq(
  'select form_code from public.consent_forms', array['telehealth', 'photos'], 'a family reads what its clinic has published, and no draft');
select tests.clear_authentication();

-- ---------------------------------------------------------------------------------------------------------
-- Signing
-- ---------------------------------------------------------------------------------------------------------

create function pg_temp.sign(login text, client text, form text, headers jsonb default '{"cf-connecting-ip": "203.0.113.9", "user-agent": "Browser"}')
returns jsonb language plpgsql as $$
declare
  answer jsonb;
begin
  perform set_config('request.headers', headers::text, true);
  perform tests.authenticate_as(tests.id(login));
  answer := public.sign_consent(jsonb_build_object('client_id', tests.id(client), 'form_id', tests.id(form), 'typed_name', ' Pat Parent '));
  perform tests.clear_authentication();
  perform set_config('request.headers', '', true);
  return answer;
end
$$;
create function pg_temp.code(answer jsonb) returns text language sql as $$
  select coalesce(answer #>> '{problem,code}', 'granted')
$$;
create function pg_temp.terminate(login text, signature uuid, reason text default 'No longer') returns jsonb language plpgsql as $$
declare
  answer jsonb;
begin
  perform tests.authenticate_as(tests.id(login));
  answer := public.terminate_consent(jsonb_build_object('signature_id', signature, 'reason', reason));
  perform tests.clear_authentication();
  return answer;
end
$$;

select is(pg_temp.code(pg_temp.sign(refused.login, refused.client, refused.form)), refused.code, refused.name)
from (values
  ('north other login', 'north birch', 'north telehealth 1', 'not_found', 'another family does not sign'),
  ('south parent login', 'north birch', 'north telehealth 1', 'not_found', 'another clinic''s family does not sign'),
  ('north rosa login', 'north birch', 'north telehealth 1', 'forbidden', 'a therapist does not sign for a client'),
  ('north admin login', 'north birch', 'north telehealth 1', 'forbidden', 'nor does an admin'),
  ('north parent login', 'north birch', 'south telehealth 1', 'not_found', 'another clinic''s form is not signed'),
  ('north parent login', 'north birch', 'draft', 'not_found', 'a draft is not signed')
) refused (login, client, form, code, name);
select is(
  pg_temp.code(pg_temp.sign('north parent login', 'north birch', 'north telehealth 1', given.headers)), 'internal_error', given.name)
from (values
  ('{}'::jsonb, 'without the edge''s word of the address nothing is signed'),
  ('{"cf-connecting-ip": "nowhere"}', 'an address that is none is no address'),
  ('{"x-forwarded-for": "203.0.113.9, unknown"}', 'nor is what stands before the last element of x-forwarded-for'),
  ('{"x-real-ip": "203.0.113.9", "true-client-ip": "203.0.113.9"}', 'other headers are the caller''s own to send')
) given (headers, name);
select is_empty(
  $$ select id from public.consent_signatures where organization_id = tests.id('north') $$, 'and nothing was written');

select tests.keep('signed', pg_temp.sign('north parent login', 'north birch', 'north telehealth 1') -> 'data');
create temp view signature as
select it.* from public.consent_signatures it where it.id = (tests.kept('signed') ->> 'signature_id')::uuid;
select results_eq(
  $$ select organization_id, client_id, form_id, form_code, signed_by, typed_name, host(ip_address), user_agent, terminated_at from signature $$,
  $$ select tests.id('north'), tests.id('north birch'), tests.id('north telehealth 1'), 'telehealth', tests.id('north parent login'),
      'Pat Parent', '203.0.113.9', 'Browser', null::timestamptz $$,
  'a parent signs: who, where and with what are of the request');
select ok((select signed_at between now() and clock_timestamp() from signature), 'and when is the server''s time');
select is(
  (select body_digest from signature), sha256(convert_to(E'telehealth 1\nTelehealth\n\nWe meet by video.', 'UTF8')),
  'the digest is that of code, version, title and body');
select is(
  pg_temp.code(pg_temp.sign('north parent login', 'north birch', 'north telehealth 1')), 'already_signed', 'what is signed is not signed again');
select tests.keep('proxied', pg_temp.sign(
  'north parent login', 'north birch', 'north photos 1', '{"x-forwarded-for": "198.51.100.66, 203.0.113.10"}') -> 'data');
select is(
  (select host(ip_address) || ' ' || coalesce(user_agent, 'none')
    from public.consent_signatures
    where id = (tests.kept('proxied') ->> 'signature_id')::uuid),
  '203.0.113.10 none', 'of x-forwarded-for the last element counts, and a caller may send no user agent');

-- acting as the owner of the table, in nobody's name and in another's
select throws_ok(
  $$ insert into public.consent_signatures (organization_id, client_id, form_id, form_code, typed_name, signed_by, signed_at, ip_address, body_digest)
    values (tests.id('north'), tests.id('north aspen'), tests.id('north telehealth 1'), 'telehealth', 'Forged', tests.id('north parent login'),
      '2001-01-01', '198.51.100.66', '') $$,
  '23502', null, 'plain SQL in nobody''s name writes no signature, whatever it says of the signer');
select set_config('request.jwt.claims', jsonb_build_object('sub', tests.id('north other login'))::text, true),
  set_config('request.headers', '{"cf-connecting-ip": "203.0.113.9"}', true);
insert into public.consent_signatures (
  id, organization_id, client_id, form_id, form_code, typed_name, signed_by, signed_at, ip_address, user_agent, body_digest, terminated_at,
  terminated_by, termination_reason)
values (tests.id('forged'), tests.id('north'), tests.id('north aspen'), tests.id('north telehealth 1'), 'photos', 'Forged', tests.id('north parent login'),
  '2001-01-01', '198.51.100.66', 'Forged', '', '2001-01-01', tests.id('north parent login'), 'Forged');
select results_eq(
  $$ select form_code, signed_by, signed_at >= now(), host(ip_address), user_agent, octet_length(body_digest), terminated_at, terminated_by,
      termination_reason from public.consent_signatures where id = tests.id('forged') $$,
  $$ select 'telehealth', tests.id('north other login'), true, '203.0.113.9', null::text, 32, null::timestamptz, null::uuid, null::text $$,
  'what an insert says of the metadata is ignored, the owner''s too');
select throws_ok(
  $$ insert into public.consent_signatures (organization_id, client_id, form_id, typed_name)
    values (tests.id('north'), tests.id('north cedar'), tests.id('draft'), 'A name') $$,
  '23514', 'only a published form is signed: constraint "consent_signatures_form_published"', 'nobody signs a draft');
select throws_ok(
  $$ insert into public.consent_signatures (organization_id, client_id, form_id, typed_name)
    values (tests.id('north'), tests.id('north aspen'), tests.id('north telehealth 1'), 'A name') $$,
  '23505', null, 'nobody signs twice');
select tests.clear_authentication(), set_config('request.headers', '', true);

-- ---------------------------------------------------------------------------------------------------------
-- Ending
-- ---------------------------------------------------------------------------------------------------------

select throws_ok(
  format('update public.consent_signatures set %s where id = %L', change.what, tests.kept('signed') ->> 'signature_id'), '23514',
  'a signature is terminated once, and nothing else of it changes: constraint "consent_signatures_immutable"', change.name)
from (values
  ('typed_name = ''Other''', 'the owner of the table does not change a signature''s name'),
  ('signed_at = ''2001-01-01''', 'nor its time'),
  ('ip_address = ''198.51.100.66''', 'nor its address'),
  ('termination_reason = ''x'', body_digest = ''''', 'nor anything else while ending it'),
  ('terminated_at = now()', 'nor ends it without a reason')
) change (what, name);
select throws_ok(
  $$ delete from public.consent_signatures where organization_id = tests.id('north') $$, '23514', null, 'nobody deletes a signature');
select results_eq(
  $$ select tests.truncate_calls('{public.consent_signatures}') $$, $$ values ('public.consent_signatures app.refuse_change') $$, 'nor all of them');

select is(
  pg_temp.code(pg_temp.terminate(refused.login, (tests.kept('signed') ->> 'signature_id')::uuid)), refused.code, refused.name)
from (values
  ('north other login', 'not_found', 'another family does not end it'),
  ('north rosa login', 'forbidden', 'nor does a therapist'),
  ('north scheduler login', 'forbidden', 'nor a scheduler')
) refused (login, code, name);
select is(
  pg_temp.terminate('north parent login', (tests.kept('signed') ->> 'signature_id')::uuid) #>> '{data,already_terminated}', 'false', 'the family ends it');
select is(
  pg_temp.terminate('north admin login', (tests.kept('signed') ->> 'signature_id')::uuid, 'Other') #>> '{data,already_terminated}',
  'true', 'ending it again says that it had ended');
select results_eq(
  'select terminated_by, termination_reason, terminated_at >= signed_at from signature',
  $$ values (tests.id('north parent login'), 'No longer', true) $$, 'who ended it first, and why, stays');
select throws_ok(
  $$ update public.consent_signatures set terminated_at = null, terminated_by = null, termination_reason = null
    where organization_id = tests.id('north') $$, '23514', null,
  'what has ended does not come back');
select is(pg_temp.code(pg_temp.sign('north parent login', 'north birch', 'north telehealth 1')), 'granted', 'and can be signed anew');
select set_eq(
  $$ select action from audit.events where action like 'consent.%' and organization_id = tests.id('north') $$,
  array['consent.signed', 'consent.terminated'], 'signing and ending are on record');

-- ---------------------------------------------------------------------------------------------------------
-- What services ask for
-- ---------------------------------------------------------------------------------------------------------

insert into public.service_consents (organization_id, service_id, form_code, starts_on, ends_on) values
  (tests.id('north'), tests.id('north 97153'), 'telehealth', current_date - 9, null),
  (tests.id('north'), tests.id('north 97153'), 'photos', current_date - 9, current_date - 3),
  (tests.id('north'), tests.id('north 97154'), 'photos', current_date - 9, current_date + 9),
  (tests.id('north'), tests.id('north 97155'), 'photos', current_date + 3, null);
select is(
  app.missing_consents(tests.id('north'), tests.id(asked.client), tests.id('north ' || asked.service)), asked.forms, asked.name)
from (values
  ('north cedar', '97153', '{telehealth}'::text[], 'a form that is asked for today and not signed is missing; what was asked for before is not'),
  ('north aspen', '97154', '{photos}', 'a signature of another form does not count'),
  ('north birch', '97153', '{}', 'a live signature is not missing'),
  ('north cedar', '97155', '{}', 'what will be asked for is not yet')
) asked (client, service, forms, name);
select throws_ok(
  $$ insert into public.service_consents (organization_id, service_id, form_code, starts_on)
    values (tests.id('north'), tests.id('north 97155'), 'outings', current_date) $$,
  '23514', 'a service asks for a published form: constraint "service_consents_form_published"', 'a service does not ask for what nobody can sign');

select * from finish();
rollback;
