-- A small believable clinic for the local stack: invented people, no real names, no PHI.
-- Every login has the password holdfast-demo. Times are relative to the day it is applied.

with person (id, email, display_name) as (
  values
    ('a0000000-0000-4000-8000-000000000001'::uuid, 'admin@willowcreek.example', 'Dana Admin'),
    ('a0000000-0000-4000-8000-000000000002'::uuid, 'scheduler@willowcreek.example', 'Sam Scheduler'),
    ('a0000000-0000-4000-8000-000000000003'::uuid, 'rosa@willowcreek.example', 'Rosa Therapist'),
    ('a0000000-0000-4000-8000-000000000004'::uuid, 'theo@willowcreek.example', 'Theo Therapist'),
    ('a0000000-0000-4000-8000-000000000005'::uuid, 'bianca@willowcreek.example', 'Bianca Analyst'),
    ('a0000000-0000-4000-8000-000000000006'::uuid, 'quinn@willowcreek.example', 'Quinn Reviewer'),
    ('a0000000-0000-4000-8000-000000000007'::uuid, 'family@aspen.example', 'Aspen''s parent'),
    ('a0000000-0000-4000-8000-000000000008'::uuid, 'intake@partner.example', 'A referring practice'),
    ('a0000000-0000-4000-8000-000000000009'::uuid, 'operator@platform.example', 'The platform''s operator')
),
login as (
  insert into auth.users (
    id, instance_id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data,
    raw_user_meta_data, created_at, updated_at, confirmation_token, recovery_token, email_change,
    email_change_token_new)
  select
    person.id, '00000000-0000-0000-0000-000000000000', 'authenticated', 'authenticated', person.email,
    extensions.crypt('holdfast-demo', extensions.gen_salt('bf', 10)), now(),
    '{"provider": "email", "providers": ["email"]}', jsonb_build_object('display_name', person.display_name),
    now(), now(), '', '', '', ''
  from person
  returning id, email
)
insert into auth.identities (id, user_id, provider_id, provider, identity_data, created_at, updated_at)
select gen_random_uuid(), login.id, login.id::text, 'email',
  jsonb_build_object('sub', login.id, 'email', login.email, 'email_verified', true), now(), now()
from login;

insert into public.organizations (id, name, time_zone) values
  ('b0000000-0000-4000-8000-000000000001', 'Willow Creek ABA', 'America/Los_Angeles');

insert into public.user_roles (organization_id, user_id, role)
select 'b0000000-0000-4000-8000-000000000001', grant_.user_id::uuid, grant_.role
from (values
  ('a0000000-0000-4000-8000-000000000001', 'admin'),
  ('a0000000-0000-4000-8000-000000000002', 'internal_ops'),
  ('a0000000-0000-4000-8000-000000000003', 'therapist'),
  ('a0000000-0000-4000-8000-000000000004', 'therapist'),
  ('a0000000-0000-4000-8000-000000000005', 'supervisor'),
  ('a0000000-0000-4000-8000-000000000006', 'psychiatrist'),
  ('a0000000-0000-4000-8000-000000000007', 'client'),
  ('a0000000-0000-4000-8000-000000000008', 'partner_provider')
) as grant_ (user_id, role);

insert into public.user_roles (user_id, role) values ('a0000000-0000-4000-8000-000000000009', 'super_admin');

insert into public.therapists (id, organization_id, user_id, display_name, credential) values
  ('c0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000003', 'Rosa Therapist', 'RBT'),
  ('c0000000-0000-4000-8000-000000000002', 'b0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000004', 'Theo Therapist', 'RBT'),
  ('c0000000-0000-4000-8000-000000000003', 'b0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000005', 'Bianca Analyst', 'BCBA'),
  ('c0000000-0000-4000-8000-000000000004', 'b0000000-0000-4000-8000-000000000001', 'a0000000-0000-4000-8000-000000000006', 'Quinn Reviewer', 'MD');

insert into public.therapist_availability (
  organization_id, therapist_id, weekday, local_start, local_end, effective_from, time_zone)
select 'b0000000-0000-4000-8000-000000000001', therapist.id, weekday, '07:00', '19:00', current_date - 30, 'America/Los_Angeles'
from public.therapists therapist
cross join generate_series(1, 6) weekday;

insert into public.clients (
  id, organization_id, full_name, given_name, family_name, date_of_birth, sex, address_line, city, state, postal_code, phone, diagnosis_codes)
values
  ('d0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000001', 'Client Aspen', 'Client', 'Aspen', '2019-04-12', 'F',
    '100 Example St', 'Oakland', 'CA', '94607', '+15105550101', '{F84.0}'),
  ('d0000000-0000-4000-8000-000000000002', 'b0000000-0000-4000-8000-000000000001', 'Client Birch', 'Client', 'Birch', '2020-09-30', 'M',
    '200 Example St', 'Oakland', 'CA', '94609', '+15105550102', '{F84.0,F90.2}'),
  ('d0000000-0000-4000-8000-000000000003', 'b0000000-0000-4000-8000-000000000001', 'Client Cedar', 'Client', 'Cedar', '2017-01-25', 'M',
    '300 Example St', 'Berkeley', 'CA', '94702', '+15105550103', '{F84.0}');

insert into public.rooms (id, organization_id, name) values
  ('e0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000001', 'Treatment room 1');

insert into public.services (id, organization_id, service_code, name, cpt_code, client_lane, is_group) values
  ('f0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000001', '97153', 'Direct therapy', '97153', 0, false),
  ('f0000000-0000-4000-8000-000000000002', 'b0000000-0000-4000-8000-000000000001', '97155', 'Supervision with protocol modification', '97155', 1, false),
  ('f0000000-0000-4000-8000-000000000003', 'b0000000-0000-4000-8000-000000000001', '97154', 'Group therapy', '97154', 0, true),
  ('f0000000-0000-4000-8000-000000000004', 'b0000000-0000-4000-8000-000000000001', '97156', 'Caregiver guidance', '97156', 0, false);

insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
select 'b0000000-0000-4000-8000-000000000001', team.therapist_id::uuid, team.client_id::uuid, team.team_role, current_date - 30
from (values
  ('c0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000001', 'therapist'),
  ('c0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000002', 'therapist'),
  ('c0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-000000000002', 'therapist'),
  ('c0000000-0000-4000-8000-000000000002', 'd0000000-0000-4000-8000-000000000003', 'therapist'),
  ('c0000000-0000-4000-8000-000000000003', 'd0000000-0000-4000-8000-000000000001', 'supervisor'),
  ('c0000000-0000-4000-8000-000000000003', 'd0000000-0000-4000-8000-000000000002', 'supervisor'),
  ('c0000000-0000-4000-8000-000000000004', 'd0000000-0000-4000-8000-000000000002', 'psychiatrist')
) as team (therapist_id, client_id, team_role);

insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on)
select 'b0000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000003', supervised.id::uuid, current_date - 30
from (values ('c0000000-0000-4000-8000-000000000001'), ('c0000000-0000-4000-8000-000000000002')) as supervised (id);

insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
values (
  'b0000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-000000000001',
  'a0000000-0000-4000-8000-000000000007', 'parent', current_date - 30);

-- Next week's standing sessions: Theo with Birch, mornings at ten, Pacific wall clock.
insert into public.sessions (organization_id, therapist_id, client_id, service_id, start_time, end_time, time_zone, place_of_service)
select
  'b0000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000002',
  'd0000000-0000-4000-8000-000000000002', 'f0000000-0000-4000-8000-000000000001',
  (day + time '10:00') at time zone 'America/Los_Angeles', (day + time '12:00') at time zone 'America/Los_Angeles',
  'America/Los_Angeles', '12'
from generate_series(
  date_trunc('week', now() at time zone 'America/Los_Angeles') + interval '7 days',
  date_trunc('week', now() at time zone 'America/Los_Angeles') + interval '11 days',
  interval '1 day') day;
