-- Event details: what the events of holds and sessions say of the rows.
--
-- Promises
--   * Before and after of every column that changed, stamps and the ledger's own apart; of columns with PHI, only that they
--     changed. These tables have no watch (audit.watch): the ledger's triggers write one event a row as it is.

create function app.withheld_from_events()
returns text[]
language sql
immutable
set search_path = ''
as $$
  select '{cancellation_reason}'::text[]
$$;
comment on function app.withheld_from_events is
  'The columns of sessions and holds that hold PHI: of these, events say only that they changed.';

create function app.change_details(before jsonb, after jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
  -- Who and when is what the event itself says; slots and claims are the ledger's own.
  left_out constant text[] := '{id,organization_id,version,created_at,created_by,updated_at,updated_by,status_changed_at,status_changed_by,slot_id,claim_id,open_offer_to}';
  withheld constant text[] := app.withheld_from_events();
  was jsonb;
  became jsonb;
  hidden jsonb;
begin
  if num_nulls(before, after) = 1 then
    return jsonb_build_object(
      case when before is null then 'after' else 'before' end,
      jsonb_strip_nulls(coalesce(before, after) - left_out - withheld));
  end if;
  select
    jsonb_object_agg(now.key, before -> now.key) filter (where not now.key = any (withheld)),
    jsonb_object_agg(now.key, now.value) filter (where not now.key = any (withheld)),
    jsonb_agg(now.key) filter (where now.key = any (withheld))
  into was, became, hidden
  from jsonb_each(after - left_out) now
  where now.value <> before -> now.key;
  if num_nonnulls(was, hidden) = 0 then
    return null;
  end if;
  return jsonb_build_object('before', was, 'after', became)
    || case when hidden is null then '{}' else jsonb_build_object('withheld', hidden) end;
end
$$;
comment on function app.change_details is
  'Details of an event of a hold or session: before and after of the columns that changed, without PHI; of a new row, or of one '
  'that is gone, all that it has. Null where nothing changed but stamps.';
