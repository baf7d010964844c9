// Who may see and change which rows, as plain TypeScript over plain rows: the table of roles of the design, written
// down a second time and without a look at the policies, so that model.test.ts can compare the two.

import type { Role } from "../../../src/lib/guards.ts";

/** A row of any table: `organization` is null where no tenant owns it. */
export interface Row {
  id: string;
  organization: string | null;
}
interface Dated extends Row {
  startsOn: string;
  endsOn: string | null;
}
interface OfTherapist extends Row {
  therapist: string;
}
interface OfClient extends Row {
  client: string;
}
interface OfTeam extends OfTherapist, OfClient {}

export interface World {
  now: Date;
  users: { id: string; banned: boolean }[];
  organizations: (Row & { timeZone: string; requiresMfa: boolean })[];
  user_roles: (Row & {
    user: string;
    role: Role;
    kind: "standing" | "temporary" | "break_glass";
    expiresAt: Date | null;
    revoked: boolean;
  })[];
  /** Its id is the user's. */
  active_organizations: Row[];
  therapists: (Row & { user: string | null; active: boolean })[];
  clients: Row[];
  rooms: Row[];
  services: Row[];
  care_team_assignments: (OfTeam & Dated & { teamRole: "therapist" | "supervisor" | "psychiatrist" })[];
  supervisions: (OfTherapist & Dated & { supervisor: string })[];
  client_guardians: (Dated & { client: string; user: string })[];
  payers: Row[];
  payer_rules: Row[];
  payer_modifiers: Row[];
  client_coverages: OfClient[];
  billing_profiles: Row[];
  payer_rates: Row[];
  billing_batches: Row[];
  billing_cases: OfClient[];
  billing_lines: OfClient[];
  therapist_availability: OfTherapist[];
  client_preferred_hours: OfClient[];
  /** A holiday is nobody's. */
  availability_exceptions: (Row & { therapist: string | null })[];
  buffer_rules: Row[];
  cancellation_rules: Row[];
  consent_forms: (Row & { isDraft: boolean })[];
  consent_signatures: OfClient[];
  service_consents: Row[];
  /** Of a therapist with a client; of a therapist's groups; of a client's teams. */
  session_series: (Row & { therapist: string | null; client: string | null })[];
  session_groups: OfTherapist[];
  session_teams: OfClient[];
  sessions: (OfTeam & { isOver: boolean; isDelivered: boolean })[];
  /** Named by the session and the kind of the charge. */
  session_charges: OfTeam[];
  /** `isOffer`: of the waitlist, to the client's family. */
  session_holds: (OfTeam & { createdBy: string; isOffer: boolean })[];
  waitlist_entries: OfClient[];
  /** With the client of their entry. */
  waitlist_times: OfClient[];
  referrals: (Row & { createdBy: string })[];
  access_alerts: Row[];
  /** Its id is the organization's. */
  access_thresholds: Row[];
  service_accounts: Row[];
  /** Its rows are events of audit.events. */
  denied_attempts: Row[];
}

/** Whose request it is: what PostgREST knows from the token. */
export interface Token {
  user: string;
  aal: "aal1" | "aal2";
  /** The claim org_id. */
  organization: string | null;
}

/** Ids by table. `change` has no entry for a table that nobody may change, or not by an UPDATE. */
export interface Access {
  see: Record<string, string[]>;
  change: Record<string, string[]>;
}

export function allowed(world: World, token: Token): Access {
  const me = token.user;
  const banned = world.users.some((user) => user.id === me && user.banned);

  // Roles: what is over is over at once; the claim org_id narrows; break-glass is an operator's, and ends with that.
  const held = world.user_roles.filter(
    ({ user, revoked, expiresAt }) =>
      user === me && !revoked && (expiresAt === null || expiresAt > world.now),
  );
  const live = banned ? [] : held;
  const isOperator = live.some(({ role, organization }) => role === "super_admin" && organization === null);
  const active = live.filter(
    ({ organization, kind }) =>
      (token.organization === null || token.organization === organization) &&
      (kind !== "break_glass" || isOperator),
  );
  const is = (row: Row, ...roles: Role[]) =>
    row.organization !== null &&
    active.some(({ organization, role }) => organization === row.organization && roles.includes(role));
  const isAdmin = (row: Row) => is(row, "admin");
  /** Admins see everything of their organization; under break-glass an operator reads its records. */
  const reads = (row: Row, ...roles: Role[]) => is(row, "admin", "super_admin", ...roles);
  const runsThePlatform = isOperator && token.aal === "aal2";

  // A second factor: demanded by the organization, or by the role of an operator in it; a ban does not lift it.
  const isLocked = ({ organization }: Row) =>
    token.aal === "aal1" &&
    held.some(
      (row) =>
        row.organization !== null &&
        row.organization === organization &&
        (row.role === "super_admin" || find(world.organizations, organization).requiresMfa),
    );

  // People: dates are days of the organization, first and last included.
  const isNow = ({ organization, startsOn, endsOn }: Dated) => {
    const today = dayIn(find(world.organizations, organization).timeZone, world.now);
    return startsOn <= today && (endsOn === null || today <= endsOn);
  };
  const mine = world.therapists.filter(({ user, active }) => user === me && active);
  const isMe = (therapist: string, ...roles: Role[]) =>
    mine.some((row) => row.id === therapist && is(row, ...roles));
  const delivers = (therapist: string) => isMe(therapist, "therapist", "supervisor");
  const isSupervised = (therapist: string) =>
    world.supervisions.some(
      (row) => row.therapist === therapist && isNow(row) && isMe(row.supervisor, "supervisor"),
    );
  const isOnCaseload = (therapist: string) => delivers(therapist) || isSupervised(therapist);
  const isReviewed = (client: string) =>
    world.care_team_assignments.some(
      (row) =>
        row.client === client &&
        row.teamRole === "psychiatrist" &&
        isNow(row) &&
        isMe(row.therapist, "psychiatrist"),
    );
  const isMyClient = (client: string) =>
    isReviewed(client) ||
    world.care_team_assignments.some(
      (row) => row.client === client && isNow(row) && isOnCaseload(row.therapist),
    );
  const standsFor = (client: string) =>
    world.client_guardians.some(
      (row) => row.client === client && row.user === me && isNow(row) && is(row, "client") && !isLocked(row),
    );

  /** Scheduling is for who delivers sessions and who plans them; a psychiatrist reads records. */
  const schedules = (row: Row) => reads(row, "therapist", "supervisor", "internal_ops");
  const isOfTeam = (row: OfClient) => reads(row, "internal_ops") || isMyClient(row.client);

  const everyRole = [...MEMBERS, "admin"] as const;
  const unlocked = <R extends Row>(rows: R[], may: (row: R) => boolean) =>
    rows.filter((row) => !isLocked(row) && may(row)).map(({ id }) => id);

  return {
    see: {
      // Which organizations there are for the user is no secret, nor a matter of the second factor.
      organizations: ids(world.organizations, (row) => is(row, ...everyRole) || runsThePlatform),
      active_organizations: ids(world.active_organizations, ({ id }) => id === me && !banned),
      user_roles: unlocked(world.user_roles, (row) => (row.user === me && !banned) || isAdmin(row)),
      therapists: unlocked(world.therapists, (row) => reads(row, ...STAFF)),
      services: unlocked(world.services, (row) => reads(row, ...STAFF)),
      rooms: unlocked(world.rooms, schedules),
      payers: unlocked(world.payers, schedules),
      payer_rules: unlocked(world.payer_rules, schedules),
      payer_modifiers: unlocked(world.payer_modifiers, schedules),
      buffer_rules: unlocked(world.buffer_rules, schedules),
      cancellation_rules: unlocked(world.cancellation_rules, (row) => schedules(row) || is(row, "client")),
      service_consents: unlocked(world.service_consents, (row) => schedules(row) || is(row, "client")),
      consent_forms: unlocked(world.consent_forms, (row) =>
        row.isDraft ? reads(row) : reads(row, "client", ...STAFF),
      ),
      consent_signatures: unlocked(world.consent_signatures, (row) => isOfTeam(row) || standsFor(row.client)),
      // What somebody's insurance is, treatment need not know.
      client_coverages: unlocked(world.client_coverages, (row) => reads(row, "internal_ops")),
      billing_profiles: unlocked(world.billing_profiles, (row) => reads(row, "internal_ops")),
      payer_rates: unlocked(world.payer_rates, (row) => reads(row, "internal_ops")),
      billing_batches: unlocked(world.billing_batches, (row) => reads(row, "internal_ops")),
      billing_cases: unlocked(world.billing_cases, (row) => reads(row, "internal_ops")),
      billing_lines: unlocked(world.billing_lines, (row) => reads(row, "internal_ops")),
      client_preferred_hours: unlocked(world.client_preferred_hours, isOfTeam),
      therapist_availability: unlocked(
        world.therapist_availability,
        (row) => reads(row, "internal_ops") || isOnCaseload(row.therapist),
      ),
      availability_exceptions: unlocked(world.availability_exceptions, (row) =>
        row.therapist === null ? schedules(row) : reads(row, "internal_ops") || isOnCaseload(row.therapist),
      ),
      session_series: unlocked(
        world.session_series,
        ({ therapist, client, ...row }) =>
          reads(row, "internal_ops") ||
          (client !== null && isReviewed(client)) ||
          (therapist === null ? client !== null && isMyClient(client) : isOnCaseload(therapist)),
      ),
      session_teams: unlocked(world.session_teams, isOfTeam),
      waitlist_entries: unlocked(world.waitlist_entries, (row) => isOfTeam(row) || standsFor(row.client)),
      waitlist_times: unlocked(world.waitlist_times, (row) => isOfTeam(row) || standsFor(row.client)),
      clients: unlocked(world.clients, (row) => reads(row, "internal_ops") || isMyClient(row.id)),
      care_team_assignments: unlocked(
        world.care_team_assignments,
        (row) => reads(row, "internal_ops") || isOnCaseload(row.therapist) || isMyClient(row.client),
      ),
      supervisions: unlocked(
        world.supervisions,
        (row) =>
          reads(row, "internal_ops") || [row.supervisor, row.therapist].some((id) => isMe(id, ...STAFF)),
      ),
      client_guardians: unlocked(
        world.client_guardians,
        (row) => reads(row) || (row.user === me && is(row, "client")),
      ),
      session_groups: unlocked(
        world.session_groups,
        (row) => reads(row, "internal_ops") || isOnCaseload(row.therapist),
      ),
      sessions: unlocked(
        world.sessions,
        (row) => reads(row, "internal_ops") || isOnCaseload(row.therapist) || isReviewed(row.client),
      ),
      session_charges: unlocked(
        world.session_charges,
        (row) => reads(row, "internal_ops") || isOnCaseload(row.therapist),
      ),
      session_attendance: unlocked(
        world.sessions,
        (row) =>
          row.isOver && (reads(row, "internal_ops") || isOnCaseload(row.therapist) || isReviewed(row.client)),
      ),
      unbilled_sessions: unlocked(
        world.sessions,
        (row) => row.isDelivered && (reads(row, "internal_ops") || isOnCaseload(row.therapist)),
      ),
      session_holds: unlocked(
        world.session_holds,
        (row) =>
          reads(row, "internal_ops") ||
          isOnCaseload(row.therapist) ||
          (row.isOffer && standsFor(row.client)) ||
          (row.createdBy === me && is(row, ...everyRole)),
      ),
      referrals: unlocked(
        world.referrals,
        (row) => reads(row, "internal_ops") || (row.createdBy === me && is(row, "partner_provider")),
      ),
      access_alerts: unlocked(world.access_alerts, isAdmin),
      access_thresholds: unlocked(world.access_thresholds, isAdmin),
      service_accounts: unlocked(world.service_accounts, isAdmin),
      denied_attempts: unlocked(world.denied_attempts, isAdmin),
      family_clients: ids(world.clients, (row) => standsFor(row.id)),
      family_sessions: ids(world.sessions, (row) => standsFor(row.client)),
      referral_summaries: unlocked(
        world.referrals,
        (row) => row.createdBy === me && is(row, "partner_provider"),
      ),
    },
    change: {
      organizations: unlocked(world.organizations, (row) => isAdmin(row) || runsThePlatform),
      user_roles: unlocked(world.user_roles, isAdmin),
      therapists: unlocked(world.therapists, isAdmin),
      care_team_assignments: unlocked(world.care_team_assignments, isAdmin),
      supervisions: unlocked(world.supervisions, isAdmin),
      client_guardians: unlocked(world.client_guardians, isAdmin),
      referrals: unlocked(world.referrals, isAdmin),
      access_thresholds: unlocked(world.access_thresholds, isAdmin),
      cancellation_rules: unlocked(world.cancellation_rules, isAdmin),
      consent_forms: unlocked(world.consent_forms, isAdmin),
      service_consents: unlocked(world.service_consents, (row) => is(row, "internal_ops", "admin")),
      services: unlocked(world.services, (row) => is(row, "internal_ops", "admin")),
      rooms: unlocked(world.rooms, (row) => is(row, "internal_ops", "admin")),
      payers: unlocked(world.payers, (row) => is(row, "internal_ops", "admin")),
      payer_rules: unlocked(world.payer_rules, (row) => is(row, "internal_ops", "admin")),
      payer_modifiers: unlocked(world.payer_modifiers, (row) => is(row, "internal_ops", "admin")),
      billing_profiles: unlocked(world.billing_profiles, (row) => is(row, "internal_ops", "admin")),
      payer_rates: unlocked(world.payer_rates, (row) => is(row, "internal_ops", "admin")),
      client_preferred_hours: unlocked(world.client_preferred_hours, (row) =>
        is(row, "internal_ops", "admin"),
      ),
      buffer_rules: unlocked(world.buffer_rules, (row) => is(row, "internal_ops", "admin")),
    },
  };
}

const STAFF = ["therapist", "supervisor", "psychiatrist", "internal_ops"] as const;
const MEMBERS = [...STAFF, "client", "partner_provider", "system_service"] as const;

function find<R extends Row>(rows: R[], id: string | null): R {
  const row = rows.find((candidate) => candidate.id === id);
  if (!row) throw new Error(`no row ${id}`);
  return row;
}

function ids<R extends Row>(rows: R[], may: (row: R) => boolean): string[] {
  return rows.filter(may).map(({ id }) => id);
}

/** The calendar day, YYYY-MM-DD, that a time zone has at an instant. */
export function dayIn(timeZone: string, instant: Date): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" }).format(instant);
}
