// A random world in the database, row by row as its owner would write it.

import type { ReservedSql } from "postgres";
import type { World } from "./oracle.ts";
import { at, DAY_MS, HOUR_MS, type Labelled, type Recipe } from "./random-worlds.ts";

/** Writes the rows of a world on a connection whose transaction is rolled back. */
export async function writeWorld(connection: ReservedSql, world: Labelled, recipe: Recipe): Promise<void> {
  const insert = async (table: string, rows: Record<string, unknown>[]) => {
    if (rows.length > 0) await connection`insert into ${connection(table)} ${connection(rows)}`;
  };
  const actAs = (user: string | null) =>
    connection`select set_config('request.jwt.claims', ${user ? JSON.stringify({ sub: user }) : ""}, true)`;
  const dated = ({ id, organization, startsOn, endsOn }: World["client_guardians"][number]) => ({
    id,
    organization_id: organization,
    starts_on: startsOn,
    ends_on: endsOn,
  });
  const serviceOf = (organization: string | null) =>
    world.services.find((row) => row.organization === organization)?.id;
  const teamServiceOf = (organization: string | null) =>
    world.services.findLast((row) => row.organization === organization)?.id;
  // Everybody's time is their own: no two bookings of a world overlap.
  let hour = 1;
  const time = () => {
    hour += 2;
    return {
      start_time: new Date(world.now.getTime() + hour * HOUR_MS),
      end_time: new Date(world.now.getTime() + (hour + 1) * HOUR_MS),
    };
  };
  const booking = ({ id, organization, therapist }: World["session_groups"][number]) => ({
    id,
    organization_id: organization,
    therapist_id: therapist,
    service_id: serviceOf(organization),
    ...time(),
  });
  const ofClient = ({ id, organization, client }: World["session_teams"][number]) => ({
    id,
    organization_id: organization,
    client_id: client,
  });
  const weekly = { weekday: 1, local_start: "08:00", local_end: "18:00" };
  const hours = { ...weekly, effective_from: "2020-01-01", time_zone: "UTC" };

  await insert(
    "auth.users",
    world.users.map(({ id, banned }) => ({
      id,
      email: `${id}@test.example`,
      banned_until: banned ? new Date(world.now.getTime() + DAY_MS) : null,
    })),
  );
  await insert(
    "auth.sessions",
    world.users.map(({ id }) => ({ id, user_id: id, created_at: world.now })),
  );
  await insert(
    "public.organizations",
    world.organizations.map(({ id, timeZone, requiresMfa }) => ({
      id,
      name: `Clinic ${id}`,
      time_zone: timeZone,
      requires_mfa: requiresMfa,
    })),
  );
  await insert(
    "public.user_roles",
    world.user_roles.map(({ id, organization, user, role, kind, expiresAt, revoked }) => ({
      id,
      organization_id: organization,
      user_id: user,
      role,
      kind,
      reason: kind === "standing" ? null : "Because the test says so.",
      expires_at: expiresAt,
      revoked_at: revoked ? world.now : null,
    })),
  );
  await insert(
    "public.active_organizations",
    world.active_organizations.map(({ id, organization }) => ({
      user_id: id,
      organization_id: organization,
    })),
  );
  await insert(
    "public.therapists",
    world.therapists.map(({ id, organization, user, active }) => ({
      id,
      organization_id: organization,
      user_id: user,
      display_name: "A therapist",
      credential: "BCBA",
      status: active ? "active" : "inactive",
    })),
  );
  await insert(
    "public.clients",
    world.clients.map(({ id, organization }) => ({
      id,
      organization_id: organization,
      full_name: "A client",
    })),
  );
  await insert(
    "public.rooms",
    world.rooms.map(({ id, organization }) => ({ id, organization_id: organization, name: "A room" })),
  );
  await insert(
    "public.services",
    world.services.map(({ id, organization }) => {
      const isTeam = id === teamServiceOf(organization);
      const code = isTeam ? "0373T" : "97154";
      return {
        id,
        organization_id: organization,
        service_code: code,
        name: "Therapy",
        cpt_code: code,
        is_group: !isTeam,
        is_team: isTeam,
      };
    }),
  );
  await insert(
    "public.care_team_assignments",
    world.care_team_assignments.map((row) => ({
      ...dated({ ...row, user: "" }),
      therapist_id: row.therapist,
      client_id: row.client,
      team_role: row.teamRole,
    })),
  );
  await insert(
    "public.supervisions",
    world.supervisions.map((row) => ({
      ...dated({ ...row, client: "", user: "" }),
      supervisor_id: row.supervisor,
      therapist_id: row.therapist,
    })),
  );
  await insert(
    "public.client_guardians",
    world.client_guardians.map((row) => ({
      ...dated(row),
      client_id: row.client,
      user_id: row.user,
      relationship: "parent",
    })),
  );
  await insert(
    "public.payers",
    world.payers.map(({ id, organization }) => ({ id, organization_id: organization, name: "A payer" })),
  );
  const ofPayer = ({ id, organization }: World["payer_rules"][number]) => ({
    id,
    organization_id: organization,
    payer_id: world.payers.find((payer) => payer.organization === organization)?.id,
    starts_on: "2020-01-01",
  });
  await insert("public.payer_rules", world.payer_rules.map(ofPayer));
  await insert(
    "public.payer_modifiers",
    world.payer_modifiers.map((row) => ({ ...ofPayer(row), modifiers: ["HM"] })),
  );
  await insert(
    "public.buffer_rules",
    world.buffer_rules.map(({ id, organization }) => ({
      id,
      organization_id: organization,
      minutes_after: 5,
    })),
  );
  await insert(
    "public.cancellation_rules",
    world.cancellation_rules.map(({ id, organization }) => ({
      id,
      organization_id: organization,
      role: "client",
      minimum_notice_hours: 24,
    })),
  );
  await insert(
    "public.therapist_availability",
    world.therapist_availability.map(({ id, organization, therapist }) => ({
      id,
      organization_id: organization,
      therapist_id: therapist,
      ...hours,
    })),
  );
  await insert(
    "public.client_coverages",
    world.client_coverages.map((row) => ({
      ...ofClient(row),
      payer_id: world.payers.find(({ organization }) => organization === row.organization)?.id,
      starts_on: "2020-01-01",
    })),
  );
  await insert(
    "public.billing_profiles",
    world.billing_profiles.map(({ id, organization }) => ({
      id,
      organization_id: organization,
      legal_name: "A clinic",
      npi: "1234567893",
      tax_id: "123456789",
      taxonomy_code: "103K00000X",
      street: "Street 1",
      town: "Town",
      region: "CA",
      zip: "900010001",
      contact_name: "Who bills",
      contact_number: "5555550100",
      submitter_code: "SENDER",
      receiver_name: "Receiver",
      receiver_code: "RECEIVER",
      starts_on: "2020-01-01",
    })),
  );
  await insert(
    "public.payer_rates",
    world.payer_rates.map((row) => ({ ...ofPayer(row), cpt_code: "97153", unit_cents: 1500 })),
  );
  await insert(
    "public.billing_batches",
    world.billing_batches.map(({ id, organization }) => ({
      id,
      organization_id: organization,
      receiver_code: "RECEIVER",
      control_number: 1,
      usage: "test",
    })),
  );
  await insert(
    "public.billing_cases",
    world.billing_cases.map((row, index) => ({
      ...ofClient(row),
      claim_number: index + 1,
      payer_id: world.payers.find(({ organization }) => organization === row.organization)?.id,
      therapist_id: world.therapists.find(({ organization }) => organization === row.organization)?.id,
      place_of_service: "11",
      month: "2020-01-01",
    })),
  );
  await insert(
    "public.client_preferred_hours",
    world.client_preferred_hours.map((row) => ({ ...ofClient(row), ...hours })),
  );
  await insert(
    "public.availability_exceptions",
    world.availability_exceptions.map(({ id, organization, therapist }) => ({
      id,
      organization_id: organization,
      therapist_id: therapist,
      kind: therapist === null ? "holiday" : "time_off",
      time_zone: "UTC",
      ...time(),
    })),
  );
  await insert(
    "public.consent_forms",
    world.consent_forms.map(({ id, organization, isDraft }) => ({
      id,
      organization_id: organization,
      form_code: isDraft ? "photos" : "telehealth",
      version: 1,
      title: "A form",
      body: "What is agreed to.",
    })),
  );
  const published = world.consent_forms.filter(({ isDraft }) => !isDraft);
  await connection`
    update public.consent_forms set status = 'published' where id in ${connection(published.map(({ id }) => id))}`;
  await insert(
    "public.service_consents",
    world.service_consents.map(({ id, organization }) => ({
      id,
      organization_id: organization,
      service_id: teamServiceOf(organization),
      form_code: "telehealth",
      starts_on: "2020-01-01",
    })),
  );
  await actAs(at(world.users, 0).id);
  await connection`select set_config('request.headers', '{"cf-connecting-ip": "203.0.113.9"}', true)`;
  await insert(
    "public.consent_signatures",
    world.consent_signatures.map((row) => ({
      ...ofClient(row),
      form_id: published.find(({ organization }) => organization === row.organization)?.id,
      typed_name: "A parent",
    })),
  );
  await actAs(null);
  await insert(
    "public.session_series",
    world.session_series.map(({ id, organization, therapist, client }) => ({
      id,
      organization_id: organization,
      therapist_id: therapist,
      client_id: client,
      service_id: serviceOf(organization),
      time_zone: "UTC",
      local_start: "2030-01-01 09:00",
      duration_minutes: 60,
    })),
  );
  await insert(
    "public.session_teams",
    world.session_teams.map((row) => ({
      ...ofClient(row),
      service_id: teamServiceOf(row.organization),
      ...time(),
    })),
  );
  await insert(
    "public.waitlist_entries",
    world.waitlist_entries.map((row) => ({
      ...ofClient(row),
      service_id: serviceOf(row.organization),
      duration_minutes: 60,
      wanted_from: "2030-01-01",
      time_zone: "UTC",
    })),
  );
  const entryOf = (client: string) => world.waitlist_entries.find((row) => row.client === client)?.id;
  await insert(
    "public.waitlist_times",
    world.waitlist_times.map((row) => ({ ...ofClient(row), entry_id: entryOf(row.client), ...weekly })),
  );
  await insert("public.session_groups", world.session_groups.map(booking));
  await insert(
    "public.sessions",
    world.sessions.map((row, index) => {
      const { status, inRoom } = at(recipe.sessions, index);
      return {
        ...booking(row),
        client_id: row.client,
        room_id: inRoom ? world.rooms.find((room) => room.organization === row.organization)?.id : null,
        time_zone: "UTC",
        status,
        cancelled_by: status === "cancelled" ? "clinic" : null,
        actual_start_time: status === "completed" ? booking(row).start_time : null,
        actual_end_time: status === "completed" ? booking(row).end_time : null,
      };
    }),
  );
  await insert(
    "public.billing_lines",
    world.billing_lines.map(({ id, organization, client }) => ({
      id,
      organization_id: organization,
      case_id: world.billing_cases.find((row) => row.client === client)?.id,
      // Void: any number of them may be of one session.
      session_id: world.sessions.find((row) => row.organization === organization)?.id,
      status: "void",
      line_number: 1,
      service_date: "2020-01-01",
      cpt_code: "97153",
      modifiers: [],
      units: 4,
      unit_cents: 1500,
      place_of_service: "11",
    })),
  );
  // Whose a row is, a trigger takes from who is signed in.
  for (const row of world.session_holds) {
    await actAs(row.createdBy);
    const expiry = { batch_key: row.id, expires_at: new Date(world.now.getTime() + 600_000) };
    await insert("public.session_holds", [
      {
        ...booking(row),
        client_id: row.client,
        time_zone: "UTC",
        waitlist_entry_id: row.isOffer ? entryOf(row.client) : null,
        ...expiry,
      },
    ]);
  }
  for (const [index, { id, organization, createdBy }] of world.referrals.entries()) {
    await actAs(createdBy);
    const { client } = at(recipe.referrals, index);
    const accepted = world.clients.filter((row) => row.organization === organization)[client ?? -1];
    const answer = accepted ? { client_id: accepted.id, status: "accepted" } : {};
    await insert("public.referrals", [{ id, organization_id: organization, reference: "R-1", ...answer }]);
  }
  await actAs(null);
  await insert(
    "public.access_alerts",
    world.access_alerts.map(({ id, organization }) => ({
      id,
      organization_id: organization,
      kind: "break_glass",
    })),
  );
  await insert(
    "public.service_accounts",
    world.service_accounts.map(({ id, organization }) => ({
      id,
      organization_id: organization,
      name: "A practice",
      scopes: ["schedule:read"],
    })),
  );
  for (const [index, row] of world.denied_attempts.entries()) {
    const [event] = await connection`
      insert into audit.events (organization_id, action, decision, code)
      values (${row.organization}, 'rpc.archive_client', 'deny', 'forbidden')
      returning id`;
    row.id = String(event?.id);
    world.labels.set(row.id, `denied_attempts ${index}`);
  }
}
