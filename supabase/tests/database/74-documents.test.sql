-- Documents: what the table and the bucket keep whoever writes, which policy lets whom put an object where, and that no
-- policy of another bucket opens this one. Over Storage's own API: supabase/tests/http/documents-storage.test.ts.
begin;
select plan(46);

select tests.create_clinic('north'), tests.create_clinic('south');
select tests.create_user('parent login');
insert into storage.buckets (id, name) values ('elsewhere', 'elsewhere');
insert into public.user_roles (organization_id, user_id, role) values (tests.id('north'), tests.id('parent login'), 'client');
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
values (tests.id('north'), tests.id('north birch'), tests.id('parent login'), 'parent', current_date - 30);
select tests.add_document('stored', 'north'), tests.add_document('awaited', 'north', '{"status": "awaiting_upload"}'),
  tests.add_document('of the parent', 'north', '{"status": "awaiting_upload", "uploader": "parent login"}'),
  tests.add_document('of the south', 'south', '{"status": "awaiting_upload"}');

select tests.session_of(tests.id(login)) from unnest(array['north admin login', 'parent login']) login;

create function pg_temp.path(label text) returns text language sql as $$
  select path from public.documents where id = tests.id(label)
$$;
create function pg_temp.object(label text, changes jsonb default '{}') returns text language sql as $$
  select format('insert into storage.objects (bucket_id, name, version, metadata) values (%L, %L, %L, %L)',
    'client-documents', pg_temp.path(label), gen_random_uuid(),
    '{"size": 10, "mimetype": "application/pdf", "eTag": "e"}'::jsonb || changes)
$$;
create function pg_temp.state(label text) returns text language sql as $$
  select concat_ws(' ', status, etag, case when stored_at is not null then 'at a time' end) from public.documents where id = tests.id(label)
$$;
create function pg_temp.code(answer jsonb) returns text language sql as $$
  select coalesce(concat_ws(' ', answer #>> '{problem,code}', answer #>> '{problem,errors,0,field}', answer #>> '{problem,errors,0,code}'), '')
$$;

-- ---------------------------------------------------------------------------------------------------------
-- The table
-- ---------------------------------------------------------------------------------------------------------

select is(pg_temp.path('stored'), concat_ws('/', tests.id('north'), tests.id('north birch'), tests.id('stored')), 'an object''s path is organization, client, document');
select throws_ok(refused.statement, '23514', null, refused.name)
from (values
  ($$ update public.documents set size_bytes = 11 where id = tests.id('awaited') $$, 'what was announced stays as large'),
  ($$ update public.documents set content_type = 'image/png' where id = tests.id('awaited') $$, 'and of its type'),
  ($$ update public.documents set client_id = tests.id('north aspen') where id = tests.id('stored') $$, 'and the client''s'),
  ($$ update public.documents set upload_expires_at = now() + interval '1 day' where id = tests.id('awaited') $$, 'nor is there more time'),
  ($$ update public.documents set status = 'awaiting_upload', stored_at = null where id = tests.id('stored') $$, 'what is stored is not awaited again'),
  ($$ update public.documents set etag = 'forged' where id = tests.id('stored') $$, 'nor is its digest another one'),
  ($$ update public.documents set deleted_at = now() where id = tests.id('stored') $$, 'deleting needs a reason'),
  ($$ update public.documents set deletion_reason = 'x' where id = tests.id('stored') $$, 'and happens at a time'),
  ($$ delete from public.documents where id = tests.id('stored') $$, 'no row is removed'),
  ($$ insert into public.documents (organization_id, client_id, kind, title, file_name, content_type, size_bytes)
    values (tests.id('north'), tests.id('north birch'), 'plan', 'x', 'a/b.pdf', 'application/pdf', 1) $$, 'a file''s name is no path'),
  ($$ insert into public.documents (organization_id, client_id, kind, title, file_name, content_type, size_bytes)
    values (tests.id('north'), tests.id('north birch'), 'plan', 'x', '..', 'application/pdf', 1) $$, 'nor the way up'),
  ($$ insert into public.documents (organization_id, client_id, kind, title, file_name, content_type, size_bytes)
    values (tests.id('north'), tests.id('north birch'), 'plan', 'x', 'b.html', 'text/html', 1) $$, 'no type that a browser runs'),
  ($$ insert into public.documents (organization_id, client_id, kind, title, file_name, content_type, size_bytes)
    values (tests.id('north'), tests.id('north birch'), 'plan', 'x', 'b.pdf', 'application/pdf', 26214401) $$, 'nothing over 25 MiB')
) refused (statement, name);
select results_eq(
  $$ select tests.truncate_calls('{public.documents}') $$, $$ values ('public.documents app.refuse_change') $$, 'nor all of them');
select throws_ok(
  $$ insert into public.documents (organization_id, client_id, kind, title, file_name, content_type, size_bytes)
    values (tests.id('north'), tests.id('south birch'), 'plan', 'x', 'b.pdf', 'application/pdf', 1) $$,
  '23503', null, 'a document is not of another organization''s client');
select is(
  (select (public, file_size_limit, allowed_mime_types)::text from storage.buckets where id = 'client-documents'),
  (select (false, 26214400, array['application/pdf', 'image/png', 'image/jpeg', 'image/webp', 'image/heic',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document'])::text),
  'the bucket is private, and takes what the table takes');

-- ---------------------------------------------------------------------------------------------------------
-- The bucket, to its owner and to the secret key, whom no policy holds
-- ---------------------------------------------------------------------------------------------------------

select throws_ok(pg_temp.object('awaited', '{"size": 11}'), '42501', null, 'an object of another length is not taken');
select throws_ok(pg_temp.object('awaited', '{"mimetype": "image/png"}'), '42501', null, 'nor one of another type');
select throws_ok(pg_temp.object('stored'), '42501', null, 'nor one where none is awaited any more');
select throws_ok(
  $$ insert into storage.objects (bucket_id, name, metadata) values ('client-documents', 'a.pdf', '{"size": 10}') $$,
  '42501', null, 'nor one that nobody announced');
savepoint before;
update public.clients set status = 'archived', deleted_at = now() where id = tests.id('north birch');
select throws_ok(pg_temp.object('awaited'), '42501', null, 'nor one of a client who is archived by now');
rollback to before;
update public.user_roles set revoked_at = now() where user_id = tests.id('north admin login');
select throws_ok(pg_temp.object('awaited'), '42501', null, 'nor one by somebody who has no role there by now');
rollback to before;
update auth.users set banned_until = now() + interval '1 day' where id = tests.id('north admin login');
select throws_ok(pg_temp.object('awaited'), '42501', null, 'nor by somebody who is banned');
rollback to before;
delete from auth.sessions where user_id = tests.id('north admin login');
select throws_ok(pg_temp.object('awaited'), '42501', null, 'nor by somebody who has signed out');
rollback to before;
-- The parent has the role of a parent still.
update public.client_guardians set ends_on = current_date - 2 where user_id = tests.id('parent login');
select throws_ok(pg_temp.object('of the parent'), '42501', null, 'nor by who may add it no more, whatever else they may');
rollback to before;
select lives_ok(pg_temp.object('of the parent'), 'nor refused without a reason: the parent''s is taken');
select is(
  (select array_agg(actor_id) from audit.events where action = 'document.stored' and row_id = tests.id('of the parent')), array[null::uuid],
  'in nobody''s name, since a link has none');
rollback to before;
alter table public.documents disable trigger keep_document;
update public.documents set upload_expires_at = clock_timestamp() where id = tests.id('awaited');
select throws_ok(pg_temp.object('awaited'), '42501', null, 'nor one that comes too late');
rollback to before;
update public.documents set deleted_at = now(), deletion_reason = 'x' where id = tests.id('awaited');
select throws_ok(pg_temp.object('awaited'), '42501', null, 'nor one that was deleted before it came');
rollback to before;
select is(pg_temp.state('awaited'), 'awaiting_upload', 'of a refused object nothing is kept');
select lives_ok(pg_temp.object('awaited', '{"mimetype": "application/pdf; charset=binary"}'), 'the one that is awaited is taken');
select is(pg_temp.state('awaited'), 'stored e at a time', 'and the row says so at once');
select throws_ok(pg_temp.object('awaited') || ' on conflict (bucket_id, name) do update set metadata = excluded.metadata, version = excluded.version',
  '42501', null, 'an upsert does not write over it');
select throws_ok(refused.statement, '42501', null, refused.name)
from (values
  ($$ update storage.objects set metadata = '{"size": 99}' where name = pg_temp.path('awaited') $$, 'nor is it changed'),
  ($$ update storage.objects set name = pg_temp.path('of the parent') where name = pg_temp.path('awaited') $$, 'or moved to where one is awaited'),
  ($$ update storage.objects set bucket_id = 'elsewhere' where name = pg_temp.path('awaited') $$, 'or moved out'),
  ($$ delete from storage.objects where name = pg_temp.path('awaited') $$, 'or removed'),
  ($$ update storage.buckets set public = true where id = 'client-documents' $$, 'the bucket is not opened')
) refused (statement, name);
select lives_ok($$ update storage.objects set last_accessed_at = now() where name = pg_temp.path('awaited') $$, 'Storage notes when it was read');

-- ---------------------------------------------------------------------------------------------------------
-- The policies, with one of another bucket as wide as can be
-- ---------------------------------------------------------------------------------------------------------

insert into storage.objects (bucket_id, name) values ('elsewhere', 'a');
create policy "as wide as can be" on storage.objects for all to public using (true) with check (true);
create function pg_temp.tried(login text, database_role text default 'authenticated') returns text language plpgsql as $$
declare
  tried text[] := '{}';
  statement text;
  affected integer;
begin
  foreach statement in array array[
    format('insert into storage.objects (bucket_id, name) values (%L, %L)', 'client-documents', pg_temp.path('of the parent')),
    format('insert into storage.objects (bucket_id, name) values (%L, %L)', 'client-documents', pg_temp.path('of the south')),
    'select from storage.objects where bucket_id = ''client-documents''',
    'update storage.objects set last_accessed_at = now() where bucket_id = ''client-documents''',
    'delete from storage.objects where bucket_id = ''client-documents''',
    'update storage.objects set bucket_id = ''client-documents'' where bucket_id = ''elsewhere''',
    'insert into storage.objects (bucket_id, name) values (''elsewhere'', ''b'')']
  loop
    begin
      perform set_config('request.jwt.claims', jsonb_build_object('sub', tests.id(login), 'session_id', tests.session_of(tests.id(login)), 'role', database_role)::text, true),
        set_config('role', database_role, true);
      execute statement;
      get diagnostics affected = row_count;
      raise exception using errcode = 'UNDO0';
    exception
      when sqlstate 'UNDO0' then tried := tried || affected::text;
      when insufficient_privilege then tried := tried || 'no'::text;
    end;
  end loop;
  return array_to_string(tried, ' ');
end
$$;
select is(pg_temp.tried('parent login'), '1 no 0 0 0 no 1', 'who announced it uploads, and does nothing else');
select is(pg_temp.tried('north rosa login'), 'no no 0 0 0 no 1', 'nobody else uploads it');
select is(pg_temp.tried('nobody', 'anon'), 'no no 0 0 0 no 1', 'nor does nobody');

update public.client_guardians set ends_on = current_date - 2 where user_id = tests.id('parent login');
select is(pg_temp.tried('parent login'), 'no no 0 0 0 no 1', 'nor the parent, once they stand for the client no more');
update public.client_guardians set ends_on = null where user_id = tests.id('parent login');
update public.organizations set requires_mfa = true where id = tests.id('north');
select is(pg_temp.tried('parent login'), 'no no 0 0 0 no 1', 'nor without the second factor that the clinic asks for');

-- acting as an admin of another clinic
select tests.authenticate_as(tests.id('south admin login'));
select public.read_document(jsonb_build_object('document_id', tests.id('stored')));
select tests.clear_authentication();
select is(
  (select array_agg(client_id) from audit.events where organization_id = tests.id('north') and action = 'rpc.read_document' and decision = 'deny'),
  array[tests.id('north birch')], 'who is refused a document is on record by whose it is');

select * from finish();
rollback;
