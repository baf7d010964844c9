-- What is put on record: the types of events, and every change of a tenant's rows.
--
-- Promises
--   * An event whose type is not named here, or by a later migration, is not written: audit.add_event_types.
--   * Every tenant table is watched (audit.watch), or its changes are on record as what they mean: hold.*, session.*, role.*.
--   * What a watched row was and became is kept but for PHI: of columns whose comment begins with "PHI:", only that they
--     changed. Which columns these are is settled when the trigger is made, not at run time.

select audit.add_event_types($$ {
  "access.break_glass": "A role was taken for an emergency.",
  "access_report.read": "It was read who read a client's record.",
  "authorization.overridden": "More was booked than was authorized, on purpose.",
  "authorization.read": "Authorizations were read, with their numbers.",
  "availability.overridden": "A booking outside of working hours, on purpose.",
  "availability.set": "A therapist's weekly hours were set.",
  "billing_batch.read": "All that a file of claims says was read.",
  "charge.mue_overridden": "A limit of units was exceeded, on purpose.",
  "client.archived": "A client was archived.",
  "client.read": "A client's record was read, or asked for by who may not.",
  "consent.read": "Consents were read, with the signers' names.",
  "consent.signed": "A consent was signed.",
  "consent.terminated": "A consent was ended.",
  "document.deleted": "A document was deleted: hidden, its object stays.",
  "document.read": "A link to a document was given.",
  "document.requested": "A document was announced.",
  "document.stored": "A document was uploaded.",
  "document_list.read": "The documents of a client were listed, with their titles.",
  "evv.read": "The records of visits were read, with where they were.",
  "extra_hours.cancelled": "Extra hours were taken back.",
  "extra_hours.entered": "Extra hours were entered.",
  "hold.confirmed": "A hold became a session.",
  "hold.created": "Time was held.",
  "hold.expired": "A hold ran out.",
  "hold.held": "A hold was taken up again.",
  "hold.released": "A hold was given back.",
  "holiday.cancelled": "A holiday was taken back.",
  "holiday.entered": "A holiday was entered.",
  "note.cosigned": "A note was co-signed.",
  "note.read": "A note was read.",
  "note.released": "A summary was released to the family.",
  "note.saved": "A draft of a note was saved.",
  "note.signed": "A note was signed.",
  "note.unreadable": "A note did not open.",
  "note_key.destroyed": "The key of a client's notes was destroyed.",
  "note_key.made": "The key of a client's notes was made.",
  "note_key.proposed": "The key of a client's notes is to be destroyed, if a second admin agrees.",
  "partner.call": "A partner's call of no known operation.",
  "partner.enrol": "A partner referred somebody.",
  "partner.schedule": "A partner read the schedule of its referrals.",
  "reference.loaded": "Reference data was loaded.",
  "role.changed": "A grant of a role was changed.",
  "role.granted": "A role was granted.",
  "role.revoked": "A role was revoked.",
  "row.deleted": "A row was deleted.",
  "row.inserted": "A row was added.",
  "row.updated": "A row was changed.",
  "rpc.acknowledge_alert": "A call was refused.",
  "rpc.add_exception": "A call was refused.",
  "rpc.answer_offer": "A call was refused.",
  "rpc.archive_client": "A call was refused.",
  "rpc.attach_sessions": "A call was refused.",
  "rpc.create_billing_batch": "A call was refused.",
  "rpc.export_billing_batch": "A call was refused.",
  "rpc.read_billing_batch": "A call was refused.",
  "rpc.rebill_case": "A call was refused.",
  "rpc.settle_case": "A call was refused.",
  "rpc.void_case": "A call was refused.",
  "rpc.break_glass": "A call was refused.",
  "rpc.cancel_exception": "A call was refused.",
  "rpc.cancel_sessions": "A call was refused.",
  "rpc.client_access_report": "A call was refused.",
  "rpc.close_authorization": "A call was refused.",
  "rpc.complete_session": "A call was refused.",
  "rpc.confirm_sessions": "A call was refused.",
  "rpc.correct_attendance": "A call was refused.",
  "rpc.create_service_account": "A call was refused.",
  "rpc.evv_records": "A call was refused.",
  "rpc.find_open_times": "A call was refused.",
  "rpc.hold_sessions": "A call was refused.",
  "rpc.join_slot": "A call was refused.",
  "rpc.read_authorization_alerts": "A call was refused.",
  "rpc.join_waitlist": "A call was refused.",
  "rpc.leave_waitlist": "A call was refused.",
  "rpc.list_no_show_candidates": "A call was refused.",
  "rpc.mark_no_show": "A call was refused.",
  "rpc.override_mue": "A call was refused.",
  "rpc.read_access_alerts": "A call was refused.",
  "rpc.move_session": "A call was refused.",
  "rpc.preview_sessions": "A call was refused.",
  "rpc.read_authorizations": "A call was refused.",
  "rpc.read_clients": "A call was refused.",
  "rpc.save_authorization": "A call was refused.",
  "rpc.read_consents": "A call was refused.",
  "rpc.read_texts": "A call was refused.",
  "rpc.revoke_service_account": "A call was refused.",
  "rpc.rotate_service_account_token": "A call was refused.",
  "rpc.save_client": "A call was refused.",
  "rpc.save_coverage": "A call was refused.",
  "rpc.set_availability": "A call was refused.",
  "rpc.set_place_of_service": "A call was refused.",
  "rpc.sign_consent": "A call was refused.",
  "rpc.start_session": "A call was refused.",
  "rpc.substitute_therapist": "A call was refused.",
  "rpc.swap_sessions": "A call was refused.",
  "rpc.terminate_consent": "A call was refused.",
  "rpc.update_series": "A call was refused.",
  "rpc.read_attendance": "A call was refused.",
  "rpc.read_cancellations": "A call was refused.",
  "rpc.read_utilization": "A call was refused.",
  "rpc.read_authorization_units": "A call was refused.",
  "rpc.read_unbilled_sessions": "A call was refused.",
  "rpc.read_missing_notes": "A call was refused.",
  "rpc.supervision_months": "A call was refused.",
  "rpc.prepare_note": "A call was refused.",
  "rpc.save_note": "A call was refused.",
  "rpc.read_note": "A call was refused.",
  "rpc.sign_note": "A call was refused.",
  "rpc.cosign_note": "A call was refused.",
  "rpc.find_notes_to_cosign": "A call was refused.",
  "rpc.release_summary": "A call was refused.",
  "rpc.report_unreadable_note": "A call was refused.",
  "rpc.destroy_client_key": "A call was refused.",
  "rpc.request_document": "A call was refused.",
  "rpc.finish_document": "A call was refused.",
  "rpc.find_documents": "A call was refused.",
  "rpc.read_document": "A call was refused.",
  "rpc.delete_document": "A call was refused.",
  "series.updated": "A series was changed from a date on.",
  "service_account.created": "A service account was made.",
  "service_account.revoked": "A service account was ended.",
  "service_account.rotated": "A service account was given a new token.",
  "session.cancelled": "A session was cancelled.",
  "session.completed": "A session took place.",
  "session.corrected": "What was marked of a session was corrected.",
  "session.moved": "A session was given other people, another room or another time.",
  "session.no_show": "The client did not come to a session.",
  "session.scheduled": "A session was booked.",
  "session.started": "A session began.",
  "staff_text.viewed": "A free text about staff was read: a note of time off, or why a role was given.",
  "text.read": "Why a session was cancelled was read, or asked for by who may not.",
  "time_off.cancelled": "Time off was taken back.",
  "time_off.entered": "Time off was entered.",
  "trail.continued": "The trail goes on in another cluster.",
  "waitlist.booked": "An offer was accepted.",
  "waitlist.joined": "A client was put on the waitlist.",
  "waitlist.offered": "Freed time was offered.",
  "waitlist.withdrawn": "A client was taken off the waitlist."
} $$);

-- ---------------------------------------------------------------------------------------------------------
-- Rows
-- ---------------------------------------------------------------------------------------------------------

create function app.record_row_change()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
  before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) else '{}' end;
  after jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) else '{}' end;
  now_or_then jsonb := case when tg_op = 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
  changed text[];
  shown text[];
begin
  changed := array(
    select named
    from unnest(tg_argv[0]::text[] || tg_argv[1]::text[]) named
    where coalesce(before -> named, 'null') <> coalesce(after -> named, 'null'));
  if tg_op = 'UPDATE' and changed = '{}' then
    return null;
  end if;
  shown := array(select named from unnest(changed) named where named = any (tg_argv[0]::text[]));
  insert into audit.events (organization_id, action, table_name, row_id, details)
  values (
    coalesce(now_or_then ->> 'organization_id', now_or_then ->> 'id')::uuid,
    case tg_op when 'INSERT' then 'row.inserted' when 'UPDATE' then 'row.updated' else 'row.deleted' end,
    tg_table_name, (now_or_then ->> 'id')::uuid,
    jsonb_strip_nulls(jsonb_build_object(
      -- Which row it was, where its key is not an id.
      'key', (select jsonb_object_agg(named, now_or_then -> named) from unnest(tg_argv[2]::text[]) named),
      'withheld', (select jsonb_agg(named) from unnest(changed) named where named = any (tg_argv[1]::text[]))))
    || case when tg_op = 'INSERT' or shown = '{}' then '{}' else jsonb_build_object(
      'before', (select jsonb_object_agg(named, before -> named) from unnest(shown) named)) end
    || case when tg_op = 'DELETE' or shown = '{}' then '{}' else jsonb_build_object(
      'after', (select jsonb_object_agg(named, after -> named) from unnest(shown) named)) end);
  return null;
end
$$;
comment on function app.record_row_change is
  'Puts a change of a row on record: before and after of the columns in its first argument, and only that they changed of '
  'those in the second; the third is the key. Made by audit.watch. Definer: nobody writes audit.events.';

create function audit.watch(target regclass, variadic left_out text[] default '{}')
returns void
language plpgsql
set search_path = ''
as $$
declare
  -- Who and when is what the event itself says.
  stamps constant text[] := array['created_at', 'created_by', 'updated_at', 'updated_by', 'status_changed_at',
    'status_changed_by', 'version', 'organization_id'];
  shown text[];
  withheld text[];
  key text[];
begin
  select
    coalesce(pg_catalog.array_agg(it.attname order by it.attnum) filter (where not it.is_phi), '{}'),
    coalesce(pg_catalog.array_agg(it.attname order by it.attnum) filter (where it.is_phi), '{}')
  into shown, withheld
  from (
    select attribute.attname::text as attname, attribute.attnum,
      coalesce(pg_catalog.col_description(target, attribute.attnum) ~ '^PHI: ', false) as is_phi
    from pg_catalog.pg_attribute attribute
    where attribute.attrelid = target and attribute.attnum > 0 and not attribute.attisdropped
      and attribute.attname <> all (stamps || left_out || 'id'::text)
  ) it;
  key := array(
    select attribute.attname::text
    from pg_catalog.pg_index index
    join pg_catalog.pg_attribute attribute on attribute.attrelid = target and attribute.attnum = any (index.indkey)
    where index.indrelid = target and index.indisprimary and attribute.attname not in ('id', 'organization_id')
    order by attribute.attnum);
  execute pg_catalog.format(
    'create or replace trigger watch_row after insert or update or delete on %s for each row execute function app.record_row_change(%L, %L, %L)',
    target, shown, withheld, key);
end
$$;
comment on function audit.watch is
  'Used by migrations only: puts the changes of a table''s rows on record, but for the columns that are left out. To be called '
  'after the columns of the table are commented, and again after one is added.';

select audit.watch('public.organizations');
select audit.watch('public.active_organizations');
select audit.watch('public.therapists');
select audit.watch('public.clients');
select audit.watch('public.rooms');
select audit.watch('public.care_team_assignments');
select audit.watch('public.supervisions');
select audit.watch('public.client_guardians');
select audit.watch('public.services');
select audit.watch('public.payers');
select audit.watch('public.payer_rules');
select audit.watch('public.payer_modifiers');
select audit.watch('public.client_coverages');
-- Its balances are the sum of the entries.
select audit.watch('public.authorizations', 'reserved_units', 'scheduled_units', 'used_units', 'overridden_units');
select audit.watch('public.billing_profiles');
select audit.watch('public.payer_rates');
select audit.watch('public.billing_batches');
select audit.watch('public.billing_cases');
select audit.watch('public.billing_lines');
select audit.watch('public.therapist_availability');
select audit.watch('public.client_preferred_hours');
select audit.watch('public.availability_exceptions');
select audit.watch('public.buffer_rules');
select audit.watch('public.session_series');
select audit.watch('public.waitlist_entries');
select audit.watch('public.waitlist_times');
select audit.watch('public.cancellation_rules');
select audit.watch('public.attendance_marks');
-- A form's text is fifty pages at most, and stays once it is published.
select audit.watch('public.consent_forms', 'body');
select audit.watch('public.consent_signatures');
select audit.watch('public.service_consents');
-- Wrapped or not, a key is no place for the trail.
select audit.watch('public.client_keys', 'wrapped_key');
select audit.watch('public.session_notes');
select audit.watch('public.session_note_versions');
select audit.watch('public.documents');
-- The reference is the partner's own word, whatever it puts there.
select audit.watch('public.referrals', 'reference');
select audit.watch('public.access_alerts');
select audit.watch('public.access_thresholds');
