-- The matrix, cell by cell, as the real database roles. An allowed write really writes, and is rolled back.
begin;

create function access.attempt(cell access.cells, world text) returns text language plpgsql set search_path = '' as $$
declare
  key text := access.target(world, cell.relation, cell.scope);
  key_column text := (select it.key_column from access.relations it where it.relation = cell.relation);
  row jsonb := case cell.command when 'insert' then access.new_row(world, cell.relation, cell.scope) when 'update' then access.change(world, cell.relation) end;
  arguments jsonb := case when cell.command in ('call', 'execute') then access.arguments(world, cell.relation, cell.scope) end;
  sub uuid := (select it.login from access.worlds it where it.world = attempt.world);
  statement text;
  columns text;
  source text;
  affected integer;
  answer jsonb;
begin
  if cell.command = 'execute' then
    return case when bool_or(has_function_privilege(cell.database_role, proc.oid, 'execute')) then 'allow' else 'deny' end
      from pg_catalog.pg_proc proc where proc.pronamespace = 'public'::regnamespace and proc.proname = cell.relation;
  end if;
  select pg_catalog.string_agg(pg_catalog.format('%I', name), ', '), pg_catalog.string_agg(pg_catalog.format('(pg_catalog.jsonb_populate_record(null::public.%I, %L)).%I', cell.relation, row, name), ', ')
  into columns, source
  from pg_catalog.jsonb_object_keys(row) name;
  statement := case cell.command
    when 'select' then pg_catalog.format('select from public.%I where %I = %L', cell.relation, key_column, key)
    when 'insert' then pg_catalog.format('insert into public.%I (%s) select %s', cell.relation, columns, source)
    when 'update' then pg_catalog.format('update public.%I set (%s) = row(%s) where %I = %L', cell.relation, columns, source, key_column, key)
    when 'delete' then pg_catalog.format('delete from public.%I where %I = %L', cell.relation, key_column, key)
    when 'call' then pg_catalog.format(case cell.relation when 'choose_organization' then 'select public.%I(%s)' else 'select to_jsonb(array_agg(called)) from public.%I(%s) called' end, cell.relation,
      (select pg_catalog.string_agg(pg_catalog.format('%I => %L', argument.key, case pg_catalog.jsonb_typeof(argument.value) when 'array' then pg_catalog.translate(argument.value::text, '[]', '{}') else argument.value #>> '{}' end), ', ') from pg_catalog.jsonb_each(arguments) argument)) end;
  begin
    perform pg_catalog.set_config('request.jwt.claims', pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
      'sub', case cell.database_role when 'authenticated' then sub end, 'session_id', sub, 'role', cell.database_role, 'aal', cell.aal))::text, true);
    perform pg_catalog.set_config('request.headers', '{"cf-connecting-ip": "203.0.113.9"}', true);
    perform pg_catalog.set_config('role', cell.database_role, true);
    if cell.command = 'call' and cell.relation <> 'choose_organization' then
      execute statement into answer;
    else
      execute statement;
    end if;
    get diagnostics affected = row_count;
    raise exception using errcode = 'UNDO0';
  exception
    when sqlstate 'UNDO0' then null;
    when insufficient_privilege then return 'deny';
    -- What a view without a way to write answers before it asks who writes.
    when object_not_in_prerequisite_state then return case when cell.relation in (select viewname from pg_catalog.pg_views where schemaname = 'public') then 'deny' else sqlerrm end;
    when others then return 'error ' || sqlstate || ' ' || sqlerrm;
  end;
  if cell.command = 'call' then
    return access.answer_means_yes(cell.relation, case when cell.relation ~ '^list_' and not answer -> 0 ?| '{data,problem}' then answer else answer -> 0 end);
  elsif affected > 0 then
    return 'allow';
  elsif cell.command = 'insert' then
    return 'error: nothing was inserted, and nothing refused';
  end if;
  -- Nothing seen, nothing changed: that is a denial only where there is a row.
  execute pg_catalog.format('select 1 from public.%I where %I = %L', cell.relation, key_column, key);
  get diagnostics affected = row_count;
  return case when affected > 0 or cell.relation in (select viewname from pg_catalog.pg_views where schemaname = 'public') then 'deny' else 'error: there is no such row' end;
end
$$;

-- For a closer look: `set access.chosen = 'sessions'` tries the lines of one relation.
create function pg_temp.chosen() returns setof access.cells language sql as $$
  select cell.* from access.cells cell where cell.relation = coalesce(nullif(current_setting('access.chosen', true), ''), cell.relation)
$$;

select plan((select count(*)::integer from pg_temp.chosen()) + 6);

select set_eq(
  $$ select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f') $$,
  'select relation from access.relations where key_column is not null', 'the matrix names every table and view of public, and no other');
select set_eq(
  $$ select distinct proname::text from pg_proc where pronamespace = 'public'::regnamespace $$,
  'select relation from access.relations where key_column is null', 'the matrix names every function of public, and no other');
select set_eq(
  'select id from storage.buckets', array['client-documents'],
  'there is one storage bucket, which documents-storage.test.ts tries for every role: one that is added needs the same');
select is_empty(
  $$ select relation, command from access.relations
    cross join unnest(case when key_column is null then array['call', 'execute'] else array['select', 'insert', 'update', 'delete'] end) command
    except select relation, command from access.lines $$,
  'every relation has a line for every command');
select is_empty(
  $$ select relation from access.lines where relation not in (select relation from access.relations) $$,
  'every line is about a relation that the matrix names');
select is_empty(
  $$ select relation, command, scope from access.lines group by 1, 2, 3 having count(*) > 1 $$, 'no two lines say the same');

select access.create_world('matrix', 'elsewhere');
select access.create_world('matrix', persona), access.end_access('matrix ' || persona) from access.personas;

select is(
  access.attempt(cell, 'matrix ' || cell.persona), case when cell.allowed then 'allow' else 'deny' end, cell.name)
from pg_temp.chosen() cell
order by cell.line, cell.persona;

select * from finish();
rollback;
