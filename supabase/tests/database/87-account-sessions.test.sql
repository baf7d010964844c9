-- A token counts with its session: app.caller, and what ends a session.
begin;
select plan(12);

select tests.create_clinic('north');
select tests.add_session('a session', 'north', '10:00');

-- acting as Rosa, with the session she signed in to
select tests.authenticate_as(tests.id('north rosa login'));
select is(app.caller(), tests.id('north rosa login'), 'the caller is the user of a token whose session is alive');
select isnt_empty('select id from public.sessions', 'and sees what they may see');
select tests.clear_authentication();
select is(app.caller(), null, 'without a token there is no caller');

-- acting as Rosa, with tokens that Auth would not issue
select tests.authenticate_as(tests.id('north rosa login'), 'aal1', '{"session_id": null}');
select is(app.caller(), null, 'a token without a session is nobody''s');
select is_empty('select id from public.sessions union all select id from public.user_roles', 'and sees nothing');
select tests.clear_authentication();
select tests.session_of(tests.id('north admin login'));
select tests.authenticate_as(
  tests.id('north rosa login'), 'aal1', jsonb_build_object('session_id', tests.id('north admin login')));
select is(app.caller(), null, 'a token with another user''s session is nobody''s');
select is_empty('select id from public.sessions union all select id from public.user_roles', 'and sees nothing either');
select tests.clear_authentication();

-- acting as an operator of the platform who has signed out
insert into public.user_roles (user_id, role) values (tests.create_user('operator login'), 'super_admin');
select tests.authenticate_as(tests.id('operator login'), 'aal2');
select ok(app.is_super_admin(), 'an operator with a second factor runs the platform');
select tests.clear_authentication();
delete from auth.sessions where user_id = tests.id('operator login');
select tests.act_as('authenticated', jsonb_build_object(
  'sub', tests.id('operator login'), 'session_id', tests.id('operator login'), 'role', 'authenticated', 'aal', 'aal2'));
select ok(not app.is_super_admin(), 'and no longer once signed out, with the same token');
select tests.clear_authentication();

-- what ends a session, and what does not
update auth.users set encrypted_password = 'first' where id = tests.id('north rosa login');
select is_empty(
  $$ select id from auth.sessions where user_id = tests.id('north rosa login') $$, 'a new password ends every session of its user');
select isnt_empty(
  $$ select id from auth.sessions where user_id = tests.id('north admin login') $$, 'and nobody else''s');
select tests.session_of(tests.id('north rosa login'));
update auth.users set encrypted_password = 'first', email = 'rosa@elsewhere.example' where id = tests.id('north rosa login');
select isnt_empty(
  $$ select id from auth.sessions where user_id = tests.id('north rosa login') $$,
  'the same password written again, as with another address, ends none');

select * from finish();
rollback;
