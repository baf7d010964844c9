-- Booking rules: what hold, confirm and cancel check in common, and what they offer instead.
--
-- Promises
--   * What a booking is refused for names the blocker's kind, until when, and the nearest bookable times; never who.
--   * What is offered can be held.

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

create function app.check_parties(organization uuid, therapist_id uuid, client_id uuid, moments timestamptz[])
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  therapist public.therapists;
  client public.clients;
  zone text := (select clinic.time_zone from public.organizations clinic where clinic.id = organization);
begin
  select * into therapist from public.therapists it where it.organization_id = organization and it.id = therapist_id;
  select * into client from public.clients it where it.organization_id = organization and it.id = client_id;
  if client.id is null
    or not (client.id = any (app.my_client_ids())
      or organization = any (app.org_ids_with_role('internal_ops', 'admin')))
  then
    perform app.refuse('not_found', 'There is no such client.');
  end if;
  if not app.may_book(organization, therapist_id) then
    perform app.refuse('forbidden', 'You may not book sessions of this therapist.');
  end if;
  if therapist.status <> 'active' then
    perform app.refuse_field('therapist_id', 'inactive', 'This therapist takes no sessions.');
  end if;
  if client.status <> 'active' then
    perform app.refuse_field('client_id', 'archived', 'This client is archived.');
  end if;
  if exists (
    select
    from unnest(moments) moment
    where not app.is_on_care_team(organization, therapist_id, client_id, (moment at time zone zone)::date))
  then
    perform app.refuse_field('client_id', 'not_assigned', 'The therapist is not on this client''s care team on that day.');
  end if;
end
$$;
comment on function app.check_parties is
  'Refuses a therapist or client that cannot be booked at these moments by this caller. Called again at confirm.';

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
    'field', format('occurrences[%s].%s', checked.index, checked.field),
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

-- ---------------------------------------------------------------------------------------------------------
-- Conflicts and alternatives
-- ---------------------------------------------------------------------------------------------------------

create function app.wanted_claims(
  organization uuid, therapist_id uuid, client_id uuid, room_id uuid, client_lane smallint, slot_id uuid,
  start_time timestamptz, end_time timestamptz
)
returns public.calendar_claims[]
language plpgsql
immutable
set search_path = ''
as $$
begin
  return app.claims_of(
    slot_id, 'session', organization, therapist_id, client_id, room_id, client_lane,
    tstzrange(start_time, end_time), slot_id, null);
end
$$;
comment on function app.wanted_claims is 'What a booking would claim, for asking what stands in its way.';

create function app.conflict_code(conflicts jsonb)
returns text
language sql
immutable
set search_path = ''
as $$
  select case
    when conflicts -> 0 ->> 'subject' = 'therapist' and conflicts -> 0 ->> 'kind' in ('time_off', 'buffer')
      then 'therapist_unavailable'
    else (conflicts -> 0 ->> 'subject') || '_conflict'
  end
$$;
comment on function app.conflict_code is 'The problem code of the first conflict.';

create function app.retry_after(conflicts jsonb)
returns integer
language sql
stable
set search_path = ''
as $$
  select case when bool_and(conflict ->> 'kind' = 'hold') then greatest(1, ceil(extract(epoch from
    max((conflict ->> 'until')::timestamptz) - clock_timestamp()))::integer) end
  from jsonb_array_elements(conflicts) conflict
$$;
comment on function app.retry_after is 'Seconds until the last blocking hold ends; null when anything but holds is in the way.';

create function app.nearest_bookable_times(
  wanted public.calendar_claims[], besides tstzmultirange, how_many integer default 3
)
returns table (start_time timestamptz, end_time timestamptz)
language plpgsql
stable
set search_path = ''
as $$
declare
  organization uuid := wanted[1].organization_id;
  therapist uuid := (select want.subject_id from unnest(wanted) want where want.subject_kind = 'therapist');
  client uuid := (select want.subject_id from unnest(wanted) want where want.subject_kind = 'client');
  zone text := (select clinic.time_zone from public.organizations clinic where clinic.id = organization);
begin
  return query
  with want as (
    select lower(wanted[1].during) as start_time, upper(wanted[1].during) - lower(wanted[1].during) as length
  ),
  gap as (
    select range.lower_bound, range.upper_bound - want.length as last_start
    from want
    cross join lateral unnest(app.open_time(wanted, tstzrange(
      greatest(want.start_time - interval '7 days', date_bin('5 minutes', clock_timestamp(), 'epoch') + interval '5 minutes'),
      want.start_time + interval '7 days' + want.length)) - besides) as open (during)
    cross join lateral (values (lower(open.during), upper(open.during))) as range (lower_bound, upper_bound)
    where range.upper_bound - range.lower_bound >= want.length
  ),
  -- In each gap the start nearest to the wanted one, and its neighbours at the session's own length.
  candidate as (
    select nearest.start_time + step.number * want.length as start_time
    from want
    cross join gap
    cross join lateral (values (least(greatest(want.start_time, gap.lower_bound), gap.last_start))) as nearest (start_time)
    cross join generate_series(1 - how_many, how_many - 1) as step (number)
    where nearest.start_time + step.number * want.length between gap.lower_bound and gap.last_start
  )
  select candidate.start_time, candidate.start_time + want.length
  from candidate
  cross join want
  where app.is_on_care_team(organization, therapist, client, (candidate.start_time at time zone zone)::date)
  order by abs(extract(epoch from candidate.start_time - want.start_time)), candidate.start_time
  limit how_many;
end
$$;
comment on function app.nearest_bookable_times is
  'The open times of the same length nearest to the wanted one, within seven days either way, not in the past, and on '
  'days when the therapist is on the client''s care team, nor in the times besides.';

create function app.alternatives(
  wanted public.calendar_claims[], occurrence integer, besides tstzmultirange default '{}'
)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return coalesce(
    (select jsonb_agg(jsonb_build_object(
        'occurrence', occurrence, 'start_time', open.start_time, 'end_time', open.end_time))
      from app.nearest_bookable_times(wanted, besides) open),
    '[]');
end
$$;
comment on function app.alternatives is 'Nearest bookable times of an occurrence, as the wire has them.';
