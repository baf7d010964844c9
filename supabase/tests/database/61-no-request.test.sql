-- What every operation answers to what is no request: JSON that is no object, and values that no type can hold. Found by fuzzing.
begin;
select plan(8);

select tests.create_clinic('north');
insert into public.payers (id, organization_id, name) values (tests.id('north payer'), tests.id('north'), 'A payer');

-- acting as the clinic's admin: the problem of each RPC that takes a request, or what it raised
create function tests.answers_to(request jsonb) returns table (rpc text, answer text) language plpgsql set search_path = '' as $$
declare
  problem jsonb;
begin
  for rpc in
    select proc.proname
    from pg_proc proc
    where proc.pronamespace = 'public'::regnamespace and proc.proargnames[1:2] = '{request,idempotency_key}'
      and has_function_privilege('authenticated', proc.oid, 'execute')
    order by 1
  loop
    perform tests.authenticate_as(tests.id('north admin login'));
    begin
      execute format('select public.%I($1, ''key'') -> ''problem''', rpc) into problem using request;
      answer := concat_ws(' ', problem ->> 'code', problem #>> '{errors,0,field}', problem #>> '{errors,0,code}');
    exception
      when others then
        answer := sqlstate;
    end;
    perform tests.clear_authentication();
    delete from app.call_counts counted where counted.user_id = tests.id('north admin login');
    return next;
  end loop;
end
$$;

select cmp_ok((select count(*) from tests.answers_to('{}')), '>', 60::bigint, 'the operations are found');
select is_empty(
  format('select * from tests.answers_to(%L) where answer <> ''validation_failed body invalid_type''', request), name)
from (values
  ('null', 'null is no request'),
  ('1', 'a number is no request'),
  ('"text"', 'a text is no request'),
  ('true', 'a truth value is no request'),
  ('[{}]', 'a list is no request')
) asked (request, name);
select is_empty(
  $$ select * from tests.answers_to(null) where answer <> 'validation_failed body invalid_type' $$, 'nothing is no request');

select tests.authenticate_as(tests.id('north admin login'));
select is(
  public.save_authorization(jsonb_build_object(
    'client_id', tests.id('north aspen'), 'payer_id', tests.id('north payer'), 'starts_on', '2027-01-01', 'ends_on', '2027-02-01', 'units', 1,
    'authorization_number', 'A-1', 'cpt_codes', '[[[[[[["97153"]]]]]]]'::jsonb)) #>> '{problem,code}',
  'validation_failed', 'a list that is deeper than any array can be is refused');
select tests.clear_authentication();

select * from finish();
rollback;
