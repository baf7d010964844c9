-- USING and WITH CHECK of updates each hold by themselves. No grant lets a user change whose a row is; were one added, the policies would still refuse
-- to let a row out of the organization or into it, or to a colleague. An update without WHERE needs no right to read, so
-- nothing but the update's own policy stands in its way.
begin;
select plan(99);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
-- Dora is admin of North and of South.
select tests.create_user('dora login');
insert into public.user_roles (organization_id, user_id, role)
select tests.id(clinic), tests.id('dora login'), 'admin' from unnest(array['north', 'south']) clinic;
insert into public.service_accounts (organization_id, name, scopes) values (tests.id('north'), 'partner', '{schedule:read}');
select tests.add_hold('a hold', 'north', '12:00');
select tests.add_session('a session', 'north', '10:00'), tests.add_group('a group', 'north', '14:00');
select tests.fill_schedule('north');
insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on) values (tests.id('north'), tests.id('north rosa'), tests.id('north theo'), current_date);
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on) values
  (tests.id('north'), tests.id('north birch'), tests.id('north theo login'), 'parent', current_date);
insert into public.referrals (organization_id, reference) values (tests.id('north'), 'R-1');
insert into public.access_alerts (organization_id, kind) values (tests.id('north'), 'break_glass');
select tests.fill_billing('north');

create temp view movable as
select policy.tablename::text as name, case policy.tablename when 'organizations' then 'id' else 'organization_id' end as whose
from pg_policies policy where policy.schemaname = 'public' and policy.permissive = 'PERMISSIVE' and policy.cmd = 'UPDATE';
select is((select count(*)::integer from movable), 20, 'there are tables that users update');
do $$
declare
  target record;
begin
  for target in select name, whose from movable loop
    execute format('grant update (%I) on public.%I to authenticated', target.whose, target.name);
  end loop;
end
$$;
grant select on movable to authenticated;

-- acting as North's admin
select throws_ok(
  format('update public.%I set %I = %L', name, whose, case name when 'organizations' then tests.id('nowhere') else tests.id('south') end),
  '42501', format('new row violates row-level security policy for table "%s"', name), 'an admin moves no row of ' || name || ' into another organization')
from movable
cross join lateral tests.authenticate_as(tests.id('north admin login'))
order by name;
-- acting as South's admin: every row in reach becomes South's, which those of South are already
create function pg_temp.of_north(relation text, whose text) returns bigint language plpgsql as $$
declare
  counted bigint;
begin
  execute format('select count(*) from public.%I where %I = %L', relation, whose, tests.id('north')) into counted;
  return counted;
end
$$;
create temp table had as select name, whose, pg_temp.of_north(name, whose) as count from movable;
grant select on had to authenticated;
select tests.authenticate_as(tests.id('south admin login'));
select lives_ok(
  format('update public.%I set %I = %L', name, whose, tests.id('south')), 'an admin takes no row of ' || name || ' from another organization')
from had
order by name;
select tests.clear_authentication();
select ok(count > 0 and pg_temp.of_north(name, whose) = count, 'every row of ' || name || ' is where it was') from had order by name;

-- acting as Dora, in whose other organization a second factor is demanded
update public.organizations set requires_mfa = true where id = tests.id('south');
select tests.authenticate_as(tests.id('dora login'));
select throws_ok(
  format('update public.%I set %I = %L', name, whose, tests.id('south')),
  '42501', format('new row violates row-level security policy "second_factor" for table "%s"', name),
  'without a second factor that is demanded there, an admin of both moves no row of ' || name)
from had
order by name;
select tests.clear_authentication();

-- The same of the tables that no user updates, as if one could.
create temp view unmovable as
select policy.tablename::text as name from pg_policies policy
where policy.schemaname = 'public' and policy.permissive = 'RESTRICTIVE' and policy.tablename::text not in (select name from had);
do $$
declare
  target text;
begin
  for target in select name from unmovable loop
    execute format('grant update (organization_id) on public.%I to authenticated', target);
    -- Not of the rows that other tests are busy with.
    execute format(
      'create policy open_for_once on public.%I for update to authenticated using (organization_id in (%L, %L)) with check (true)',
      target, tests.id('north'), tests.id('south'));
  end loop;
end
$$;
grant select on unmovable to authenticated;
select tests.authenticate_as(tests.id('dora login'));
select throws_ok(
  format('update public.%I set organization_id = %L', name, tests.id('south')),
  '42501', format('new row violates row-level security policy "second_factor" for table "%s"', name),
  'nor would one move a row of ' || name || ', were there a policy to update it')
from unmovable
order by name;

select * from finish();
rollback;
