-- Accounts: what happens to an account is on record, and a new password signs out everywhere.
--
-- Promises
--   * Whoever changes or resets a password, or has it done, is signed out of every session, this one included: Auth
--     itself leaves the session that asked. app.caller makes it count for tokens that are still valid.
--   * Sign-ins, ends of sessions and changes of passwords are on the audit trail, without addresses and devices: of a
--     guardian these are PHI, and Auth's own log (auth.audit_log_entries) has them.
--
-- On a hosted project postgres does not own these two tables but has TRIGGER on both and DELETE on auth.sessions.

select audit.add_event_types($$ {
  "account.password_changed": "A password was changed, and its user signed out everywhere.",
  "account.session_ended": "A session ended: signed out, by a new password, or cleared away when too old.",
  "account.signed_in": "Somebody signed in."
} $$);

create function app.sign_out_everywhere()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  delete from auth.sessions session where session.user_id = new.id;
  insert into audit.events (actor_id, action, table_name, row_id)
  values (new.id, 'account.password_changed', 'users', new.id);
  return null;
end
$$;
comment on function app.sign_out_everywhere is
  'Signs a user out everywhere. Definer: the auth server writes no audit trail, and who changes a password here may not '
  'be it.';
create trigger sign_out_everywhere after update of encrypted_password on auth.users
  for each row when (old.encrypted_password is distinct from new.encrypted_password)
  execute function app.sign_out_everywhere();

create function app.record_login()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
begin
  insert into audit.events (actor_id, action, table_name, row_id)
  select changed.user_id, case tg_op when 'INSERT' then 'account.signed_in' else 'account.session_ended' end, 'sessions',
    changed.id
  from changed;
  return null;
end
$$;
comment on function app.record_login is
  'Puts sign-ins and ends of sessions on record. Definer: the auth server writes no audit trail.';
create trigger record_sign_in after insert on auth.sessions
  referencing new table as changed for each statement execute function app.record_login();
create trigger record_end after delete on auth.sessions
  referencing old table as changed for each statement execute function app.record_login();
