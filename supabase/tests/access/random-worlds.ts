// Random clinics, people, roles and rows for model.test.ts: small numbers that refer to each other, so that a failure
// shrinks, and the rows that they stand for.

import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { ROLES, type Role } from "../../../src/lib/guards.ts";
import { dayIn, type Token, type World } from "./oracle.ts";

const USERS = 8;
const PER_ORGANIZATION = 4;
const FEWEST_TEAMS = 20;
const FEWEST_GUARDIANS = 4;
const CLINICAL = ["therapist", "supervisor", "psychiatrist"] as const;
/** Never all on the same calendar day but for an hour or so: days are the organization's own. */
const TIME_ZONES = ["America/Los_Angeles", "Pacific/Kiritimati", "Pacific/Pago_Pago"];

const organization = fc.nat(TIME_ZONES.length - 1);
const user = fc.nat(USERS - 1);
const member = fc.nat(PER_ORGANIZATION - 1);
/** Days from today to the first and the last day. */
const period = fc.constantFrom<[number, number | null]>(
  [-30, null],
  [-30, null],
  [-30, null],
  [-30, 30],
  [-30, 0],
  [0, null],
  [0, 0],
  [-30, -1],
  [1, null],
);
const state = fc.constantFrom("standing", "standing", "standing", "temporary", "expired", "revoked");
// The roles whose reach depends on other rows come more often.
const role = fc.constantFrom(...ROLES, ...CLINICAL, ...CLINICAL, "psychiatrist" as const);
const list = <T>(item: fc.Arbitrary<T>, minLength: number, maxLength: number) =>
  fc.array(item, { minLength, maxLength });
const distinct = <T>(item: fc.Arbitrary<T>, key: (item: T) => string, minLength: number, maxLength: number) =>
  fc.uniqueArray(item, { selector: key, minLength, maxLength });

export const recipes = fc.record({
  requiresMfa: fc.tuple(fc.boolean(), fc.constant(false), fc.boolean()),
  banned: fc.option(user),
  roles: distinct(
    fc.record({ user, organization, role, state }),
    ({ user, organization, role }) => `${user} ${organization} ${role}`,
    18,
    30,
  ),
  operators: distinct(fc.record({ user, state }), ({ user }) => `${user}`, 1, 2),
  choices: distinct(fc.record({ user, organization }), ({ user }) => `${user}`, 0, 4),
  /** For each organization whose logins its therapists have. */
  therapists: fc.tuple(
    ...TIME_ZONES.map(() =>
      fc.record({
        users: distinct(user, String, PER_ORGANIZATION, PER_ORGANIZATION),
        inactive: fc.option(member),
        without: fc.option(member),
      }),
    ),
  ),
  teams: distinct(
    fc.record({
      organization,
      therapist: member,
      client: member,
      role: fc.constantFrom(...CLINICAL, "psychiatrist" as const),
      period,
    }),
    ({ organization, therapist, client, role }) => `${organization} ${therapist} ${client} ${role}`,
    FEWEST_TEAMS,
    30,
  ),
  supervisions: distinct(
    fc
      .record({ organization, supervisor: member, therapist: member, period })
      .filter(({ supervisor, therapist }) => supervisor !== therapist),
    ({ organization, supervisor, therapist }) => `${organization} ${supervisor} ${therapist}`,
    4,
    9,
  ),
  guardians: distinct(
    fc.record({ organization, client: member, user, period, withRole: fc.boolean() }),
    ({ organization, client, user }) => `${organization} ${client} ${user}`,
    FEWEST_GUARDIANS,
    9,
  ),
  groups: list(fc.record({ organization, therapist: member }), 2, 4),
  sessions: list(
    fc.record({
      /** Between members of this care team; null for a pair of any two. */
      team: fc.option(fc.nat(FEWEST_TEAMS - 1), { freq: 5 }),
      organization,
      therapist: member,
      client: member,
      inRoom: fc.boolean(),
      // None in progress: a therapist is in one session at a time.
      status: fc.constantFrom("scheduled", "completed", "no_show", "cancelled"),
    }),
    14,
    20,
  ),
  holds: list(
    fc.record({
      /** For the child of this guardian; null for any client. */
      guardian: fc.option(fc.nat(FEWEST_GUARDIANS - 1)),
      organization,
      therapist: member,
      client: member,
      user,
      isOffer: fc.boolean(),
    }),
    4,
    7,
  ),
  timeOff: list(fc.record({ organization, therapist: fc.option(member, { freq: 4 }) }), 4, 8),
  /** Who is left out of a series: the therapist, in teams; the client, in groups; nobody, as most often. */
  series: list(
    fc.record({
      organization,
      therapist: member,
      client: member,
      without: fc.constantFrom(null, null, "therapist", "therapist", "client"),
    }),
    6,
    10,
  ),
  referrals: list(fc.record({ organization, user, client: fc.option(member) }), 4, 8),
  alerts: list(organization, 1, 3),
  denials: list(organization, 1, 3),
  /** One for each user. */
  tokens: list(
    fc.record({
      aal: fc.constantFrom("aal1" as const, "aal2" as const),
      organization: fc.option(organization, { freq: 2 }),
    }),
    USERS,
    USERS,
  ),
});
export type Recipe = typeof recipes extends fc.Arbitrary<infer R> ? R : never;

export interface Labelled extends World {
  tokens: Token[];
  /** What an id is, for the report: "clients 2". */
  labels: Map<string, string>;
}

/** The rows of a recipe. */
export function build(recipe: Recipe, now: Date): Labelled {
  const organizations = TIME_ZONES.map((timeZone, index) => {
    const id = randomUUID();
    return { id, organization: id, timeZone, requiresMfa: recipe.requiresMfa[index] ?? false };
  });
  const users = Array.from({ length: USERS }, (_, index) => ({
    id: randomUUID(),
    banned: index === recipe.banned,
  }));
  const row = (index: number) => ({ id: randomUUID(), organization: at(organizations, index).id });
  const dates = (index: number, [from, to]: [number, number | null]) => {
    const day = (days: number) => {
      const today = new Date(`${dayIn(at(organizations, index).timeZone, now)}T00:00:00Z`);
      return new Date(today.getTime() + days * DAY_MS).toISOString().slice(0, 10);
    };
    return { startsOn: day(from), endsOn: to === null ? null : day(to) };
  };
  const grant = (userIndex: number, role: Role, organization: string | null, state: string) => ({
    id: randomUUID(),
    organization,
    user: at(users, userIndex).id,
    role,
    kind:
      role === "super_admin" && organization
        ? ("break_glass" as const)
        : state === "temporary"
          ? ("temporary" as const)
          : ("standing" as const),
    expiresAt:
      state === "expired"
        ? new Date(now.getTime() - HOUR_MS)
        : state === "temporary" || (role === "super_admin" && organization)
          ? new Date(now.getTime() + HOUR_MS)
          : null,
    revoked: state === "revoked",
  });
  const perOrganization = () =>
    organizations.flatMap((_, index) => Array.from({ length: PER_ORGANIZATION }, () => row(index)));
  const clients = perOrganization();
  const therapists = perOrganization().map((therapist, index) => {
    const { users: logins, inactive, without } = at(recipe.therapists, Math.floor(index / PER_ORGANIZATION));
    const slot = index % PER_ORGANIZATION;
    return {
      ...therapist,
      user: slot === without ? null : at(users, at(logins, slot)).id,
      active: slot !== inactive,
    };
  });
  const of = (rows: { id: string }[], index: number, slot: number) =>
    at(rows, index * PER_ORGANIZATION + slot).id;

  const ofEveryClient = () => clients.map((it) => ({ ...it, id: randomUUID(), client: it.id }));
  const waiting = ofEveryClient();

  const isSameGrant = (one: { user: number; organization: number }, other: typeof one) =>
    one.user === other.user && one.organization === other.organization;
  const isSameClient = (one: Recipe["holds"][number], other: Recipe["holds"][number]) =>
    one.organization === other.organization && one.client === other.client;
  const holds = recipe.holds.map((hold) => {
    const { organization, client } = hold.guardian === null ? hold : at(recipe.guardians, hold.guardian);
    return { ...hold, organization, client };
  });
  const sessions = recipe.sessions.map((session) => {
    const it = session.team === null ? session : at(recipe.teams, session.team);
    return {
      ...row(it.organization),
      therapist: of(therapists, it.organization, it.therapist),
      client: of(clients, it.organization, it.client),
      isOver: ["completed", "no_show", "cancelled"].includes(session.status),
      isDelivered: session.status === "completed",
    };
  });
  // A session that is to take place has a planned charge, and one that did an actual one too.
  const charges = { scheduled: ["planned"], completed: ["planned", "actual"], no_show: [], cancelled: [] };
  // Without the role a guardianship is nothing, and at random few would have it.
  const guardianRoles = recipe.guardians.filter(
    (it, index, all) =>
      it.withRole &&
      index === all.findIndex((one) => one.withRole && isSameGrant(one, it)) &&
      !recipe.roles.some((one) => one.role === "client" && isSameGrant(one, it)),
  );

  const world: World = {
    now,
    users,
    organizations,
    user_roles: [
      ...recipe.roles.map((it) => grant(it.user, it.role, at(organizations, it.organization).id, it.state)),
      ...guardianRoles.map((it) =>
        grant(it.user, "client", at(organizations, it.organization).id, "standing"),
      ),
      ...recipe.operators.map((it) => grant(it.user, "super_admin", null, it.state)),
    ],
    active_organizations: recipe.choices.map((it) => ({
      ...row(it.organization),
      id: at(users, it.user).id,
    })),
    therapists,
    clients,
    rooms: organizations.map((_, index) => row(index)),
    // One for groups and one for teams, in this order.
    services: [...organizations, ...organizations].map((_, index) => row(index % organizations.length)),
    care_team_assignments: recipe.teams.map((it) => ({
      ...row(it.organization),
      ...dates(it.organization, it.period),
      therapist: of(therapists, it.organization, it.therapist),
      client: of(clients, it.organization, it.client),
      teamRole: it.role,
    })),
    supervisions: recipe.supervisions.map((it) => ({
      ...row(it.organization),
      ...dates(it.organization, it.period),
      supervisor: of(therapists, it.organization, it.supervisor),
      therapist: of(therapists, it.organization, it.therapist),
    })),
    client_guardians: recipe.guardians.map((it) => ({
      ...row(it.organization),
      ...dates(it.organization, it.period),
      client: of(clients, it.organization, it.client),
      user: at(users, it.user).id,
    })),
    session_groups: recipe.groups.map((it) => ({
      ...row(it.organization),
      therapist: of(therapists, it.organization, it.therapist),
    })),
    payers: organizations.map((_, index) => row(index)),
    payer_rules: organizations.map((_, index) => row(index)),
    payer_modifiers: organizations.map((_, index) => row(index)),
    buffer_rules: organizations.map((_, index) => row(index)),
    cancellation_rules: organizations.map((_, index) => row(index)),
    consent_forms: [false, true].flatMap((isDraft) =>
      organizations.map((_, index) => ({ ...row(index), isDraft })),
    ),
    consent_signatures: ofEveryClient(),
    service_consents: organizations.map((_, index) => row(index)),
    therapist_availability: therapists.map((it) => ({ ...it, id: randomUUID(), therapist: it.id })),
    client_coverages: ofEveryClient(),
    billing_profiles: organizations.map((_, index) => row(index)),
    payer_rates: organizations.map((_, index) => row(index)),
    billing_batches: organizations.map((_, index) => row(index)),
    billing_cases: ofEveryClient(),
    // A line is of a session, which not every organization has.
    billing_lines: ofEveryClient().filter(({ organization }) =>
      recipe.sessions.some(
        (it) =>
          at(organizations, (it.team === null ? it : at(recipe.teams, it.team)).organization).id ===
          organization,
      ),
    ),
    client_preferred_hours: ofEveryClient(),
    session_teams: ofEveryClient(),
    waitlist_entries: waiting,
    waitlist_times: waiting.map((entry) => ({ ...entry, id: randomUUID() })),
    availability_exceptions: recipe.timeOff.map((it) => ({
      ...row(it.organization),
      therapist: it.therapist === null ? null : of(therapists, it.organization, it.therapist),
    })),
    session_series: recipe.series.map((it) => ({
      ...row(it.organization),
      therapist: it.without === "therapist" ? null : of(therapists, it.organization, it.therapist),
      client: it.without === "client" ? null : of(clients, it.organization, it.client),
    })),
    sessions,
    session_charges: sessions.flatMap((session, index) =>
      charges[at(recipe.sessions, index).status].map((kind) => ({ ...session, id: `${session.id} ${kind}` })),
    ),
    session_holds: holds.map((it, index) => ({
      ...row(it.organization),
      therapist: of(therapists, it.organization, it.therapist),
      client: of(clients, it.organization, it.client),
      createdBy: at(users, it.user).id,
      // An entry has one offer at a time.
      isOffer: it.isOffer && index === holds.findIndex((one) => one.isOffer && isSameClient(one, it)),
    })),
    referrals: recipe.referrals.map((it) => ({ ...row(it.organization), createdBy: at(users, it.user).id })),
    access_alerts: recipe.alerts.map(row),
    access_thresholds: organizations.map(({ id }) => ({ id, organization: id })),
    service_accounts: organizations.map((_, index) => row(index)),
    // Their ids are numbers that the database gives.
    denied_attempts: recipe.denials.map(row),
  };
  const labels = new Map<string, string>();
  for (const [table, rows] of Object.entries(world)) {
    if (!Array.isArray(rows)) continue;
    for (const [index, { id }] of rows.entries()) if (!labels.has(id)) labels.set(id, `${table} ${index}`);
  }
  const tokens = recipe.tokens.map((it, index) => ({
    user: at(users, index).id,
    aal: it.aal,
    organization: it.organization === null ? null : at(organizations, it.organization).id,
  }));
  return { ...world, tokens, labels };
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new RangeError(`no item ${index}`);
  return item;
}
