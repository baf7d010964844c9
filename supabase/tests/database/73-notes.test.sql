-- Notes: what the tables keep whoever writes, and what the RPCs refuse who call them directly. The text itself is the
-- function's concern: supabase/tests/http/notes.test.ts and note-keys.test.ts.
begin;
select plan(70);

select tests.create_clinic('north'), tests.create_clinic('south');
select tests.add_session('a session', 'north', '10:00', '{"day": -60}'), tests.add_session('another session', 'north', '12:00', '{"client": "north aspen", "day": -60}');
select tests.add_session('third session', 'north', '14:00', '{"client": "north aspen"}'), tests.add_session('south session', 'south', '10:00');
select tests.add_note('a note', 'north', 'a session'), tests.add_note('south note', 'south', 'south session');
select tests.add_note('a summary', 'north', 'a session', '{"kind": "summary"}');
create function pg_temp.code(answer jsonb) returns text language sql as $$
  select coalesce(concat_ws(' ', answer #>> '{problem,code}', answer #>> '{problem,errors,0,field}', answer #>> '{problem,errors,0,code}', answer #>> '{problem,reason}'), '')
$$;
-- What the function would hand over to save a session's first note, with its proof; in the name of the session's therapist.
insert into app.note_writers (master_key_id, proof_key) values ('73', decode(repeat('73', 32), 'hex'));
create function pg_temp.saved(session text, changes jsonb default '{}') returns jsonb language sql security definer as $$
  select saved.request || jsonb_build_object('proof', encode(app.hmac_sha256(convert_to(concat_ws(E'\n',
      'holdfast note v1', it.organization_id, it.client_id, it.id, therapist.user_id, coalesce(saved.request ->> 'kind', 'session'), saved.request ->> 'new_note_id',
      saved.request ->> 'version', saved.request ->> 'key_id', coalesce(saved.request ->> 'wrapped_key', ''), coalesce(saved.request ->> 'master_key_id', ''),
      saved.request ->> 'ciphertext', saved.request ->> 'text_digest'), 'UTF8'), decode(repeat('73', 32), 'hex')), 'hex'))
  from public.sessions it
  join public.therapists therapist on therapist.id = it.therapist_id
  cross join (select jsonb_build_object('session_id', tests.id(session), 'version', 0, 'ciphertext', 'eeee..ffff.gggg.hhhh', 'text_digest', repeat('0', 64),
    'key_id', tests.id('new key'), 'wrapped_key', 'aaaa..bbbb.cccc.dddd', 'master_key_id', 'k1', 'new_note_id', tests.id('new note')) || changes) saved (request)
  where it.id = tests.id(session)
$$;
create function pg_temp.stored() returns text language sql as $$
  select concat_ws(' ', (select count(*) from public.client_keys), (select count(*) from public.session_notes), (select count(*) from public.session_note_versions))
$$;
grant execute on function pg_temp.code, pg_temp.saved to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- Of a draft
-- ---------------------------------------------------------------------------------------------------------

select throws_ok(refused.statement, '23514', null, refused.name)
from (values
  ($$ update public.session_note_versions set ciphertext = 'aaaa..bbbb.cccc.dddd' where note_id = tests.id('a note') $$, 'a version does not change, by its owner neither'),
  ($$ delete from public.session_note_versions where note_id = tests.id('a note') $$, 'nor is one removed'),
  ($$ insert into public.session_note_versions (organization_id, note_id, client_id, key_id, number, ciphertext, text_digest)
    select organization_id, note_id, client_id, key_id, 3, ciphertext, text_digest from public.session_note_versions where note_id = tests.id('a note') $$,
    'versions are counted without a gap'),
  ($$ update public.session_notes set status = 'signed' where id = tests.id('a note') $$, 'a signature says whose it is, when, and under what'),
  ($$ update public.session_notes set status = 'signed', signed_at = now(), text_digest = sha256(''), signed_by = tests.id('north theo login') where id = tests.id('a note') $$,
    'nobody but its author signs a note'),
  ($$ update public.session_notes set released_at = now(), released_by = author_id where id = tests.id('a summary') $$, 'a draft of a summary is not released'),
  ($$ update public.session_notes set addends_note_id = tests.id('a summary') where id = tests.id('a note') $$, 'only an addendum addends'),
  ($$ update public.client_keys set wrapped_key = 'a key' where organization_id = tests.id('north') $$, 'a wrapped key is a compact JWE'),
  ($$ update public.client_keys set wrapped_key = null where organization_id = tests.id('north') $$, 'a live key is there'),
  ($$ update public.client_keys set wrapped_key = null, status = 'destroyed', destroyed_at = now(), destroyed_by = tests.id('north admin login'),
    proposed_at = now(), proposed_by = tests.id('north admin login') where organization_id = tests.id('north') $$, 'one admin alone destroys no key'),
  ($$ update public.client_keys set wrapped_key = null, status = 'destroyed', destroyed_at = now(), destroyed_by = tests.id('north admin login'),
    proposed_at = now() - interval '25 hours', proposed_by = tests.id('north rosa login') where organization_id = tests.id('north') $$, 'nor two, with more than a day between')
) refused (statement, name);
select results_eq(
  $$ select tests.truncate_calls('{public.session_notes,public.session_note_versions}') $$,
  $$ values ('public.session_note_versions app.keep_note_version'), ('public.session_notes app.refuse_change') $$, 'nor are all of them removed at once');
select throws_ok(
  $$ update public.session_notes set client_id = tests.id('north aspen') where id = tests.id('a note') $$,
  '23503', null, 'a note stays with the client whose key its text is under');
select throws_ok(
  $$ update public.session_notes set session_id = tests.id('south session') where id = tests.id('a note') $$,
  '23503', null, 'a note is not of another organization''s session');
select throws_ok(
  $$ insert into public.session_notes (id, organization_id, session_id, client_id, therapist_id, author_id, kind, needs_cosignature)
    select gen_random_uuid(), organization_id, session_id, client_id, therapist_id, author_id, kind, true from public.session_notes where id = tests.id('a note') $$,
  '23505', null, 'an author has one note of a session');

-- ---------------------------------------------------------------------------------------------------------
-- Of a signed note
-- ---------------------------------------------------------------------------------------------------------

select tests.add_session('session to come', 'north', '16:00');
select tests.add_note('an early note', 'north', 'session to come');
select throws_ok(
  $$ update public.session_notes set status = 'signed', signed_at = now(), signed_by = author_id, text_digest = sha256('') where id = tests.id('an early note') $$,
  '23514', null, 'a note is not signed before its session begins, by its owner neither');

update public.session_notes
set status = 'signed', signed_at = now(), signed_by = author_id, text_digest = sha256('')
where organization_id = tests.id('north') and id <> tests.id('an early note');
select throws_ok(
  format('update public.session_notes set %s where id = tests.id(''a note'')', change), '23514', null, 'a signed note is immutable for everybody: ' || change)
from unnest(array[
  'status = ''draft'', signed_at = null, signed_by = null, text_digest = null', 'text_digest = sha256(''other'')', 'signed_at = now() + interval ''1 hour''',
  'current_version = 2', 'needs_cosignature = false', 'kind = ''summary''', 'therapist_id = tests.id(''north theo'')',
  'status = ''cosigned'', cosigned_at = now(), cosigned_by = author_id', 'cosigned_at = now(), cosigned_by = tests.id(''north admin login'')']) change;
select throws_ok(
  $$ insert into public.session_note_versions (organization_id, note_id, client_id, key_id, number, ciphertext, text_digest)
    select organization_id, note_id, client_id, key_id, 2, ciphertext, text_digest from public.session_note_versions where note_id = tests.id('a note') $$,
  '23514', null, 'a signed note takes no version');
select throws_ok($$ delete from public.session_notes where id = tests.id('a note') $$, '23514', null, 'a signed note is not removed');
select throws_ok(
  $$ update public.session_notes set status = 'cosigned', cosigned_at = now() - interval '1 second', cosigned_by = tests.id('north admin login') where id = tests.id('a note') $$,
  '23514', null, 'nor is it co-signed before it is signed');
select lives_ok(
  $$ update public.session_notes set status = 'cosigned', cosigned_at = now(), cosigned_by = tests.id('north admin login')
    where organization_id = tests.id('north') and status = 'signed' $$,
  'a signed note takes a second signature');
select throws_ok(
  $$ update public.session_notes set cosigned_by = tests.id('north theo login') where id = tests.id('a note') $$, '23514', null, 'which stays');
select lives_ok(
  $$ update public.session_notes set released_at = now(), released_by = author_id where id = tests.id('a summary') $$, 'a co-signed summary is released');
select throws_ok(
  $$ update public.session_notes set released_at = null, released_by = null where id = tests.id('a summary') $$, '23514', null, 'and stays so');

-- ---------------------------------------------------------------------------------------------------------
-- Who calls the RPCs without the function
-- ---------------------------------------------------------------------------------------------------------

select tests.keep('stored', to_jsonb(pg_temp.stored()));
-- acting as Rosa
select tests.authenticate_as(tests.id('north rosa login'));
select is(pg_temp.code(public.save_note(pg_temp.saved('another session', refused.changes))), refused.code, refused.name)
from (values
  ('{"ciphertext": "a plain text"}'::jsonb, 'validation_failed ciphertext invalid_format', 'what is not encrypted is not saved'),
  ('{"ciphertext": null}', 'validation_failed ciphertext invalid_format', 'nor nothing at all'),
  ('{"text_digest": "0"}', 'validation_failed text_digest invalid_format', 'a digest is a digest'),
  ('{"version": null}', 'validation_failed version invalid_format', 'a save says over which version'),
  ('{"wrapped_key": null}', 'stale_version client_key', 'who has no key is told to bring one'),
  ('{"master_key_id": null}', 'validation_failed master_key_id invalid_format', 'a key says what wrapped it'),
  (jsonb_build_object('new_note_id', tests.id('south note')), 'validation_failed new_note_id taken', 'a new note is not another''s'),
  ('{"version": 1}', 'stale_version', 'a draft that there is not has no version 1'),
  ('{"kind": "letter"}', 'validation_failed kind invalid_value', 'there are three kinds')
) refused (changes, code, name);
select is(pg_temp.code(public.save_note(pg_temp.saved('another session') || refused.changes)), refused.code, refused.name)
from (values
  ('{"proof": null}'::jsonb, 'validation_failed proof invalid_format', 'what does not come from the function is not saved: without a proof'),
  (jsonb_build_object('proof', repeat('0', 64)), 'forbidden not_from_the_function', 'nor with an invented one'),
  ('{"ciphertext": "eeee..ffff.gggg.iiii"}', 'forbidden not_from_the_function', 'nor another ciphertext'),
  (jsonb_build_object('text_digest', repeat('1', 64)), 'forbidden not_from_the_function', 'nor another digest'),
  ('{"wrapped_key": "aaaa..bbbb.cccc.eeee"}', 'forbidden not_from_the_function', 'nor another wrapped key'),
  ('{"master_key_id": "k2"}', 'forbidden not_from_the_function', 'nor one that names another master key'),
  (jsonb_build_object('key_id', tests.id('other key')), 'forbidden not_from_the_function', 'nor a key under another id'),
  (jsonb_build_object('new_note_id', tests.id('other note')), 'forbidden not_from_the_function', 'nor the text for another note'),
  ('{"kind": "summary"}', 'forbidden not_from_the_function', 'nor a note''s text as a summary'),
  (jsonb_build_object('session_id', tests.id('third session')), 'forbidden not_from_the_function', 'nor that of one session for another'),
  ('{"new_note_id": "x"}', 'validation_failed new_note_id invalid_format', 'an id is an id')
) refused (changes, code, name);
-- acting as Theo: what was made for Rosa, for a session that is his by now
select tests.clear_authentication();
select tests.keep('for_rosa', pg_temp.saved('third session'));
update public.sessions set therapist_id = tests.id('north theo') where id = tests.id('third session');
select tests.authenticate_as(tests.id('north theo login'));
select is(pg_temp.code(public.save_note(tests.kept('for_rosa'))), 'forbidden not_from_the_function', 'nor what was made for somebody else');
select tests.clear_authentication();
select is(pg_temp.stored(), tests.kept('stored') #>> '{}', 'of a refused save nothing is left, its new key neither');

-- The last write of a save fails: as after a crash there, the key that came before it is not there.
alter table public.session_note_versions add constraint session_note_versions_none check (false) not valid;
select tests.authenticate_as(tests.id('north rosa login'));
select is(pg_temp.code(public.save_note(pg_temp.saved('another session'))), 'validation_failed session_note_versions_none', 'a save that breaks off between key and text');
select tests.clear_authentication();
select is(pg_temp.stored(), tests.kept('stored') #>> '{}', 'leaves neither');
alter table public.session_note_versions drop constraint session_note_versions_none;

select tests.authenticate_as(tests.id('north rosa login'));
select is(pg_temp.code(public.save_note(pg_temp.saved('another session'), 'key-73')), '', 'the same save, whole, is kept');
select is(
  pg_temp.code(public.sign_note(jsonb_build_object('note_id', tests.id('new note'), 'version', 1, 'text_digest', repeat('1', 64)))),
  'validation_failed text_digest mismatch', 'a signature is under the text that was saved, by its digest');
select tests.clear_authentication();

-- Looked for by the key of the save, as the function does before it encrypts again.
create function pg_temp.found(login text, session text) returns text language plpgsql as $$
declare
  answer jsonb;
begin
  perform tests.authenticate_as(tests.id(login));
  answer := public.prepare_note(jsonb_build_object('session_id', tests.id(session)), 'key-73');
  perform tests.clear_authentication();
  return coalesce(answer #>> '{problem,code}', case (answer #>> '{data,note_id}')::uuid when tests.id('new note') then 'found' else 'new' end);
end
$$;
select is(pg_temp.found('north rosa login', 'another session'), 'found', 'a note is found by the key that it was saved under');
select is(pg_temp.found('north admin login', 'another session'), 'forbidden', 'by who saved it, and not by who may read it');
insert into public.user_roles (organization_id, user_id, role) values (tests.id('south'), tests.id('north rosa login'), 'therapist');
select is(pg_temp.found('north rosa login', 'south session'), 'not_found', 'where they saved it, and in no other clinic of theirs');
update public.therapists set status = 'inactive' where id = tests.id('north rosa');
select is(pg_temp.found('north rosa login', 'another session'), 'not_found', 'as long as they treat here');
update public.therapists set status = 'active' where id = tests.id('north rosa');
update public.user_roles set revoked_at = clock_timestamp() where user_id = tests.id('north rosa login') and organization_id = tests.id('north');
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('north rosa login'), 'client');
select is(pg_temp.found('north rosa login', 'another session'), 'not_found', 'and not once their role has ended, whatever else they are here');

-- ---------------------------------------------------------------------------------------------------------
-- It takes two admins to destroy a key
-- ---------------------------------------------------------------------------------------------------------

select tests.create_user('dora login'), tests.create_user('ella login');
insert into public.user_roles (organization_id, user_id, role)
select tests.id('north'), tests.id(person || ' login'), 'admin' from unnest(array['dora', 'ella']) person;
create function pg_temp.destroy(login text) returns text language plpgsql as $$
declare
  answer jsonb;
begin
  perform tests.authenticate_as(tests.id(login));
  answer := public.destroy_client_key(jsonb_build_object('client_id', tests.id('north birch')));
  perform tests.clear_authentication();
  return answer #>> '{data,status}';
end
$$;
select is(pg_temp.destroy('dora login'), 'active', 'an admin proposes to destroy a key');
update public.user_roles set revoked_at = clock_timestamp() where user_id = tests.id('dora login');
select is(pg_temp.destroy('ella login'), 'active', 'what was proposed by who is admin no more is proposed anew');
update auth.users set banned_until = 'infinity' where id = tests.id('ella login');
select is(pg_temp.destroy('north admin login'), 'active', 'and what was by who is banned');
update auth.users set banned_until = null where id = tests.id('ella login');
select is(pg_temp.destroy('ella login'), 'destroyed', 'two who are admins destroy it');

-- ---------------------------------------------------------------------------------------------------------
-- What proves it
-- ---------------------------------------------------------------------------------------------------------

select is(encode(app.hmac_sha256(convert_to(known.message, 'UTF8'), known.key), 'hex'), known.mac, known.name)
from (values
  ('Hi There', decode(repeat('0b', 20), 'hex'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7', 'HMAC-SHA-256 is that of RFC 4231, case 1'),
  ('what do ya want for nothing?', convert_to('Jefe', 'UTF8'), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'and case 2')
) known (message, key, mac, name);
select tests.authenticate_as_service_role();
select throws_ok('select proof_key from app.note_writers', '42501', null, 'the service role does not learn what proves a save');
select tests.clear_authentication();

select * from finish();
rollback;
