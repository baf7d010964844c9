-- Records of clients: who reads them, that every reading and every refused one is on record, and how they are written.
begin;
select plan(192);

select tests.create_clinic('north'), tests.create_clinic('south'), tests.create_clinic('west');
select tests.create_user(person || ' login') from unnest(array['gail', 'quinn', 'sofia', 'paula']) person;
insert into public.user_roles (organization_id, user_id, role) values
  (tests.id('north'), tests.id('gail login'), 'client'), (tests.id('north'), tests.id('quinn login'), 'psychiatrist'),
  (tests.id('north'), tests.id('sofia login'), 'supervisor'), (tests.id('north'), tests.id('paula login'), 'partner_provider');
insert into public.therapists (id, organization_id, user_id, display_name, credential) values
  (tests.id('quinn'), tests.id('north'), tests.id('quinn login'), 'Quinn', 'MD'),
  (tests.id('sofia'), tests.id('north'), tests.id('sofia login'), 'Sofia', 'BCBA');
insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
values (tests.id('north'), tests.id('quinn'), tests.id('north cedar'), 'psychiatrist', current_date - 30);
insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on)
values (tests.id('north'), tests.id('sofia'), tests.id('north theo'), current_date - 30);
insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
values (tests.id('north'), tests.id('north birch'), tests.id('gail login'), 'parent', current_date - 30);
select tests.fill_schedule('north');
select tests.add_session('south session', 'south', '10:00'), tests.add_session('birch session', 'north', '10:00', '{"status": "cancelled", "cancelled_by": "client"}'),
  tests.add_session('cedar session', 'north', '12:00', '{"therapist": "north theo", "client": "north cedar", "status": "cancelled", "cancelled_by": "client"}');
update public.sessions set cancellation_reason = 'a fever' where organization_id = tests.id('north');
update public.availability_exceptions set note = 'a retreat' where id = tests.id('north holiday');

create function tests.read(changes jsonb) returns jsonb language sql as $$
  select public.read_clients(jsonb_build_object('organization_id', tests.id('north')) || changes)
$$;
create function tests.ids(variadic labels text[]) returns jsonb language sql as $$
  select jsonb_build_object('ids', (select jsonb_agg(tests.id(label)) from unnest(labels) label))
$$;
create function tests.names(answer jsonb) returns text[] language sql as $$
  select case when answer ? 'problem' then array[answer #>> '{problem,code}'] else array(
    select client ->> 'full_name' from jsonb_array_elements(answer #> '{data,clients}') client) end
$$;
create function tests.pages(size integer) returns text[] language plpgsql as $$
declare answer jsonb; name_list text[] := '{}'; next text;
begin
  loop
    answer := tests.read(jsonb_strip_nulls(jsonb_build_object('limit', size, 'after', next))) -> 'data';
    assert jsonb_array_length(answer -> 'clients') <= size;
    name_list := name_list || tests.names(jsonb_build_object('data', answer));
    next := answer ->> 'next';
    exit when next is null;
  end loop;
  return name_list;
end
$$;
create function tests.texts(of_table text, variadic labels text[]) returns jsonb language sql as $$
  select public.read_texts(jsonb_build_object('organization_id', tests.id('north'), 'table', of_table) || tests.ids(variadic labels))
$$;
create function tests.faults(answer jsonb) returns text[] language sql as $$
  select case
    when answer ? 'data' then array['saved']
    when answer #> '{problem,errors}' is null then array[answer #>> '{problem,code}']
    else array(select (fault ->> 'field') || ' ' || (fault ->> 'code') from jsonb_array_elements(answer #> '{problem,errors}') fault) end
$$;
create function tests.save(changes jsonb) returns jsonb language sql as $$
  select public.save_client(jsonb_build_object('client_id', tests.id('north birch')) || changes)
$$;
create function tests.cover(changes jsonb) returns jsonb language sql as $$
  select public.save_coverage(jsonb_build_object('client_id', tests.id('north aspen'), 'payer_id', tests.id('north payer'), 'starts_on', '2026-01-01') || changes)
$$;
-- What an actor's readings left on record, and forgets them for the next look.
create temp table looked_until as select coalesce(max(id), 0) as id from audit.events;
create function tests.trail(actor text) returns text[] language plpgsql security definer as $$
declare found text[];
begin
  found := array(
    select concat_ws(' ', event.action, event.decision, event.code, event.table_name, coalesce(client.full_name, event.row_id::text))
    from audit.events event
    left join public.clients client on client.id = event.row_id
    where event.actor_id = tests.id(actor) and event.id > (select id from pg_temp.looked_until) and event.action ~ '(read|viewed)'
    order by 1);
  update pg_temp.looked_until set id = (select max(id) from audit.events);
  return found;
end
$$;
grant execute on all functions in schema tests to authenticated;
grant select on looked_until to authenticated;

-- ---------------------------------------------------------------------------------------------------------
-- Who reads whom
-- ---------------------------------------------------------------------------------------------------------

create temp table reader (login text, sees text[]);
insert into reader values
  ('north rosa login', '{aspen,birch}'), ('north theo login', '{birch,cedar}'), ('sofia login', '{birch,cedar}'), ('quinn login', '{cedar}'),
  ('gail login', '{birch}'), ('north scheduler login', '{aspen,birch,cedar}'), ('north admin login', '{aspen,birch,cedar}'), ('paula login', '{}');
grant select on reader to authenticated;
create function tests.as_reader(login text, request jsonb) returns jsonb language plpgsql as $$
declare answer jsonb;
begin
  perform tests.authenticate_as(tests.id(login));
  answer := tests.read(request);
  perform tests.clear_authentication();
  return answer;
end
$$;
create temp table tried as
select reader.login, client, client = any (reader.sees) as may,
  tests.names(tests.as_reader(reader.login, tests.ids('north ' || client))) as answer, tests.trail(reader.login) as trail
from reader cross join unnest(array['aspen', 'birch', 'cedar']) client;
select is(answer, array[case when may then 'north ' || client else 'not_found' end], format('%s %s %s by id', login, case when may then 'reads' else 'does not read' end, client)) from tried;
select is(
  trail, array['client.read ' || case when may then 'allow' else 'deny not_found' end || ' clients north ' || client],
  format('and that %s was %s %s is on record, once', login, case when may then 'given' else 'denied' end, client))
from tried;
create temp table listed as
select login, array(select 'north ' || seen from unnest(sees) seen) as sees, tests.names(tests.as_reader(login, '{}')) as answer, tests.trail(login) as trail from reader;
select is(answer, sees, login || ' lists exactly those') from listed;
select is(trail, array(select 'client.read allow clients ' || seen from unnest(sees) seen), 'and each of the list is on record for ' || login) from listed;

-- Some of those that are asked for.
select tests.authenticate_as(tests.id('north rosa login'));
select is(
  tests.names(tests.read(tests.ids('north cedar', 'north birch', 'south aspen', 'nobody', 'north aspen'))), array['north aspen', 'north birch'],
  'who is not the caller''s to see is left out, whether of the clinic, of another or nobody at all');
select set_eq(
  $$ select unnest(tests.trail('north rosa login')) $$,
  array['client.read allow clients north aspen', 'client.read allow clients north birch', 'client.read deny not_found clients north cedar',
    'client.read deny not_found clients south aspen', 'client.read deny not_found clients ' || tests.id('nobody')],
  'and on record as denied, each');
select is(
  tests.read(tests.ids('north cedar')), tests.read(tests.ids('nobody')), 'a client out of sight is answered as one that there is not');
select is(
  public.read_clients(jsonb_build_object('organization_id', tests.id('south')) || tests.ids('south aspen')) #>> '{problem,code}', 'not_found',
  'a stranger to a clinic reads none of its clients');
select is(tests.read('{"fields": ["full_name", "coverages"]}') #>> '{problem,code}', 'forbidden', 'who treats does not read who pays');

-- What is answered, and what is on record of it.
select tests.authenticate_as(tests.id('north scheduler login'));
select is(
  public.save_client(jsonb_build_object(
    'client_id', tests.id('north birch'), 'given_name', ' Bo ', 'family_name', 'Birch', 'date_of_birth', '2019-05-04', 'sex', 'M', 'address_line', '1 Elm St',
    'city', 'Salem', 'state', 'OR', 'postal_code', '97301-1234', 'phone', '+15035550100', 'diagnosis_codes', array['F84.0', 'R41.840']), 'key') -> 'data',
  jsonb_build_object('client_id', tests.id('north birch'), 'created', false), 'a scheduler saves what is known of a client');
select is(
  tests.read(tests.ids('north birch')) #> '{data,clients,0}',
  jsonb_build_object(
    'id', tests.id('north birch'), 'status', 'active', 'full_name', 'north birch', 'given_name', 'Bo', 'family_name', 'Birch', 'date_of_birth', '2019-05-04',
    'sex', 'M', 'address_line', '1 Elm St', 'city', 'Salem', 'state', 'OR', 'postal_code', '97301-1234', 'phone', '+15035550100',
    'diagnosis_codes', array['F84.0', 'R41.840']),
  'and reads it, but for the space around it');
select is(
  tests.read(tests.ids('north birch') || '{"fields": ["sex"]}') #> '{data,clients,0}',
  jsonb_build_object('id', tests.id('north birch'), 'status', 'active', 'sex', 'M'), 'who asks for one field gets one');
select tests.clear_authentication();
select is(
  (select details from audit.events where row_id = tests.id('north birch') and action = 'client.read' order by id desc limit 1), '{"fields": ["sex"]}',
  'the record says which fields they were');
select is_empty(
  $$ select id from audit.events where organization_id = tests.id('north') and details::text ~ 'Elm|Bo |2019|F84|5550100' $$, 'and nothing of what they held');
select is_empty(
  $$ select 1 from public.idempotency_keys where organization_id = tests.id('north') and response::text ~ 'Elm|Bo|2019|F84' $$, 'nor does an idempotency key');
select set_eq(
  $$ select jsonb_array_elements_text(details -> 'withheld') from audit.events where row_id = tests.id('north birch') and action = 'row.updated' $$,
  array['given_name', 'family_name', 'date_of_birth', 'sex', 'address_line', 'city', 'state', 'postal_code', 'phone', 'diagnosis_codes'],
  'that it was saved is on record, without what it was');

-- ---------------------------------------------------------------------------------------------------------
-- The list
-- ---------------------------------------------------------------------------------------------------------

select tests.authenticate_as(tests.id('north admin login'));
select is(
  (select array_agg((public.save_client(jsonb_build_object('organization_id', tests.id('north'), 'full_name', name)) #>> '{data,created}')::boolean)
    from unnest(array['Zoë Aspen', 'élan Birch', 'Ann 50%_\ Off', 'Ann 50%_\ Off']) name),
  '{t,t,t,t}', 'an admin adds clients, two of one name among them');
select is(
  tests.pages(100), array['Ann 50%_\ Off', 'Ann 50%_\ Off', 'north aspen', 'north birch', 'north cedar', 'Zoë Aspen', 'élan Birch'],
  'the list is in the order of names');
select is(tests.pages(size), tests.pages(100), format('in pages of %s it is the same, nobody missing and nobody twice', size)) from unnest(array[1, 2, 3, 6, 7]) size;
select is(tests.names(tests.read(jsonb_build_object('search', given.search))), given.found, 'a search for ' || given.search || ' finds how words begin')
from (values
  ('asp', array['north aspen', 'Zoë Aspen']), ('NORTH B', array['north birch']), ('ÉL', array['élan Birch']), ('spen', '{}'::text[]),
  ('50%_\', array['Ann 50%_\ Off', 'Ann 50%_\ Off']), ('%', '{}'), ('_', '{}'), ('north aspen', array['north aspen'])) given (search, found);
select tests.trail('north admin login');
select is(tests.read('{"limit": 1}') #>> '{data,clients,0,full_name}', 'Ann 50%_\ Off', 'a page of one');
select is(tests.trail('north admin login'), array['client.read allow clients Ann 50%_\ Off'], 'who would stand on the next page was not read');
select is(
  public.read_clients(jsonb_build_object('organization_id', tests.id('north')), 'a key') ? 'data' and public.read_clients(jsonb_build_object('organization_id', tests.id('south')), 'a key') ? 'problem',
  true, 'a reading takes no notice of an idempotency key');
select tests.authenticate_as(tests.id('north rosa login'));
select is(tests.faults(tests.read(jsonb_build_object('after', tests.id('north cedar')))), array['after unknown'], 'the list does not go on from a client out of sight');
select tests.clear_authentication();
select is_empty($$ select operation from public.idempotency_keys where organization_id = tests.id('north') and operation ~ '^read' $$, 'and keeps none');
select tests.authenticate_as(tests.id('north admin login'));
select is(tests.faults(tests.read(given.request)), array[given.fault], 'refused: ' || given.fault || ' of ' || left(given.request::text, 60))
from (values
  (jsonb_build_object('ids', '{}'::text[]), 'ids size'), ('{"ids": "x"}', 'ids invalid_type'), ('{"ids": ["x"]}', 'ids invalid_value'),
  (jsonb_build_object('ids', array[tests.id('x'), tests.id('x')]), 'ids invalid_value'), (jsonb_build_object('ids', array_fill(tests.id('x'), array[101])), 'ids size'),
  (tests.ids('north birch') || '{"search": "n"}', 'ids not_allowed'), (jsonb_build_object('after', tests.id('south aspen')), 'after unknown'),
  ('{"limit": 0}', 'limit invalid_value'), ('{"limit": 101}', 'limit invalid_value'), ('{"limit": "5"}', 'limit invalid_value'), ('{"limit": 1.5}', 'limit invalid_value'),
  ('{"fields": []}', 'fields unknown'), ('{"fields": ["organization_id"]}', 'fields unknown'), ('{"fields": "sex"}', 'fields invalid_type'),
  ('{"search": " "}', 'search size'), ('{"search": ["a"]}', 'search required'), (jsonb_build_object('search', repeat('x', 101)), 'search size')) given (request, fault);

-- ---------------------------------------------------------------------------------------------------------
-- Writing
-- ---------------------------------------------------------------------------------------------------------

select is(tests.faults(tests.save(given.change)), given.faults, 'saving ' || left(given.change::text, 70))
from (values
  ('{"full_name": null}'::jsonb, array['full_name required']), ('{"full_name": "  "}', array['full_name invalid_value']),
  (jsonb_build_object('full_name', repeat('x', 10000)), array['full_name invalid_value']), ('{"full_name": ["x"]}', array['full_name invalid_value']),
  ('{"given_name": "a\u0007b"}', array['given_name invalid_value']), ('{"date_of_birth": "1800-01-01"}', array['date_of_birth invalid_value']),
  (jsonb_build_object('date_of_birth', current_date + 2), array['date_of_birth invalid_value']), ('{"date_of_birth": "2019-02-30"}', array['date_of_birth invalid_value']),
  ('{"date_of_birth": "infinity"}', array['date_of_birth invalid_value']), ('{"date_of_birth": 20190101}', array['date_of_birth invalid_value']),
  ('{"sex": "X"}', array['sex invalid_value']), ('{"state": "ZZ"}', array['state invalid_value']), ('{"state": "or"}', array['state invalid_value']),
  ('{"postal_code": "9730"}', array['postal_code invalid_value']), ('{"phone": "503-555-0100"}', array['phone invalid_value']), ('{"city": "X"}', array['city invalid_value']),
  ('{"diagnosis_codes": ["F84.0", "autism", "F84.0", 5]}', array['diagnosis_codes[1] invalid_format', 'diagnosis_codes[2] duplicate', 'diagnosis_codes[3] invalid_format']),
  ('{"diagnosis_codes": "F84.0"}', array['diagnosis_codes size']), (jsonb_build_object('diagnosis_codes', array_fill('F84.0'::text, array[13])), array['diagnosis_codes size']),
  ('{"sex": "X", "state": "ZZ", "phone": ""}', array['sex invalid_value', 'state invalid_value', 'phone invalid_value']),
  (jsonb_build_object('client_id', tests.id('south birch'), 'full_name', 'x'), array['not_found']),
  (jsonb_build_object('client_id', tests.id('nobody'), 'organization_id', tests.id('north'), 'full_name', 'x'), array['not_found']),
  ('{"sex": null, "diagnosis_codes": null, "city": " Bend ", "organization_id": null, "status": "archived", "deleted_at": "2026-01-01"}', array['saved'])) given (change, faults);
select is(
  (tests.read(tests.ids('north birch') || '{"fields": ["sex", "city", "state", "diagnosis_codes"]}') #> '{data,clients,0}') - 'id',
  '{"status": "active", "sex": null, "city": "Bend", "state": "OR", "diagnosis_codes": []}', 'null empties a field, what is not given stays, and the status is not for saving');
select is(tests.faults(public.save_client(jsonb_build_object('organization_id', tests.id('north'), 'sex', 'F'))), array['full_name required'], 'a client has a name');
select is_empty(
  $$ select state from unnest(array['AA', 'AE', 'AP', 'PR', 'GU', 'DC', 'WY', 'MH', 'UM', 'VI', 'NY', 'TX', 'CA']) state where tests.faults(tests.save(jsonb_build_object('state', state))) <> '{saved}' $$,
  'states, the district, territories and the armed forces have a code');

select is(tests.faults(tests.cover(given.change)), given.faults, 'covering with ' || given.change::text)
from (values
  ('{"starts_on": null}'::jsonb, array['starts_on required']), ('{"payer_id": null}', array['payer_id required']), ('{"starts_on": "soon"}', array['starts_on invalid_value']),
  (jsonb_build_object('payer_id', tests.id('nobody')), array['payer_id unknown']), (jsonb_build_object('client_id', tests.id('nobody'), 'organization_id', tests.id('north')), array['not_found']),
  ('{"ends_on": "2025-12-31"}', array['ends_on too_small']), ('{"member_id": "a b"}', array['member_id invalid_value']),
  ('{"relationship_to_subscriber": "aunt"}', array['relationship_to_subscriber invalid_value']),
  ('{"relationship_to_subscriber": "child", "subscriber_given_name": "Pat"}', array['subscriber_family_name required', 'subscriber_date_of_birth required']),
  ('{"relationship_to_subscriber": "self", "subscriber_given_name": "Pat"}', array['subscriber_given_name not_allowed']),
  ('{"member_id": "W123-45", "relationship_to_subscriber": "child", "subscriber_given_name": "Pat", "subscriber_family_name": "Aspen", "subscriber_date_of_birth": "1988-01-02"}', array['saved']),
  ('{"starts_on": "2027-01-01"}', array['starts_on overlap'])) given (change, faults);
select tests.keep('coverage', tests.read(tests.ids('north aspen') || '{"fields": ["coverages"]}') #> '{data,clients,0,coverages}');
select is(
  (tests.kept('coverage') -> 0) - 'id',
  jsonb_build_object('payer_id', tests.id('north payer'), 'starts_on', '2026-01-01', 'ends_on', null, 'member_id', 'W123-45', 'relationship_to_subscriber', 'child',
    'subscriber_given_name', 'Pat', 'subscriber_family_name', 'Aspen', 'subscriber_date_of_birth', '1988-01-02'),
  'a scheduler reads who pays when asking for it');
select is(
  tests.faults(public.save_coverage(jsonb_build_object('client_id', tests.id('north aspen'), 'coverage_id', tests.kept('coverage') #>> '{0,id}', 'ends_on', '2026-12-31'))),
  '{saved}', 'a coverage ends by saving it');
select is(tests.faults(tests.cover('{"starts_on": "2027-01-01"}')), '{saved}', 'and the next begins');
select is(
  tests.faults(public.save_coverage(jsonb_build_object('client_id', tests.id('north birch'), 'coverage_id', tests.kept('coverage') #>> '{0,id}'))),
  '{not_found}', 'a coverage is not another client''s');

select tests.authenticate_as(tests.id('north rosa login'));
select is(array[tests.faults(tests.save('{"city": "Bend"}')), tests.faults(tests.cover('{}'))], array[array['forbidden'], array['forbidden']], 'who treats a client keeps no records');
select tests.clear_authentication();
-- Below the RPC, for whoever writes: the service role, plain SQL.
select throws_ok(format('update public.clients set %s where id = %L', broken.change, tests.id('north birch')), '23514', null, 'nobody writes ' || broken.change)
from unnest(array[
  'full_name = ''''', 'given_name = ''''', 'family_name = ''''', 'date_of_birth = ''1800-01-01''', 'date_of_birth = current_date + 3', 'date_of_birth = ''infinity''', 'sex = ''X''',
  'address_line = ''''', 'city = ''X''', 'state = ''oregon''', 'postal_code = ''1''', 'phone = ''5''', 'diagnosis_codes = ''{autism}''', 'diagnosis_codes = ''{F84.0,null}''', 'diagnosis_codes = ''{F84.0 F90.2}''',
  'diagnosis_codes = array_fill(''F84.0''::text, array[13])']) broken (change);
select throws_ok(format('update public.client_coverages set %s where client_id = %L', broken.change, tests.id('north birch')), '23514', null, 'nobody writes ' || broken.change)
from unnest(array[
  'member_id = ''a b''', 'relationship_to_subscriber = ''aunt''', 'relationship_to_subscriber = ''child''', 'subscriber_given_name = ''Pat''']) broken (change);

-- ---------------------------------------------------------------------------------------------------------
-- Free texts
-- ---------------------------------------------------------------------------------------------------------

create temp table text_reader (login text, of_table text, row_label text, text text);
insert into text_reader values
  ('north rosa login', 'sessions', 'birch session', 'a fever'), ('north rosa login', 'sessions', 'cedar session', null), ('gail login', 'sessions', 'birch session', null),
  ('quinn login', 'sessions', 'cedar session', 'a fever'), ('quinn login', 'sessions', 'birch session', null), ('sofia login', 'sessions', 'cedar session', 'a fever'),
  ('north scheduler login', 'sessions', 'birch session', 'a fever'), ('north scheduler login', 'sessions', 'south session', null), ('paula login', 'sessions', 'birch session', null),
  ('north rosa login', 'availability_exceptions', 'north time off', 'a fever'), ('north theo login', 'availability_exceptions', 'north time off', null),
  ('north theo login', 'availability_exceptions', 'north holiday', 'a retreat'), ('quinn login', 'availability_exceptions', 'north holiday', null),
  ('north admin login', 'availability_exceptions', 'north time off', 'a fever'), ('north scheduler login', 'user_roles', 'north rosa role', null);
create function tests.as_text_reader(reader text_reader) returns jsonb language plpgsql as $$
declare answer jsonb;
begin
  perform tests.authenticate_as(tests.id(reader.login));
  answer := tests.texts(reader.of_table, reader.row_label);
  perform tests.clear_authentication();
  return answer;
end
$$;
update looked_until set id = (select max(id) from audit.events);
create temp table texts_tried as
select login, of_table, row_label, text, tests.as_text_reader(it) as answer, tests.trail(login) as trail from text_reader it;
select is(
  array[coalesce(answer #>> '{data,texts,0,text}', answer #>> '{problem,code}')] || trail,
  array[coalesce(text, 'not_found'), case of_table when 'sessions' then 'text.read ' else 'staff_text.viewed ' end || case when text is null then 'deny not_found ' else 'allow ' end || of_table || ' ' || tests.id(row_label)],
  format('%s %s the text of %s, and it is on record', login, case when text is null then 'does not read' else 'reads' end, row_label))
from texts_tried;
select tests.authenticate_as(tests.id('north admin login'));
select is(tests.faults(tests.texts('clients', 'north birch')), array['table unknown'], 'there is no text of clients');
select tests.clear_authentication();

select * from finish();
rollback;
