/**
 * Route guards: which of an app's routes a user should be offered.
 *
 * A guard is a convenience for the UI, so that nobody is led to a page that would be empty for them. It protects
 * nothing: the database decides, row by row, by the policies that the guard names. A test holds both together
 * (supabase/tests/access/guards.test.ts).
 */
import type { Database } from "./database.types.ts";

/** Every role, as in `public.roles`. */
export const ROLES = [
  "client",
  "therapist",
  "supervisor",
  "psychiatrist",
  "internal_ops",
  "partner_provider",
  "admin",
  "super_admin",
  "system_service",
] as const;
export type Role = (typeof ROLES)[number];

/** Every permission, as in `public.role_permissions`. */
export const PERMISSIONS = [
  "archive_clients",
  "book_any_session",
  "book_own_sessions",
  "manage_authorizations",
  "manage_availability",
  "manage_billing",
  "manage_insights",
  "manage_roles",
  "manage_service_accounts",
  "manage_therapists",
  "manage_webhooks",
  "override_authorization",
  "override_availability",
  "view_audit",
  "view_clients",
  "view_own_appointments",
  "view_referrals",
  "view_schedule",
  "view_tenants",
  "view_therapists",
] as const;
export type Permission = (typeof PERMISSIONS)[number];

type Public = Database["public"];

/** Who is offered a route, and what in the database gives its page something to show. */
export interface RouteGuard {
  /** One of these is needed. */
  readonly roles: readonly Role[];
  /** All of these are needed. Each of `roles` has them. */
  readonly permissions: readonly Permission[];
  /** The policies that decide about the page's rows, whatever the guard says. */
  readonly policies: readonly { readonly table: keyof Public["Tables"]; readonly policy: string }[];
  /** The views that the page reads. */
  readonly views: readonly (keyof Public["Views"])[];
  /** The RPCs that the page reads. */
  readonly functions: readonly (keyof Public["Functions"])[];
}

const SESSIONS = { table: "sessions", policy: "sessions_scoped_access" } as const;
const CLIENTS = { table: "clients", policy: "role_scoped_select" } as const;
const THERAPISTS = { table: "therapists", policy: "role_scoped_select" } as const;
const CARE_TEAMS = {
  table: "care_team_assignments",
  policy: "care team members see their team and schedulers every team",
} as const;
const ORGANIZATIONS = {
  table: "organizations",
  policy: "members see their organization and super admins every tenant",
} as const;

const STAFF = ["therapist", "supervisor", "psychiatrist", "internal_ops", "admin"] as const;

/** The guard of every route. A guard is a convenience for the UI: the database decides what the page can show. */
export const ROUTE_GUARDS = {
  "/": {
    roles: [...STAFF, "client", "partner_provider", "super_admin"],
    permissions: [],
    policies: [ORGANIZATIONS],
    views: [],
    functions: [],
  },
  "/schedule": {
    roles: STAFF,
    permissions: ["view_schedule"],
    policies: [SESSIONS],
    views: [],
    functions: [],
  },
  "/clients": {
    roles: STAFF,
    permissions: ["view_clients"],
    policies: [CLIENTS],
    views: [],
    functions: [],
  },
  "/clients/:clientId": {
    roles: STAFF,
    permissions: ["view_clients"],
    policies: [CLIENTS, CARE_TEAMS, SESSIONS],
    views: [],
    functions: [],
  },
  "/therapists": {
    roles: STAFF,
    permissions: ["view_therapists"],
    policies: [THERAPISTS],
    views: [],
    functions: [],
  },
  "/therapists/:therapistId": {
    roles: STAFF,
    permissions: ["view_therapists"],
    policies: [THERAPISTS, CARE_TEAMS],
    views: [],
    functions: [],
  },
  "/therapists/new": {
    roles: ["admin"],
    permissions: ["manage_therapists"],
    policies: [THERAPISTS, { table: "therapists", policy: "admins add therapists" }],
    views: [],
    functions: [],
  },
  "/availability": {
    roles: ["internal_ops", "admin"],
    permissions: ["manage_availability"],
    policies: [
      {
        table: "therapist_availability",
        policy: "therapists see their caseload's hours, schedulers everybody's",
      },
      {
        table: "availability_exceptions",
        policy: "those who work see holidays, caseloads and schedulers time off",
      },
    ],
    views: [],
    functions: [],
  },
  "/waitlist": {
    roles: [...STAFF, "client"],
    permissions: [],
    policies: [
      { table: "waitlist_entries", policy: "families, care teams and schedulers see who waits" },
      { table: "waitlist_times", policy: "families, care teams and schedulers see wanted times" },
    ],
    views: [],
    functions: [],
  },
  "/appointments": {
    roles: ["client"],
    permissions: ["view_own_appointments"],
    policies: [],
    views: ["family_clients", "family_sessions"],
    functions: [],
  },
  "/referrals": {
    roles: ["partner_provider"],
    permissions: ["view_referrals"],
    policies: [
      { table: "referrals", policy: "referring practices see their referrals and schedulers all" },
      { table: "referrals", policy: "referring practices refer" },
    ],
    views: ["referral_summaries"],
    functions: [],
  },
  "/audit": {
    roles: ["admin"],
    permissions: ["view_audit"],
    policies: [],
    views: ["denied_attempts"],
    functions: ["list_audit_events", "list_denied_attempts"],
  },
  "/roles": {
    roles: ["admin"],
    permissions: ["manage_roles"],
    policies: [
      { table: "user_roles", policy: "users see their own roles and admins those of the organization" },
      { table: "user_roles", policy: "admins grant roles of their organization" },
      { table: "user_roles", policy: "admins end roles of their organization" },
    ],
    views: [],
    functions: [],
  },
  "/tenants": {
    roles: ["super_admin"],
    permissions: ["view_tenants"],
    policies: [
      ORGANIZATIONS,
      { table: "organizations", policy: "super admins make tenants" },
      { table: "organizations", policy: "admins change their organization and super admins every tenant" },
    ],
    views: [],
    functions: [],
  },
} as const satisfies Record<`/${string}`, RouteGuard>;

export type Route = keyof typeof ROUTE_GUARDS;

/** A concrete path, matched: `/clients/42?tab=team` is the route `/clients/:clientId` with `clientId` `42`. */
export interface RouteMatch {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
  readonly guard: RouteGuard;
}

/** What the signed-in user has in the active organization, as read from `user_roles` and `role_permissions`. */
export interface Visitor {
  readonly roles: readonly Role[];
  readonly permissions: readonly Permission[];
}

// A literal segment is tried before a parameter, so that `/therapists/new` is not somebody called "new".
const PATTERNS = (Object.keys(ROUTE_GUARDS) as Route[])
  .map((route) => ({ route, segments: route.split("/").slice(1) }))
  .sort((a, b) => parameters(a.segments) - parameters(b.segments));

function parameters(segments: readonly string[]): number {
  return segments.filter((segment) => segment.startsWith(":")).length;
}

/**
 * The guard of a concrete path, or null when no route matches. A guard is a convenience for the UI: the database
 * decides.
 *
 * @param path absolute within the app, `/clients/42`. A query string, a fragment and one trailing slash do not count;
 *   percent-encoding is undone before matching, and letter case matters in parameters only, as in most routers.
 */
export function guardFor(path: string): RouteMatch | null {
  const segments = segmentsOf(path);
  if (!segments) return null;
  for (const { route, segments: pattern } of PATTERNS) {
    const params = match(pattern, segments);
    if (params) return { route, params, guard: ROUTE_GUARDS[route] };
  }
  return null;
}

/**
 * Whether to offer a path to a user who has these roles and permissions: one of the guard's roles and all of its
 * permissions. A path without a guard is refused. A guard is a convenience for the UI: the database decides.
 *
 * @param path as in `guardFor`.
 */
export function canEnter(path: string, visitor: Visitor): boolean {
  const guard = guardFor(path)?.guard;
  if (!guard) return false;
  return (
    guard.roles.some((role) => visitor.roles.includes(role)) &&
    guard.permissions.every((permission) => visitor.permissions.includes(permission))
  );
}

/** The decoded segments of a path; null for what is no path within the app. */
function segmentsOf(path: string): string[] | null {
  const [pathname = ""] = path.split(/[?#]/, 1);
  if (!pathname.startsWith("/")) return null;
  try {
    const segments = pathname
      .replace(/^(\/.+)\/$/, "$1")
      .slice(1)
      .split("/")
      .map(decodeURIComponent);
    // A browser or router resolves these to another path before it shows a page.
    const elsewhere = segments.some((segment) => /^\.{1,2}$|[/\\]/.test(segment));
    return elsewhere ? null : segments;
  } catch {
    return null;
  }
}

function match(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? "";
    if (expected.startsWith(":") && segment !== "") params[expected.slice(1)] = segment;
    else if (expected !== segment.toLowerCase()) return null;
  }
  return params;
}
