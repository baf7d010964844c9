-- What a database declares in the schemas that the migrations own, one row an item: kind, name, facts.
--
-- The same query reads the live database and the one made of the migrations, so whatever it leaves out is left out of
-- both. It runs with an empty search_path, so that Postgres itself qualifies every name it prints. A fact that is null is
-- absent. Left out: what belongs to an extension, and what Postgres makes by itself (row types, array types, indexes
-- behind constraints, what partitions inherit of constraints and indexes).
with
owned as (
  select n.oid, n.nspname, n.nspowner, n.nspacl
  from pg_catalog.pg_namespace n
  where n.nspname in ('public', 'app', 'audit')
),
extension_member as (
  select d.classid, d.objid
  from pg_catalog.pg_depend d
  where d.deptype = 'e'
),
relation as (
  select
    c.*,
    c.oid::regclass::text as name,
    case c.relkind
      when 'v' then 'view'
      when 'm' then 'materialized view'
      when 'S' then 'sequence'
      else 'table'
    end as kind,
    case when c.relispartition then pg_partition_root(c.oid)::regclass::text end as partition_of
  from pg_catalog.pg_class c
  join owned on owned.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S')
    and not exists (
      select from extension_member e where e.classid = 'pg_catalog.pg_class'::regclass and e.objid = c.oid)
),
routine as (
  select p.*, p.oid::regprocedure::text as name
  from pg_catalog.pg_proc p
  join owned on owned.oid = p.pronamespace
  where not exists (
    select from extension_member e where e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = p.oid)
),
data_type as (
  select t.*, format_type(t.oid, null) as name
  from pg_catalog.pg_type t
  join owned on owned.oid = t.typnamespace
  left join pg_catalog.pg_class c on c.oid = t.typrelid
  where (t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and c.relkind = 'c'))
    and not exists (
      select from extension_member e where e.classid = 'pg_catalog.pg_type'::regclass and e.objid = t.oid)
),

-- Privileges: one row an object, grantee and privilege, defaults included. ---------------------------------------------

access_list as (
  select r.kind, r.name, r.oid as relation, r.kind || ' ' || r.name as part_of, r.relowner as owner,
    coalesce(r.relacl, acldefault(case r.relkind when 'S' then 's' else 'r' end::"char", r.relowner)) as acl
  from relation r
  union all
  select 'column', r.name || '.' || quote_ident(a.attname), r.oid, 'column ' || r.name || '.' || quote_ident(a.attname),
    r.relowner, a.attacl
  from relation r
  join pg_catalog.pg_attribute a on a.attrelid = r.oid
  where a.attnum > 0 and not a.attisdropped and a.attacl is not null
  union all
  select 'function', p.name, null, 'function ' || p.name, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
  from routine p
  union all
  select 'type', t.name, null, 'type ' || t.name, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
  from data_type t
  union all
  select 'schema', quote_ident(o.nspname), null, 'schema ' || quote_ident(o.nspname), o.nspowner,
    coalesce(o.nspacl, acldefault('n', o.nspowner))
  from owned o
),
object_privilege as (
  select l.kind, l.name, l.relation, l.part_of,
    case
      when x.grantee = 0 then 'PUBLIC'
      when x.grantee = l.owner then 'its owner'
      else pg_get_userbyid(x.grantee)::text
    end as grantee,
    lower(x.privilege_type) || case when bool_or(x.is_grantable) and x.grantee <> l.owner then ' (may grant it on)' else '' end
      as privilege
  from access_list l
  cross join lateral aclexplode(l.acl) x
  -- Hosted also grants schema public to the owner of the database, who as such owns the schema already.
  where not (
    l.kind = 'schema'
    and pg_get_userbyid(l.owner) = 'pg_database_owner'
    and x.grantee = (select d.datdba from pg_catalog.pg_database d where d.datname = current_database()))
  group by l.kind, l.name, l.relation, l.part_of, l.owner, x.grantee, x.privilege_type
),

-- What future objects will be granted. Without a schema, an entry replaces Postgres' own defaults, so these are shown
-- for the owners of our schemas even where no entry is. Roles of the platform (supabase_admin) have defaults of theirs
-- on hosted, which nobody but they can change and which concern nothing that migrations make.
default_owner as (
  select r.oid, r.rolname
  from pg_catalog.pg_roles r
  where r.rolname !~ '^(supabase_|pg_)'
    and (
      r.oid in (select o.nspowner from owned o)
      or r.oid in (select d.defaclrole from pg_catalog.pg_default_acl d))
),
default_list as (
  select r.oid as owner, r.rolname, null::name as nspname, k.object,
    coalesce(
      (
        select d.defaclacl
        from pg_catalog.pg_default_acl d
        where d.defaclrole = r.oid and d.defaclnamespace = 0 and d.defaclobjtype = k.object
      ),
      acldefault(lower(k.object::text)::"char", r.oid)) as acl
  from default_owner r
  cross join unnest(array['r', 'S', 'f']::"char"[]) k (object)
  union all
  select r.oid, r.rolname, null, d.defaclobjtype, d.defaclacl
  from default_owner r
  join pg_catalog.pg_default_acl d on d.defaclrole = r.oid and d.defaclnamespace = 0
  where d.defaclobjtype not in ('r', 'S', 'f')
  union all
  select r.oid, r.rolname, o.nspname, d.defaclobjtype, d.defaclacl
  from default_owner r
  join pg_catalog.pg_default_acl d on d.defaclrole = r.oid
  join owned o on o.oid = d.defaclnamespace
),
default_privilege as (
  select
    format('%s that %I makes in %s, to %s',
      case l.object
        when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' when 'n' then 'schemas'
        else l.object::text
      end,
      l.rolname,
      coalesce('schema ' || quote_ident(l.nspname), 'any schema'),
      case when x.grantee = 0 then 'PUBLIC' else pg_get_userbyid(x.grantee)::text end) as name,
    lower(x.privilege_type) || case when bool_or(x.is_grantable) then ' (may grant it on)' else '' end as privilege
  from default_list l
  cross join lateral aclexplode(l.acl) x
  -- An owner's rights on what they make go without saying; hosted says them.
  where x.grantee <> l.owner
  group by l.object, l.rolname, l.nspname, x.grantee, x.privilege_type
),

item as (
  -- Roles and schemas -----------------------------------------------------------------------------------------------

  select 'role' as kind, quote_ident(r.rolname) as name, null::oid as relation, null::text as part_of,
    jsonb_build_object(
      'superuser', r.rolsuper,
      'bypasses row-level security', r.rolbypassrls,
      'may create roles', r.rolcreaterole,
      'may log in', r.rolcanlogin,
      'member of', (
        select string_agg(quote_ident(g.rolname), ', ' order by g.rolname)
        from pg_catalog.pg_roles g
        where g.oid in (select m.roleid from pg_catalog.pg_auth_members m where m.member = r.oid))) as facts
  from pg_catalog.pg_roles r
  where r.rolname in ('anon', 'authenticated', 'service_role')

  union all
  select 'schema', quote_ident(o.nspname), null, null, jsonb_build_object('owner', pg_get_userbyid(o.nspowner))
  from owned o

  -- Tables, columns, views, sequences, types ------------------------------------------------------------------------

  union all
  select r.kind, r.name, r.oid, null,
    jsonb_build_object(
      'owner', pg_get_userbyid(r.relowner),
      'form', case
        when r.relkind = 'p' then 'partitioned by ' || pg_get_partkeydef(r.oid)
        when r.relkind = 'f' then 'foreign'
        when r.relpersistence = 'u' then 'unlogged'
      end,
      'inherits', (
        select string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno)
        from pg_catalog.pg_inherits i
        where i.inhrelid = r.oid and not r.relispartition),
      'row-level security', case when r.relrowsecurity then 'enabled' else 'disabled' end,
      'row-level security for the owner', case when r.relforcerowsecurity then 'forced' else 'not forced' end,
      'options', (select string_agg(o, ', ' order by o) from unnest(r.reloptions) o),
      'replica identity', case r.relreplident
        when 'f' then 'full'
        when 'n' then 'nothing'
        when 'i' then (
          select i.indexrelid::regclass::text from pg_catalog.pg_index i where i.indrelid = r.oid and i.indisreplident)
      end,
      'published by', (
        select string_agg(t.pubname, ', ' order by t.pubname)
        from pg_catalog.pg_publication_tables t
        where format('%I.%I', t.schemaname, t.tablename) = r.name))
  from relation r
  where r.kind = 'table'

  -- The platform's own, so nothing but this is compared: without it the policies on them mean nothing.
  union all
  select 'table', c.oid::regclass || ' without row-level security', null, null, '{}'
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where not c.relrowsecurity
    and (n.nspname, c.relname) in (('storage', 'objects'), ('storage', 'buckets'), ('realtime', 'messages'))

  union all
  select 'column', r.name || '.' || quote_ident(a.attname), r.oid, r.kind || ' ' || r.name,
    jsonb_build_object(
      'type', format_type(a.atttypid, a.atttypmod),
      'null', case when a.attnotnull then 'not allowed' else 'allowed' end,
      -- A restored trail goes on with a number added to its transactions' (audit.continue_trail), which is no drift.
      'default', case
        when a.attgenerated <> '' then null
        when a.attname = 'written_in' and r.name ~ '^audit\.events' then regexp_replace(
          pg_get_expr(d.adbin, d.adrelid),
          '^\(*pg_current_xact_id\(\)\)::text\)::bigint \+ (\d+|''\d+''::bigint)\)+::text\)::xid8$', 'pg_current_xact_id()')
        else pg_get_expr(d.adbin, d.adrelid) end,
      'generated', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
      'identity', case a.attidentity when 'a' then 'always' when 'd' then 'by default' end,
      'collation', case when a.attcollation <> t.typcollation then a.attcollation::regcollation::text end,
      'PHI comment', case when c.comment ~ '^PHI' then c.comment end)
  from relation r
  join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  join pg_catalog.pg_type t on t.oid = a.atttypid
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  cross join lateral (select col_description(r.oid, a.attnum) as comment) c
  where r.kind = 'table' or (r.kind in ('view', 'materialized view') and c.comment ~ '^PHI')

  union all
  select r.kind, r.name, r.oid, null,
    jsonb_build_object(
      'owner', pg_get_userbyid(r.relowner),
      'options', (select string_agg(o, ', ' order by o) from unnest(r.reloptions) o),
      'definition', pg_get_viewdef(r.oid, true))
  from relation r
  where r.kind in ('view', 'materialized view')

  union all
  select r.kind, r.name, r.oid,
    (
      select t.kind || ' ' || t.name
      from pg_catalog.pg_depend d
      join relation t on t.oid = d.refobjid
      where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = r.oid
        and d.refclassid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i')
    ),
    jsonb_build_object(
      'owner', pg_get_userbyid(r.relowner),
      'counts', format('%s from %s by %s, between %s and %s%s', format_type(s.seqtypid, null), s.seqstart, s.seqincrement,
        s.seqmin, s.seqmax, case when s.seqcycle then ', over and over' else '' end))
  from relation r
  join pg_catalog.pg_sequence s on s.seqrelid = r.oid
  where r.kind = 'sequence'

  union all
  select 'type', t.name, null, null,
    jsonb_build_object(
      'owner', pg_get_userbyid(t.typowner),
      'values', (
        select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
        from pg_catalog.pg_enum e
        where e.enumtypid = t.oid),
      'attributes', (
        select string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), E',\n' order by a.attnum)
        from pg_catalog.pg_attribute a
        where a.attrelid = t.typrelid and t.typtype = 'c' and a.attnum > 0 and not a.attisdropped),
      'domain over', case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) end,
      'null', case when t.typtype = 'd' and t.typnotnull then 'not allowed' end,
      'default', t.typdefault,
      'range over', (
        select format_type(g.rngsubtype, null) from pg_catalog.pg_range g where g.rngtypid = t.oid))
  from data_type t

  -- Constraints, indexes, rules, triggers ---------------------------------------------------------------------------

  union all
  select 'constraint', format('%I on %s', k.conname, coalesce(r.name, 'type ' || t.name)), r.oid,
    coalesce(r.kind || ' ' || r.name, 'type ' || t.name),
    jsonb_build_object(
      'definition', pg_get_constraintdef(k.oid),
      -- A superuser can switch off the triggers that keep a foreign key, and the key still looks whole.
      'enforced', case
        when exists (select from pg_catalog.pg_trigger g where g.tgconstraint = k.oid and g.tgenabled <> 'O') then 'no'
        else 'yes'
      end)
  from pg_catalog.pg_constraint k
  left join relation r on r.oid = k.conrelid
  left join data_type t on t.oid = k.contypid
  where (r.oid is not null or t.oid is not null)
    -- Constraint triggers are triggers, and "not null" is a fact of its column (Postgres 18 has constraints for it).
    and k.contype not in ('t', 'n')
    and k.conparentid = 0
    and not (k.coninhcount > 0 and not k.conislocal)

  union all
  select 'index', format('%s on %s', i.indexrelid::regclass, r.name), r.oid, r.kind || ' ' || r.name,
    jsonb_build_object(
      'definition', pg_get_indexdef(i.indexrelid),
      'valid', case when i.indisvalid then 'yes' else 'no' end)
  from relation r
  join pg_catalog.pg_index i on i.indrelid = r.oid
  join pg_catalog.pg_class c on c.oid = i.indexrelid
  where not c.relispartition
    and not exists (
      select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))

  union all
  select 'rule', format('%I on %s', w.rulename, r.name), r.oid, r.kind || ' ' || r.name,
    jsonb_build_object(
      'definition', pg_get_ruledef(w.oid, true),
      'state', case w.ev_enabled
        when 'O' then 'enabled' when 'D' then 'disabled' when 'A' then 'enabled, on replicas too' else 'enabled on replicas only'
      end)
  from relation r
  join pg_catalog.pg_rewrite w on w.ev_class = r.oid
  where w.rulename <> '_RETURN'

  -- On our tables, and on tables of others where they run our functions (auth.users, for one).
  union all
  select 'trigger', format('%I on %s', g.tgname, g.tgrelid::regclass), r.oid, r.kind || ' ' || r.name,
    jsonb_build_object(
      'definition', pg_get_triggerdef(g.oid),
      'state', case g.tgenabled
        when 'O' then 'enabled' when 'D' then 'disabled' when 'A' then 'enabled, on replicas too' else 'enabled on replicas only'
      end)
  from pg_catalog.pg_trigger g
  left join relation r on r.oid = g.tgrelid
  where not g.tgisinternal and (r.oid is not null or g.tgfoid in (select p.oid from routine p))

  -- Functions -------------------------------------------------------------------------------------------------------

  union all
  select 'function', p.name, null, null,
    jsonb_build_object(
      'form', case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' when 'w' then 'window function' end,
      'owner', pg_get_userbyid(p.proowner),
      'arguments', pg_get_function_arguments(p.oid),
      'returns', pg_get_function_result(p.oid),
      'language', l.lanname,
      'security', case when p.prosecdef then 'definer' else 'invoker' end,
      'volatility', case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
      'parallel', case p.proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end,
      'on null input', case when p.proisstrict then 'returns null' end,
      'leakproof', case when p.proleakproof then 'yes' end,
      'cost', p.procost,
      'rows', nullif(p.prorows, 0),
      'planner support', nullif(p.prosupport::oid, 0)::regproc::text,
      'settings', (select string_agg(c, E'\n' order by c) from unnest(p.proconfig) c),
      'aggregates with', (
        select concat_ws(', ', a.aggtransfn::regproc, nullif(a.aggfinalfn::oid, 0)::regproc, a.agginitval)
        from pg_catalog.pg_aggregate a
        where a.aggfnoid = p.oid),
      -- A checkout on Windows gives other line ends to the same function.
      'body', replace(coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), E'\r\n', E'\n'))
  from routine p
  join pg_catalog.pg_language l on l.oid = p.prolang

  -- Policies: ours, and those on the platform's tables, which are there for projects to write them ------------------------

  union all
  select 'policy', format('%I on %s', p.polname, p.polrelid::regclass), r.oid, r.kind || ' ' || r.name,
    jsonb_build_object(
      'form', case when p.polpermissive then 'permissive' else 'restrictive' end,
      'command', case p.polcmd
        when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
      end,
      'roles', (
        select string_agg(case when g = 0 then 'PUBLIC' else pg_get_userbyid(g)::text end, ', '
          order by case when g = 0 then 'PUBLIC' else pg_get_userbyid(g)::text end)
        from unnest(p.polroles) g),
      'using', pg_get_expr(p.polqual, p.polrelid),
      'with check', pg_get_expr(p.polwithcheck, p.polrelid))
  from pg_catalog.pg_policy p
  join pg_catalog.pg_class c on c.oid = p.polrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join relation r on r.oid = p.polrelid
  where r.oid is not null or n.nspname in ('storage', 'realtime')

  -- Grants ----------------------------------------------------------------------------------------------------------

  union all
  select 'grant', format('%s %s to %s', g.kind, g.name, g.grantee), g.relation, g.part_of,
    jsonb_build_object('privileges', string_agg(g.privilege, ', ' order by g.privilege))
  from object_privilege g
  group by g.kind, g.name, g.grantee, g.relation, g.part_of

  union all
  select 'default privilege', g.name, null, null,
    jsonb_build_object('privileges', string_agg(g.privilege, ', ' order by g.privilege))
  from default_privilege g
  group by g.name
)
select
  i.kind,
  i.name,
  i.part_of as "partOf",
  case when r.relispartition then jsonb_build_object('name', r.name, 'of', r.partition_of) end as partition,
  (
    select coalesce(jsonb_object_agg(f.key, f.value), '{}')
    from jsonb_each_text(jsonb_strip_nulls(i.facts)) f
  ) as facts
from item i
left join relation r on r.oid = i.relation
