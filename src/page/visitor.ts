/** Who is signed in: what they may do, where, and by which clock the clinic lives. */
import { canEnter, type Permission, type Visitor as Rights, type Role } from "../lib/index.ts";
import { rows, supabase } from "./backend.ts";
import { type Clock, clockOf } from "./clock.ts";

export interface Clinic {
  id: string;
  name: string;
}

export interface Visitor extends Rights {
  userId: string;
  email: string;
  clinic: Clinic;
  clock: Clock;
}

/** Why a user who is signed in has nothing to see here. */
export type Barred = "second_factor" | "no_role";

/** Reads it from the rows that the user may see, after signing in. */
export async function readVisitor(): Promise<Visitor | Barred> {
  const { data } = await supabase.auth.getSession();
  const user = data.session?.user;
  if (!user) return "no_role";
  const held = await rows(
    supabase
      .from("user_roles")
      .select("role, organization_id")
      .eq("user_id", user.id)
      .is("revoked_at", null)
      .or(`expires_at.is.null,expires_at.gt.${new Date().toISOString()}`),
  );
  const clinics = await rows(
    supabase.from("organizations").select("id, name, time_zone, requires_mfa").order("name"),
  );
  const clinic = clinics.find(({ id }) => held.some((role) => role.organization_id === id));
  // A clinic that can be seen while the roles in it cannot waits for a second factor.
  if (!clinic) return clinics.some((one) => one.requires_mfa) ? "second_factor" : "no_role";

  const roles = held.filter((one) => one.organization_id === clinic.id).map(({ role }) => role as Role);
  const granted = await rows(supabase.from("role_permissions").select("permission").in("role", roles));
  return {
    userId: user.id,
    email: user.email ?? "",
    clinic,
    clock: clockOf(clinic.time_zone),
    roles,
    permissions: granted.map(({ permission }) => permission as Permission),
  };
}

/** The pages that this visitor is offered. What the pages show is the database's decision, not this one. */
export function pagesOf(visitor: Visitor) {
  const pages = [
    { hash: "#week", route: "/schedule", name: "Week" },
    { hash: "#appointments", route: "/appointments", name: "Appointments" },
    { hash: "#audit", route: "/audit", name: "Audit" },
  ] as const;
  return pages.filter(({ route }) => canEnter(route, visitor));
}
