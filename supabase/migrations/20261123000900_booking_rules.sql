-- Booking rules: who may book whom, and what hold, confirm and cancel check in common.

create type app.occurrence as (
  index integer,
  start_time timestamptz,
  end_time timestamptz,
  start_time_offset_minutes integer,
  end_time_offset_minutes integer
);

-- ---------------------------------------------------------------------------------------------------------
-- Who, and at which times
-- ---------------------------------------------------------------------------------------------------------

create function app.may_book(organization uuid, therapist uuid)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  return organization = any (app.org_ids_with_permission('book_any_session'))
    or (therapist = any (app.my_therapist_ids())
      and organization = any (app.org_ids_with_permission('book_own_sessions')));
end
$$;
comment on function app.may_book is 'Whether the caller may book, move or cancel sessions of the therapist.';

create function app.check_client(organization uuid, client_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  -- Each asked by itself, the cheapest first: within a query each would be asked through the executor.
  if organization = any (app.org_ids_with_role('internal_ops', 'admin')) then
    if exists (select from public.clients it where it.organization_id = organization and it.id = client_id) then
      return;
    end if;
  end if;
  if not client_id = any (app.my_client_ids()) then
    if client_id = any (app.guarded_client_ids()) then
      perform app.refuse('forbidden', 'This is for the clinic to do for the client.');
    end if;
    perform app.refuse('not_found', 'There is no such client.');
  end if;
end
$$;
comment on function app.check_client is 'Refuses a client whom the caller does not know, or knows as family only.';

create function app.check_caller(organization uuid, therapist_id uuid, client_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not exists (
    select from public.therapists it where it.organization_id = organization and it.id = therapist_id)
  then
    perform app.refuse('not_found', 'There is no such therapist.');
  end if;
  perform app.check_client(organization, client_id);
  if not app.may_book(organization, therapist_id) then
    perform app.refuse('forbidden', 'You may not book sessions of this therapist.');
  end if;
end
$$;
comment on function app.check_caller is 'Refuses a caller who may not book this therapist with this client.';

create function app.refuse_missing_consents(forms text[])
returns void
language plpgsql
immutable
set search_path = ''
as $$
begin
  perform app.refuse('consent_required', 'The service asks for consents that are not signed for this client.',
    jsonb_build_object('forms', to_jsonb(forms)));
end
$$;
comment on function app.refuse_missing_consents is 'Refuses a booking for want of live consents, naming the forms.';

create function app.check_parties(
  organization uuid, therapist_id uuid, client_id uuid, service public.services, moments timestamptz[]
)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  zone text;
  therapist_status text;
  credential text;
  client_status text;
  assigned datemultirange := app.days_on_care_team(organization, check_parties.therapist_id, check_parties.client_id);
  unsigned text[] := app.missing_consents(organization, check_parties.client_id, service.id);
begin
  select clinic.time_zone, therapist.status, therapist.credential, client.status
  into zone, therapist_status, credential, client_status
  from public.organizations clinic
  left join public.therapists therapist
    on therapist.organization_id = clinic.id and therapist.id = check_parties.therapist_id
  left join public.clients client on client.organization_id = clinic.id and client.id = check_parties.client_id
  where clinic.id = organization;
  if therapist_status <> 'active' then
    perform app.refuse_field('therapist_id', 'inactive', 'This therapist takes no sessions.');
  end if;
  if client_status <> 'active' then
    perform app.refuse_field('client_id', 'archived', 'This client is archived.');
  end if;
  if not credential = any (service.credentials) then
    perform app.refuse_field('therapist_id', 'not_qualified', 'The service asks for another credential.');
  end if;
  -- Before the care team, which a substitution may see to.
  if unsigned <> '{}' then
    perform app.refuse_missing_consents(unsigned);
  end if;
  if exists (select from unnest(moments) moment where not assigned @> (moment at time zone zone)::date) then
    perform app.refuse_field('client_id', 'not_assigned', 'The therapist is not on this client''s care team on that day.');
  end if;
end
$$;
comment on function app.check_parties is
  'Refuses a therapist or client that cannot be booked for the service at these moments, whoever asks. Called again at '
  'confirm.';

create function app.check_time_zone(time_zone text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if not exists (select from app.time_zones known where known.name = time_zone) then
    perform app.refuse_field('time_zone', 'unknown', 'Not an IANA time zone name.');
  end if;
end
$$;
comment on function app.check_time_zone is 'Refuses what is no IANA time zone.';

create function app.check_room(organization uuid, room_id uuid)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if room_id is not null
    and not exists (select from public.rooms it where it.organization_id = organization and it.id = room_id)
  then
    perform app.refuse('not_found', 'There is no such room.');
  end if;
end
$$;
comment on function app.check_room is 'Refuses a room that is not the organization''s. No room is one, too.';

create function app.field_of(occurrence integer, field text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
  return case when occurrence is null then field else format('occurrences[%s].%s', occurrence, field) end;
end
$$;
comment on function app.field_of is
  'How a request names a field of an occurrence: a time without a number stands in the request itself.';

create function app.check_offsets(occurrences app.occurrence[], time_zone text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  wrong jsonb;
begin
  select jsonb_agg(jsonb_build_object(
    'field', app.field_of(checked.index, checked.field),
    'code', 'offset_mismatch',
    'message', 'Not the offset of the time zone at that instant.',
    'expected', checked.expected) order by checked.index, checked.field desc)
  into wrong
  from (
    select occurrence.index, side.field, side.given, app.utc_offset_minutes(side.moment, time_zone) as expected
    from unnest(occurrences) occurrence
    cross join lateral (values
      ('start_time_offset_minutes', occurrence.start_time_offset_minutes, occurrence.start_time),
      ('end_time_offset_minutes', occurrence.end_time_offset_minutes, occurrence.end_time)
    ) as side (field, given, moment)
  ) checked
  where checked.given is distinct from checked.expected;

  if wrong is not null then
    perform app.refuse('offset_mismatch', 'An offset is not what the time zone says at that instant.',
      jsonb_build_object('errors', wrong));
  end if;
end
$$;
comment on function app.check_offsets is
  'Refuses offsets (minutes east of UTC) that the IANA zone does not observe at that instant: the app and the '
  'database would show different wall clocks.';
