// What the tests of drift plant: a fixture, and changes of it with what the report must say of each.

// One thing of every kind, so that the tests hold whatever the migrations come to declare.
export const fixture = `
  create table public.probe_parents (id uuid primary key);
  create table public.probes (
    id uuid primary key,
    parent_id uuid references public.probe_parents (id),
    state text not null default 'new',
    note text,
    constraint probes_state_known check (state in ('new', 'old'))
  );
  comment on column public.probes.note is 'PHI: free text.';
  create index probes_parent_id_idx on public.probes (parent_id);
  alter table public.probes enable row level security;
  create policy "probes are seen by their parent" on public.probes
    for select to authenticated using (parent_id = (select auth.uid()));
  grant select, insert (id, state) on public.probes to authenticated;

  create function app.probe_state(wanted text) returns text language plpgsql stable set search_path = '' as $$
begin
  if wanted = 'new' then
    return 'new';
  end if;
  return 'old';
end
$$;
  create function app.stamp_probe() returns trigger language plpgsql set search_path = '' as $$
begin
  return new;
end
$$;
  create trigger stamp_probe before insert on public.probes for each row execute function app.stamp_probe();
  create view public.probe_list with (security_invoker = true) as select id, state from public.probes;
  create type app.probe_kind as enum ('a', 'b');
  create domain app.probe_code as text constraint probe_code_form check (value ~ '^[a-z]+$');
  create sequence app.probe_numbers;

  create table audit.probe_events (at timestamptz not null, what text) partition by range (at);
  create table audit.probe_events_1 partition of audit.probe_events for values from ('2026-01-01') to ('2026-02-01');
  create index on audit.probe_events (at);
  alter table audit.probe_events enable row level security;
  alter table audit.probe_events_1 enable row level security;
  create trigger stamp_probe before insert on audit.probe_events for each row execute function app.stamp_probe();

  create policy "probes are kept apart" on storage.objects for select to authenticated using (bucket_id = 'probes');
`;
export const nextPartition = `
  create table audit.probe_events_2 partition of audit.probe_events for values from ('2026-02-01') to ('2026-03-01');
`;
export const table = "public.probes";

export interface Plant {
  does: string;
  change: string;
  said: string[];
}

export const plants: Plant[] = [
  {
    does: "a dropped policy",
    change: `drop policy "probes are seen by their parent" on ${table}`,
    said: [`missing: "probes are seen by their parent" on ${table}`],
  },
  {
    does: "a policy widened to true",
    change: `alter policy "probes are seen by their parent" on ${table} using (true)`,
    said: [
      `changed: "probes are seen by their parent" on ${table}`,
      "  using: expected (parent_id = ( SELECT auth.uid() AS uid)), found true",
    ],
  },
  {
    does: "a policy given to everybody",
    change: `alter policy "probes are seen by their parent" on ${table} to public`,
    said: [
      `changed: "probes are seen by their parent" on ${table}`,
      "  roles: expected authenticated, found PUBLIC",
    ],
  },
  {
    does: "a policy on stored files that nobody wrote into a migration",
    change: "create policy everything on storage.objects for all to anon using (true)",
    said: [
      "unexpected: everything on storage.objects",
      "  command: all",
      "  form: permissive",
      "  roles: anon",
      "  using: true",
    ],
  },
  {
    does: "a dropped policy on stored files",
    change: `drop policy "probes are kept apart" on storage.objects`,
    said: [`missing: "probes are kept apart" on storage.objects`],
  },
  {
    does: "a policy on private channels that nobody wrote into a migration",
    change: "create policy everything on realtime.messages for insert to authenticated with check (true)",
    said: [
      "unexpected: everything on realtime.messages",
      "  command: insert",
      "  form: permissive",
      "  roles: authenticated",
      "  with check: true",
    ],
  },
  {
    does: "stored files without row-level security",
    change: "reset role; alter table storage.objects disable row level security",
    said: ["unexpected: storage.objects without row-level security"],
  },
  {
    does: "a grant of a table",
    change: `grant select, delete on ${table} to anon`,
    said: [`unexpected: table ${table} to anon`, "  privileges: delete, select"],
  },
  {
    does: "a revoked grant of a table",
    change: `revoke select on ${table} from authenticated; grant select (id) on ${table} to authenticated`,
    said: [
      `changed: column ${table}.id to authenticated`,
      "  privileges: expected insert, found insert, select",
      `missing: table ${table} to authenticated`,
    ],
  },
  {
    does: "a grant that may be passed on",
    change: `grant select on ${table} to authenticated with grant option`,
    said: [
      `changed: table ${table} to authenticated`,
      "  privileges: expected select, found select (may grant it on)",
    ],
  },
  {
    does: "a right taken from the owner, on which definer functions stand",
    change: `revoke insert on ${table} from postgres`,
    said: [
      `changed: table ${table} to its owner`,
      "  privileges: expected delete, insert, maintain, references, select, trigger, truncate, update, " +
        "found delete, maintain, references, select, trigger, truncate, update",
    ],
  },
  {
    does: "a function that everybody may call",
    change: "grant execute on function app.probe_state to public",
    said: ["unexpected: function app.probe_state(text) to PUBLIC", "  privileges: execute"],
  },
  {
    does: "a schema that is opened",
    change: "grant usage on schema audit to anon",
    said: ["unexpected: schema audit to anon", "  privileges: usage"],
  },
  {
    does: "default privileges that are given back",
    change: `
      alter default privileges grant execute on functions to public;
      alter default privileges in schema public grant select on tables to anon`,
    said: [
      "unexpected: functions that postgres makes in any schema, to PUBLIC",
      "  privileges: execute",
      "unexpected: tables that postgres makes in schema public, to anon",
      "  privileges: select",
    ],
  },
  {
    does: "a replaced function body, by its changed lines",
    change: `
      create or replace function app.probe_state(wanted text) returns text language plpgsql stable set search_path = '' as $$
begin
  if wanted in ('new', 'fresh') then
    return 'new';
  end if;
  return 'old';
end
$$`,
    said: [
      "changed: app.probe_state(text)",
      "  body: expected (-), found (+)",
      "    -   if wanted = 'new' then",
      "    +   if wanted in ('new', 'fresh') then",
    ],
  },
  {
    does: "a function made definer, volatile and without its settings",
    change: "alter function app.probe_state security definer volatile reset all",
    said: [
      "changed: app.probe_state(text)",
      "  security: expected invoker, found definer",
      '  settings: expected search_path="", found none',
      "  volatility: expected stable, found volatile",
    ],
  },
  {
    does: "a function of another owner",
    change: "reset role; alter function app.probe_state owner to supabase_admin",
    said: ["changed: app.probe_state(text)", "  owner: expected postgres, found supabase_admin"],
  },
  {
    does: "a disabled trigger",
    change: `alter table ${table} disable trigger stamp_probe`,
    said: [`changed: stamp_probe on ${table}`, "  state: expected enabled, found disabled"],
  },
  {
    does: "a dropped trigger",
    change: `drop trigger stamp_probe on ${table}`,
    said: [`missing: stamp_probe on ${table}`],
  },
  {
    does: "a trigger on a table of the platform that runs a function of ours",
    change: `
      reset role;
      create trigger probe after insert on auth.users for each row execute function app.stamp_probe()`,
    said: [
      "unexpected: probe on auth.users",
      "  definition: CREATE TRIGGER probe AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION app.stamp_probe()",
      "  state: enabled",
    ],
  },
  {
    does: "foreign keys that a superuser has switched off",
    change: `reset role; alter table ${table} disable trigger all`,
    said: [
      `changed: stamp_probe on ${table}`,
      "  state: expected enabled, found disabled",
      `changed: probes_parent_id_fkey on ${table}`,
      "  enforced: expected yes, found no",
    ],
  },
  {
    does: "a rule that swallows writes",
    change: `create rule swallow as on insert to ${table} do instead nothing`,
    said: [
      `unexpected: swallow on ${table}`,
      "  definition:",
      "    CREATE RULE swallow AS",
      `        ON INSERT TO ${table} DO INSTEAD NOTHING;`,
      "  state: enabled",
    ],
  },
  {
    does: "an added table, once",
    change: "create table public.strays (id bigint generated always as identity primary key)",
    said: [
      "unexpected: public.strays",
      "  owner: postgres",
      "  row-level security: disabled",
      "  row-level security for the owner: not forced",
    ],
  },
  {
    does: "a table that is gone, once",
    change: `drop table ${table} cascade`,
    said: [`missing: ${table}`, "missing: public.probe_list"],
  },
  {
    does: "row-level security that is off",
    change: `alter table ${table} disable row level security`,
    said: [`changed: ${table}`, "  row-level security: expected enabled, found disabled"],
  },
  {
    does: "a table that is published",
    change: `reset role; alter publication supabase_realtime add table ${table}`,
    said: [`changed: ${table}`, "  published by: expected none, found supabase_realtime"],
  },
  {
    does: "a changed column default, type and nullability",
    change: `alter table ${table} alter state set default 'old', alter state drop not null, alter note type varchar(9)`,
    said: [
      `changed: ${table}.note`,
      "  type: expected text, found character varying(9)",
      `changed: ${table}.state`,
      "  default: expected 'new'::text, found 'old'::text",
      "  null: expected not allowed, found allowed",
    ],
  },
  {
    does: "a column that is no longer marked as PHI",
    change: `comment on column ${table}.note is 'free text'`,
    said: [`changed: ${table}.note`, "  PHI comment: expected PHI: free text., found none"],
  },
  {
    does: "an added column and a dropped one",
    change: `alter table ${table} add extra integer, drop note`,
    said: [`unexpected: ${table}.extra`, "  null: allowed", "  type: integer", `missing: ${table}.note`],
  },
  {
    does: "a dropped constraint",
    change: `alter table ${table} drop constraint probes_state_known`,
    said: [`missing: probes_state_known on ${table}`],
  },
  {
    does: "a constraint that was put back without a look at the rows",
    change: `
      alter table ${table} drop constraint probes_parent_id_fkey;
      alter table ${table} add constraint probes_parent_id_fkey
        foreign key (parent_id) references public.probe_parents (id) not valid`,
    said: [
      `changed: probes_parent_id_fkey on ${table}`,
      "  definition: expected FOREIGN KEY (parent_id) REFERENCES public.probe_parents(id), " +
        "found FOREIGN KEY (parent_id) REFERENCES public.probe_parents(id) NOT VALID",
    ],
  },
  {
    does: "an added index and a dropped one",
    change: `create index probes_state_idx on ${table} (state); drop index public.probes_parent_id_idx`,
    said: [
      `missing: public.probes_parent_id_idx on ${table}`,
      `unexpected: public.probes_state_idx on ${table}`,
      "  definition: CREATE INDEX probes_state_idx ON public.probes USING btree (state)",
      "  valid: yes",
    ],
  },
  {
    does: "a view that reads with its owner's rights",
    change: "alter view public.probe_list reset (security_invoker)",
    said: ["changed: public.probe_list", "  options: expected security_invoker=true, found none"],
  },
  {
    does: "a view with another query",
    change:
      "create or replace view public.probe_list with (security_invoker = true) as select id, note as state from public.probes",
    said: [
      "changed: public.probe_list",
      "  definition: expected (-), found (+)",
      "    -     state",
      "    +     note AS state",
    ],
  },
  {
    does: "a type with another value",
    change: "alter type app.probe_kind add value 'c'",
    said: ["changed: app.probe_kind", "  values: expected 'a', 'b', found 'a', 'b', 'c'"],
  },
  {
    does: "a domain that takes anything",
    change: "alter domain app.probe_code drop constraint probe_code_form",
    said: ["missing: probe_code_form on type app.probe_code"],
  },
  {
    does: "a materialized view, which row-level security does not reach",
    change: "create materialized view public.strays as select 1 as id",
    said: ["unexpected: public.strays", "  definition:  SELECT 1 AS id;", "  owner: postgres"],
  },
  {
    does: "a sequence that counts otherwise",
    change: "alter sequence app.probe_numbers increment by 2",
    said: [
      "changed: app.probe_numbers",
      "  counts: expected bigint from 1 by 1, between 1 and 9223372036854775807, " +
        "found bigint from 1 by 2, between 1 and 9223372036854775807",
    ],
  },
  {
    does: "an API role that passes row-level security",
    change: "reset role; alter role authenticated bypassrls; grant service_role to anon",
    said: [
      "changed: anon",
      "  member of: expected none, found service_role",
      "changed: authenticated",
      "  bypasses row-level security: expected false, found true",
    ],
  },
  {
    does: "a partition that is kept otherwise than those of the migrations",
    change: `${nextPartition}; grant select on audit.probe_events_2 to anon`,
    said: [
      "unexpected: table audit.probe_events_2 to anon",
      "  privileges: select",
      "changed: audit.probe_events_2",
      "  row-level security: expected enabled, found disabled",
    ],
  },
];
