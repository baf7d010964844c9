-- The matrix: who may do what to which row. This file is the one to read.
--
-- One line is a relation, a command, a scope (whose row), and the personas that may; every other persona may not. Each
-- line is tried as every persona, by 90-matrix-cells as database roles and by supabase/tests/access/matrix.test.ts over
-- REST with real tokens. What the catalog has and this file does not name fails, and so does the reverse.
--
-- Personas: anon; no_role (signed in, no role); client, therapist, supervisor, psychiatrist, internal_ops,
-- partner_provider, admin, system_service (a live role in their own organization); super_admin (aal2) and super_admin with
-- break-glass (in their own organization); service_role (the secret key); revoked therapist and banned therapist (with a
-- token from before); admin at aal1 (of an organization that requires a second factor).
-- Shorthand: the words `staff`, `clinicians`, ... below stand for the personas that `groups` gives them.
begin;

select pg_advisory_xact_lock(hashtext('schema access'));
set local client_min_messages = warning;
create table if not exists access.relations (relation text primary key, noun text not null, key_column text, about text not null);
create table if not exists access.lines (
  line integer generated always as identity primary key,
  relation text not null, command text not null, scope text not null, allowed text not null, absent text not null default '');
create table if not exists access.personas (persona text primary key, database_role text not null, aal text);
create table if not exists access.groups (name text primary key, members text[] not null);
delete from access.relations;
delete from access.lines;
delete from access.personas;
delete from access.groups;

insert into access.personas (persona, database_role, aal) values
  ('anon', 'anon', null),
  ('no_role', 'authenticated', 'aal1'),
  ('client', 'authenticated', 'aal1'),
  ('therapist', 'authenticated', 'aal1'),
  ('supervisor', 'authenticated', 'aal1'),
  ('psychiatrist', 'authenticated', 'aal1'),
  ('internal_ops', 'authenticated', 'aal1'),
  ('partner_provider', 'authenticated', 'aal1'),
  ('admin', 'authenticated', 'aal1'),
  ('super_admin', 'authenticated', 'aal2'),
  ('super_admin with break-glass', 'authenticated', 'aal2'),
  ('system_service', 'authenticated', 'aal1'),
  ('service_role', 'service_role', null),
  ('revoked therapist', 'authenticated', 'aal1'),
  ('banned therapist', 'authenticated', 'aal1'),
  ('admin at aal1', 'authenticated', 'aal1');

insert into access.groups (name, members) values
  ('nobody', '{}'),
  ('signed in', '{no_role,client,therapist,supervisor,psychiatrist,internal_ops,partner_provider,admin,super_admin,super_admin with break-glass,system_service,revoked therapist,banned therapist,admin at aal1}'),
  ('with a role', '{client,therapist,supervisor,psychiatrist,internal_ops,partner_provider,admin,super_admin with break-glass,system_service}'),
  ('clinicians', '{therapist,supervisor,psychiatrist}'),
  ('treating', '{therapist,supervisor}'),
  ('schedulers', '{internal_ops,admin}'),
  ('platform', '{super_admin,super_admin with break-glass}'),
  ('break-glass', '{super_admin with break-glass}');

insert into access.relations (relation, noun, key_column, about) values
  ('organizations', 'organization', 'id', 'members see theirs; the platform sees and makes tenants; admins change theirs'),
  ('roles', 'kind of role', 'role', 'reference data: everybody signed in reads it, nobody writes it'),
  ('role_permissions', 'permission', 'role', 'reference data: everybody signed in reads it, nobody writes it'),
  ('user_roles', 'role', 'id', 'users see what they are; admins grant and end roles of their organization'),
  ('active_organizations', 'choice of organization', 'user_id', 'users see their own; choose_organization writes it'),
  ('therapists', 'therapist', 'id', 'those who work in the clinic see who does; admins write'),
  ('clients', 'client', 'id', 'the care team, supervisors of its members, schedulers; admins write; families have a view'),
  ('rooms', 'room', 'id', 'who books sees rooms; schedulers write'),
  ('services', 'service', 'id', 'those who work in the clinic see what it offers; schedulers write'),
  ('care_team_assignments', 'assignment', 'id', 'the team sees its team; admins assign, nobody assigns themselves'),
  ('supervisions', 'supervision', 'id', 'both sides see it; admins assign'),
  ('client_guardians', 'guardianship', 'id', 'guardians see theirs; admins name them'),
  ('cpt_codes', 'CPT code', 'code', 'reference data: everybody signed in reads it, nobody writes it'),
  ('session_groups', 'group', 'id', 'as sessions; schedulers make and move them'),
  ('sessions', 'session', 'id', 'whose it is, their supervisor, the reviewer of the client, schedulers; only its status is written, by whose it is'),
  ('session_holds', 'hold', 'id', 'who made it or whose time it is; written by RPCs only'),
  ('referrals', 'referral', 'id', 'the practice that referred and schedulers; practices refer, admins answer'),
  ('access_alerts', 'alert', 'id', 'admins see and acknowledge'),
  ('service_accounts', 'service account', 'id', 'admins see them; RPCs write them'),
  ('service_account_tokens', 'service token', 'id', 'hashes: nobody but the RPCs'),
  ('calendar_claims', 'claim', 'claim_id', 'the ledger: nobody but its triggers'),
  ('idempotency_keys', 'idempotency key', 'user_id', 'nobody but app.run_operation'),
  ('family_clients', 'family view of a client', 'client_id', 'guardians with the role client: their own children'),
  ('family_sessions', 'family view of a session', 'session_id', 'guardians with the role client: their own children''s'),
  ('referral_summaries', 'summary of a referral', 'referral_id', 'practices: what became of those they referred'),
  ('denied_attempts', 'denied attempt', 'id', 'admins'),
  ('hold_sessions', 'RPC', null, 'schedulers for everybody; therapists and supervisors for themselves'),
  ('confirm_sessions', 'RPC', null, 'who made the hold and may still book'),
  ('cancel_sessions', 'RPC', null, 'as hold_sessions'),
  ('archive_client', 'RPC', null, 'admins'),
  ('choose_organization', 'RPC', null, 'whoever has a role there now'),
  ('break_glass', 'RPC', null, 'super admins with a second factor'),
  ('create_service_account', 'RPC', null, 'admins'),
  ('rotate_service_account_token', 'RPC', null, 'admins'),
  ('revoke_service_account', 'RPC', null, 'admins'),
  ('list_service_account_tokens', 'RPC', null, 'admins; empty for others'),
  ('partner_sync', 'RPC', null, 'whoever holds a service token: it is the authority, not who is signed in'),
  ('list_audit_events', 'RPC', null, 'admins'),
  ('list_denied_attempts', 'RPC', null, 'admins; empty for others'),
  ('custom_access_token_hook', 'RPC', null, 'the auth server alone');

insert into access.lines (relation, command, scope, allowed, absent) values
  -- who is a member, and of what
  ('organizations', 'select', 'own organization', 'with a role, super_admin, service_role, admin at aal1', ''),
  ('organizations', 'select', 'other organization', 'platform, service_role', ''),
  ('organizations', 'insert', 'any row', 'platform, service_role', ''),
  ('organizations', 'update', 'own organization', 'admin, platform, service_role', ''),
  ('organizations', 'update', 'other organization', 'platform, service_role', ''),
  ('organizations', 'delete', 'own organization', 'nobody', ''),
  ('roles', 'select', 'any row', 'signed in, service_role', ''),
  ('roles', 'insert', 'any row', 'nobody', ''),
  ('roles', 'update', 'any row', 'nobody', ''),
  ('roles', 'delete', 'any row', 'nobody', ''),
  ('role_permissions', 'select', 'any row', 'signed in, service_role', ''),
  ('role_permissions', 'insert', 'any row', 'nobody', ''),
  ('role_permissions', 'update', 'any row', 'nobody', ''),
  ('role_permissions', 'delete', 'any row', 'nobody', ''),
  ('user_roles', 'select', 'own row', 'with a role, super_admin, revoked therapist, banned therapist', 'anon, no_role, service_role'),
  ('user_roles', 'select', 'colleague''s row', 'admin, service_role', ''),
  ('user_roles', 'select', 'other organization', 'service_role', ''),
  ('user_roles', 'insert', 'own row', 'admin, service_role', ''),
  ('user_roles', 'insert', 'colleague''s row', 'admin, service_role', ''),
  ('user_roles', 'insert', 'other organization', 'service_role', ''),
  ('user_roles', 'update', 'own row', 'admin', 'anon, no_role, service_role'),
  ('user_roles', 'update', 'colleague''s row', 'admin, service_role', ''),
  ('user_roles', 'update', 'other organization', 'service_role', ''),
  ('user_roles', 'delete', 'own row', 'nobody', 'anon, no_role, service_role'),
  ('user_roles', 'delete', 'colleague''s row', 'nobody', ''),
  ('active_organizations', 'select', 'own row', 'signed in', ''),
  ('active_organizations', 'select', 'colleague''s row', 'nobody', ''),
  ('active_organizations', 'insert', 'own row', 'nobody', ''),
  ('active_organizations', 'update', 'own row', 'nobody', ''),
  ('active_organizations', 'delete', 'own row', 'nobody', ''),

  -- people
  ('therapists', 'select', 'own row', 'clinicians, schedulers, break-glass, service_role', ''),
  ('therapists', 'select', 'colleague''s row', 'clinicians, schedulers, break-glass, service_role', ''),
  ('therapists', 'select', 'other organization', 'service_role', ''),
  ('therapists', 'insert', 'own organization', 'admin, service_role', ''),
  ('therapists', 'insert', 'other organization', 'service_role', ''),
  ('therapists', 'update', 'own row', 'admin, service_role', ''),
  ('therapists', 'update', 'colleague''s row', 'admin, service_role', ''),
  ('therapists', 'update', 'other organization', 'service_role', ''),
  ('therapists', 'delete', 'own row', 'nobody', ''),
  ('clients', 'select', 'assigned client', 'treating, schedulers, break-glass, service_role', ''),
  ('clients', 'select', 'client for review', 'clinicians, schedulers, break-glass, service_role', ''),
  ('clients', 'select', 'supervised row', 'supervisor, schedulers, break-glass, service_role', ''),
  ('clients', 'select', 'unassigned client', 'schedulers, break-glass, service_role', ''),
  ('clients', 'select', 'other organization', 'service_role', ''),
  ('clients', 'insert', 'own organization', 'admin, service_role', ''),
  ('clients', 'insert', 'other organization', 'service_role', ''),
  ('clients', 'update', 'assigned client', 'admin, service_role', ''),
  ('clients', 'update', 'unassigned client', 'admin, service_role', ''),
  ('clients', 'update', 'other organization', 'service_role', ''),
  ('clients', 'delete', 'assigned client', 'nobody', ''),
  ('rooms', 'select', 'own organization', 'treating, schedulers, break-glass, service_role', ''),
  ('rooms', 'select', 'other organization', 'service_role', ''),
  ('rooms', 'insert', 'own organization', 'schedulers, service_role', ''),
  ('rooms', 'insert', 'other organization', 'service_role', ''),
  ('rooms', 'update', 'own organization', 'schedulers, service_role', ''),
  ('rooms', 'update', 'other organization', 'service_role', ''),
  ('rooms', 'delete', 'own organization', 'nobody', ''),
  ('services', 'select', 'own organization', 'clinicians, schedulers, break-glass, service_role', ''),
  ('services', 'select', 'other organization', 'service_role', ''),
  ('services', 'insert', 'own organization', 'schedulers, service_role', ''),
  ('services', 'insert', 'other organization', 'service_role', ''),
  ('services', 'update', 'own organization', 'schedulers, service_role', ''),
  ('services', 'update', 'other organization', 'service_role', ''),
  ('services', 'delete', 'own organization', 'nobody', ''),
  ('cpt_codes', 'select', 'any row', 'signed in, service_role', ''),
  ('cpt_codes', 'insert', 'any row', 'nobody', ''),
  ('cpt_codes', 'update', 'any row', 'nobody', ''),
  ('cpt_codes', 'delete', 'any row', 'nobody', ''),
  ('care_team_assignments', 'select', 'own row', 'treating, schedulers, break-glass, service_role', ''),
  ('care_team_assignments', 'select', 'assigned client', 'treating, schedulers, break-glass, service_role', ''),
  ('care_team_assignments', 'select', 'supervised row', 'supervisor, schedulers, break-glass, service_role', ''),
  ('care_team_assignments', 'select', 'unassigned client', 'schedulers, break-glass, service_role', ''),
  ('care_team_assignments', 'select', 'other organization', 'service_role', ''),
  ('care_team_assignments', 'insert', 'own row', 'admin, service_role', ''),
  ('care_team_assignments', 'insert', 'colleague''s row', 'admin, service_role', ''),
  ('care_team_assignments', 'insert', 'other organization', 'service_role', ''),
  ('care_team_assignments', 'update', 'own row', 'admin, service_role', ''),
  ('care_team_assignments', 'update', 'unassigned client', 'admin, service_role', ''),
  ('care_team_assignments', 'update', 'other organization', 'service_role', ''),
  ('care_team_assignments', 'delete', 'own row', 'nobody', ''),
  ('supervisions', 'select', 'own row', 'clinicians, schedulers, break-glass, service_role', ''),
  ('supervisions', 'select', 'colleague''s row', 'schedulers, break-glass, service_role', ''),
  ('supervisions', 'select', 'other organization', 'service_role', ''),
  ('supervisions', 'insert', 'own row', 'admin, service_role', ''),
  ('supervisions', 'insert', 'other organization', 'service_role', ''),
  ('supervisions', 'update', 'own row', 'admin, service_role', ''),
  ('supervisions', 'update', 'colleague''s row', 'admin, service_role', ''),
  ('supervisions', 'update', 'other organization', 'service_role', ''),
  ('supervisions', 'delete', 'own row', 'nobody', ''),
  ('client_guardians', 'select', 'own row', 'client, admin, break-glass, service_role', ''),
  ('client_guardians', 'select', 'colleague''s row', 'admin, break-glass, service_role', ''),
  ('client_guardians', 'select', 'other organization', 'service_role', ''),
  ('client_guardians', 'insert', 'own row', 'admin, service_role', ''),
  ('client_guardians', 'insert', 'other organization', 'service_role', ''),
  ('client_guardians', 'update', 'own row', 'admin, service_role', ''),
  ('client_guardians', 'update', 'colleague''s row', 'admin, service_role', ''),
  ('client_guardians', 'update', 'other organization', 'service_role', ''),
  ('client_guardians', 'delete', 'own row', 'nobody', ''),

  -- time
  ('session_groups', 'select', 'own row', 'treating, schedulers, break-glass, service_role', ''),
  ('session_groups', 'select', 'supervised row', 'supervisor, schedulers, break-glass, service_role', ''),
  ('session_groups', 'select', 'colleague''s row', 'schedulers, break-glass, service_role', ''),
  ('session_groups', 'select', 'other organization', 'service_role', ''),
  ('session_groups', 'insert', 'own row', 'schedulers, service_role', ''),
  ('session_groups', 'insert', 'other organization', 'service_role', ''),
  ('session_groups', 'update', 'own row', 'schedulers, service_role', ''),
  ('session_groups', 'update', 'colleague''s row', 'schedulers, service_role', ''),
  ('session_groups', 'update', 'other organization', 'service_role', ''),
  ('session_groups', 'delete', 'own row', 'nobody', ''),
  ('sessions', 'select', 'own row', 'treating, schedulers, break-glass, service_role', ''),
  ('sessions', 'select', 'assigned client', 'schedulers, break-glass, service_role', ''),
  ('sessions', 'select', 'client for review', 'psychiatrist, schedulers, break-glass, service_role', ''),
  ('sessions', 'select', 'supervised row', 'supervisor, schedulers, break-glass, service_role', ''),
  ('sessions', 'select', 'colleague''s row', 'schedulers, break-glass, service_role', ''),
  ('sessions', 'select', 'other organization', 'service_role', ''),
  ('sessions', 'insert', 'own row', 'service_role', ''),
  ('sessions', 'insert', 'colleague''s row', 'service_role', ''),
  ('sessions', 'insert', 'other organization', 'service_role', ''),
  ('sessions', 'update', 'own row', 'treating, schedulers, service_role', ''),
  ('sessions', 'update', 'assigned client', 'schedulers, service_role', ''),
  ('sessions', 'update', 'client for review', 'schedulers, service_role', ''),
  ('sessions', 'update', 'supervised row', 'schedulers, service_role', ''),
  ('sessions', 'update', 'colleague''s row', 'schedulers, service_role', ''),
  ('sessions', 'update', 'other organization', 'service_role', ''),
  ('sessions', 'delete', 'own row', 'nobody', ''),
  ('sessions', 'delete', 'colleague''s row', 'nobody', ''),
  ('session_holds', 'select', 'own row', 'with a role, service_role', ''),
  ('session_holds', 'select', 'own time', 'treating, schedulers, break-glass, service_role', ''),
  ('session_holds', 'select', 'supervised row', 'supervisor, schedulers, break-glass, service_role', ''),
  ('session_holds', 'select', 'colleague''s row', 'schedulers, break-glass, service_role', ''),
  ('session_holds', 'select', 'other organization', 'service_role', ''),
  ('session_holds', 'insert', 'own row', 'nobody', ''),
  ('session_holds', 'update', 'own row', 'nobody', ''),
  ('session_holds', 'delete', 'own row', 'nobody', ''),
  ('calendar_claims', 'select', 'own row', 'nobody', ''),
  ('calendar_claims', 'insert', 'own row', 'nobody', ''),
  ('calendar_claims', 'update', 'own row', 'nobody', ''),
  ('calendar_claims', 'delete', 'own row', 'nobody', ''),
  ('idempotency_keys', 'select', 'own row', 'nobody', ''),
  ('idempotency_keys', 'insert', 'own row', 'nobody', ''),
  ('idempotency_keys', 'update', 'own row', 'nobody', ''),
  ('idempotency_keys', 'delete', 'own row', 'nobody', ''),

  -- families, practices, operators
  ('referrals', 'select', 'own row', 'partner_provider, schedulers, break-glass, service_role', ''),
  ('referrals', 'select', 'colleague''s row', 'schedulers, break-glass, service_role', ''),
  ('referrals', 'select', 'other organization', 'service_role', ''),
  ('referrals', 'insert', 'own organization', 'partner_provider, service_role', ''),
  ('referrals', 'insert', 'other organization', 'service_role', ''),
  ('referrals', 'update', 'own row', 'admin, service_role', ''),
  ('referrals', 'update', 'colleague''s row', 'admin, service_role', ''),
  ('referrals', 'update', 'other organization', 'service_role', ''),
  ('referrals', 'delete', 'own row', 'nobody', ''),
  ('access_alerts', 'select', 'own organization', 'admin, service_role', ''),
  ('access_alerts', 'select', 'other organization', 'service_role', ''),
  ('access_alerts', 'insert', 'own organization', 'nobody', ''),
  ('access_alerts', 'update', 'own organization', 'admin', ''),
  ('access_alerts', 'update', 'other organization', 'nobody', ''),
  ('access_alerts', 'delete', 'own organization', 'nobody', ''),
  ('service_accounts', 'select', 'own organization', 'admin', ''),
  ('service_accounts', 'select', 'other organization', 'nobody', ''),
  ('service_accounts', 'insert', 'own organization', 'nobody', ''),
  ('service_accounts', 'update', 'own organization', 'nobody', ''),
  ('service_accounts', 'delete', 'own organization', 'nobody', ''),
  ('service_account_tokens', 'select', 'own organization', 'nobody', ''),
  ('service_account_tokens', 'insert', 'own organization', 'nobody', ''),
  ('service_account_tokens', 'update', 'own organization', 'nobody', ''),
  ('service_account_tokens', 'delete', 'own organization', 'nobody', ''),
  ('family_clients', 'select', 'own row', 'client', ''),
  ('family_clients', 'select', 'colleague''s row', 'nobody', ''),
  ('family_clients', 'select', 'other organization', 'nobody', ''),
  ('family_sessions', 'select', 'own row', 'client', ''),
  ('family_sessions', 'select', 'colleague''s row', 'nobody', ''),
  ('family_sessions', 'select', 'other organization', 'nobody', ''),
  ('referral_summaries', 'select', 'own row', 'partner_provider', ''),
  ('referral_summaries', 'select', 'colleague''s row', 'nobody', ''),
  ('referral_summaries', 'select', 'other organization', 'nobody', ''),
  ('denied_attempts', 'select', 'own organization', 'admin', ''),
  ('denied_attempts', 'select', 'other organization', 'nobody', '');
insert into access.lines (relation, command, scope, allowed)
select relation, command, 'own row', 'nobody'
from unnest(array['family_clients', 'family_sessions', 'referral_summaries', 'denied_attempts']) relation
cross join unnest(array['insert', 'update', 'delete']) command;

-- RPCs: `execute` is the grant, `call` is a call that succeeds.
insert into access.lines (relation, command, scope, allowed) values
  ('hold_sessions', 'call', 'own row', 'treating, schedulers'),
  ('hold_sessions', 'call', 'colleague''s row', 'schedulers'),
  ('hold_sessions', 'call', 'other organization', 'nobody'),
  ('confirm_sessions', 'call', 'own row', 'treating, schedulers'),
  ('confirm_sessions', 'call', 'colleague''s row', 'nobody'),
  ('confirm_sessions', 'call', 'other organization', 'nobody'),
  ('cancel_sessions', 'call', 'own row', 'treating, schedulers'),
  ('cancel_sessions', 'call', 'colleague''s row', 'schedulers'),
  ('cancel_sessions', 'call', 'other organization', 'nobody'),
  ('archive_client', 'call', 'own organization', 'admin'),
  ('archive_client', 'call', 'other organization', 'nobody'),
  ('choose_organization', 'call', 'own organization', 'with a role, admin at aal1'),
  ('choose_organization', 'call', 'other organization', 'nobody'),
  ('break_glass', 'call', 'own organization', 'platform'),
  ('break_glass', 'call', 'other organization', 'platform'),
  ('list_service_account_tokens', 'call', 'own organization', 'admin'),
  ('list_service_account_tokens', 'call', 'other organization', 'nobody'),
  ('partner_sync', 'call', 'own organization', 'anon, signed in'),
  ('partner_sync', 'call', 'other organization', 'nobody'),
  ('create_service_account', 'call', 'own organization', 'admin'),
  ('create_service_account', 'call', 'other organization', 'nobody'),
  ('rotate_service_account_token', 'call', 'own organization', 'admin'),
  ('rotate_service_account_token', 'call', 'other organization', 'nobody'),
  ('revoke_service_account', 'call', 'own organization', 'admin'),
  ('revoke_service_account', 'call', 'other organization', 'nobody'),
  ('list_audit_events', 'call', 'own organization', 'admin'),
  ('list_audit_events', 'call', 'other organization', 'nobody'),
  ('list_denied_attempts', 'call', 'own organization', 'admin'),
  ('list_denied_attempts', 'call', 'other organization', 'nobody'),
  ('custom_access_token_hook', 'call', 'own row', 'nobody');
insert into access.lines (relation, command, scope, allowed)
select relation, 'execute', 'own organization', case relation when 'custom_access_token_hook' then 'nobody' when 'partner_sync' then 'anon, signed in' else 'signed in' end
from access.relations where key_column is null;

-- One row a cell: a line, tried as a persona.
create or replace function access.named(list text) returns text[] language sql stable set search_path = '' as $$
  select coalesce(array_agg(member), '{}')
  from regexp_split_to_table(nullif(list, ''), ', ') word
  cross join lateral unnest(coalesce((select members from access.groups where name = word), array[word])) member
$$;
create or replace view access.cells as
select line.line, line.relation, line.command, line.scope, persona.persona, persona.database_role, persona.aal,
  persona.persona = any (access.named(line.allowed)) as allowed,
  concat_ws(' ', persona.persona, case when persona.persona = any (access.named(line.allowed)) then 'may' else 'may not' end,
    case
      when line.command = 'execute' then 'execute ' || line.relation
      when line.command = 'call' then 'call ' || line.relation || ' on ' || case line.scope
        when 'own row' then 'what is their own'
        when 'colleague''s row' then 'what is a colleague''s'
        when 'own organization' then 'their own organization'
        else 'another organization' end
      else line.command || ' ' || case line.scope
        when 'own row' then 'their own ' || noun
        when 'own time' then 'a ' || noun || ' on their own time'
        when 'own organization' then 'a ' || noun || ' of their organization'
        when 'other organization' then 'a ' || noun || ' of another organization'
        when 'colleague''s row' then 'a colleague''s ' || noun
        when 'supervised row' then 'a ' || noun || ' of a therapist they supervise'
        when 'any row' then 'a ' || noun
        else noun || ' of: ' || line.scope end end) as name
from access.lines line
join access.relations using (relation)
cross join access.personas persona
where not persona.persona = any (access.named(line.absent));

commit;

begin;
select plan(1);
select is_empty(
  $$ select line.relation, word from access.lines line
    cross join unnest(access.named(line.allowed) || access.named(line.absent)) word
    where word not in (select persona from access.personas) $$,
  'every line of the matrix names personas that there are');
select * from finish();
rollback;
