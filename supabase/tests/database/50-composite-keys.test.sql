-- No row points into another organization, whoever writes it.
begin;
select plan(33);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
select tests.add_session('north session', 'north', '10:00'), tests.add_session('south session', 'south', '10:00');
select tests.add_group('north group', 'north', '15:00'), tests.add_group('south group', 'south', '14:00');

-- acting as the service role, which no policy binds
select tests.authenticate_as_service_role();
select throws_ok(
  format('select tests.add_session(%L, %L, %L, %L)', 'foreign', 'north', '14:00', refused.changes), '23503', null, refused.name)
from (values
  ('{"therapist": "south rosa"}', 'a session is not of another organization''s therapist'),
  ('{"client": "south birch"}', 'a session is not of another organization''s client'),
  ('{"room": "south room"}', 'a session is not in another organization''s room'),
  ('{"service": "south 97153"}', 'a session is not of another organization''s service'),
  ('{"service": "north 97154", "group": "south group"}', 'a session is not in another organization''s group'),
  ('{"zone": "Mars/Olympus_Mons"}', 'a session is in a time zone that exists')
) refused (changes, name);

select throws_ok(
  format($$ update public.sessions set %I = tests.id(%L) where id = tests.id('north session') $$, refused.field, refused.value), '23503', null, refused.name)
from (values
  ('therapist_id', 'south theo', 'a session cannot be given to another organization''s therapist'),
  ('client_id', 'south birch', 'a session cannot be given to another organization''s client'),
  ('room_id', 'south room', 'a session cannot be moved into another organization''s room'),
  ('service_id', 'south 97153', 'a session cannot be given another organization''s service')
) refused (field, value, name);

select throws_ok(
  format(
    $$ insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
      values (tests.id('north'), tests.id(%L), tests.id(%L), 'therapist', current_date) $$, refused.therapist, refused.client),
  '23503', null, refused.name)
from (values
  ('south rosa', 'north birch', 'a care team takes no therapist of another organization'),
  ('north rosa', 'south birch', 'a care team takes no client of another organization')
) refused (therapist, client, name);
select throws_ok(format('select tests.add_group(%L, %L, %L, %L)', 'foreign', 'north', '17:00', refused.changes), '23503', null, refused.name)
from (values
  ('{"therapist": "south rosa"}', 'a group is not of another organization''s therapist'),
  ('{"service": "south 97154"}', 'a group is not of another organization''s service')
) refused (changes, name);
select throws_ok(
  $$ insert into public.services (organization_id, service_code, name, cpt_code) values (tests.id('north'), 'x', 'x', '99999') $$,
  '23503', null, 'a service is billed under a code that exists');

select throws_ok(
  format($$ select tests.add_hold('foreign', 'north', '14:00', %L) $$, '{}'), '42501', null, 'the service role makes no holds');

-- acting as the owner: the keys bind even that
select tests.clear_authentication();
select throws_ok(
  format('select tests.add_hold(%L, %L, %L, %L)', 'foreign', 'north', '14:00', refused.changes), '23503', null, refused.name)
from (values
  ('{"therapist": "south rosa"}', 'a hold is not on another organization''s therapist'),
  ('{"client": "south birch"}', 'a hold is not for another organization''s client'),
  ('{"room": "south room"}', 'a hold is not on another organization''s room'),
  ('{"service": "south 97153"}', 'a hold is not for another organization''s service'),
  ('{"session": "south session"}', 'a hold does not move another organization''s session')
) refused (changes, name);

select tests.fill_schedule('north'), tests.fill_schedule('south');
insert into public.therapists (id, organization_id, display_name, credential) values (tests.id('south idle'), tests.id('south'), 'idle', 'RBT');
delete from public.waitlist_times where organization_id = tests.id('south');
delete from public.payer_rules where organization_id = tests.id('south');
delete from public.payer_modifiers where organization_id = tests.id('south');
select throws_ok(format(
  'update public.%1$I set %2$I = tests.id(%3$L) where id = (select id from public.%1$I where organization_id = tests.id(''north'') limit 1)',
  refused.relation, refused.field, refused.value),
  '23503', null, refused.name)
from (values
  ('client_coverages', 'payer_id', 'south payer', 'a client is not covered by another organization''s payer'),
  ('payer_rules', 'payer_id', 'south payer', 'a rule is not of another organization''s payer'),
  ('payer_modifiers', 'payer_id', 'south payer', 'modifiers are not of another organization''s payer'),
  ('therapist_availability', 'therapist_id', 'south idle', 'hours are not of another organization''s therapist'),
  ('client_preferred_hours', 'client_id', 'south cedar', 'preferred hours are not of another organization''s client'),
  ('buffer_rules', 'service_id', 'south 97153', 'a buffer is not of another organization''s service'),
  ('session_series', 'continues_series_id', 'south series', 'a series does not continue another organization''s'),
  ('session_teams', 'client_id', 'south birch', 'a team is not of another organization''s client'),
  ('waitlist_entries', 'therapist_id', 'south rosa', 'nobody waits for another organization''s therapist'),
  ('waitlist_times', 'entry_id', 'south entry', 'wanted times are not of another organization''s entry'),
  ('waitlist_times', 'client_id', 'north aspen', 'nor of another client than the entry''s')
) refused (relation, field, value, name);

-- acting as the service role
select tests.authenticate_as_service_role();
select throws_ok(
  $$ update public.services set client_lane = 1 where id = tests.id('north 97153') $$,
  '23503', null, 'a service does not change its lane under the sessions that were booked by it');
select tests.clear_authentication();

select * from finish();
rollback;
