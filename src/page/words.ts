/** Codes in plain words. What has no words of its own here is spelled out from its name. */
import { PROBLEMS } from "../lib/index.ts";

const EVENTS: Readonly<Record<string, string>> = {
  "access.break_glass": "Emergency access was taken",
  "client.archived": "A client was archived",
  "client.read": "A client's record was read",
  "hold.confirmed": "A hold was confirmed",
  "hold.created": "A time was held",
  "hold.expired": "A hold ran out",
  "hold.released": "A hold was given back",
  "role.granted": "A role was granted",
  "role.revoked": "A role was taken away",
  "row.deleted": "Deleted",
  "row.inserted": "Added",
  "row.updated": "Changed",
  "session.cancelled": "A session was cancelled",
  "session.scheduled": "A session was booked",
};

const STATUSES: Readonly<Record<string, string>> = {
  held: "On hold",
  scheduled: "Scheduled",
  in_progress: "In progress",
  completed: "Completed",
  no_show: "The client did not come",
  cancelled: "Cancelled",
};

/** `session.cancelled` on `sessions`: what happened; a refused call of `rpc.hold_sessions`: what was tried. */
export function eventName(action: string, table: string | null): string {
  if (action.startsWith("rpc.")) return `Tried: ${spelled(action.slice(4))}`;
  const name = EVENTS[action];
  if (action.startsWith("row.") && table !== null) return `${name}: ${spelled(table).toLowerCase()}`;
  return name ?? spelled(action);
}

/** A refusal's code, in the words of its problem. */
export function refusalName(code: string | null): string {
  if (code === null) return "Refused";
  return (PROBLEMS as Readonly<Record<string, { title: string }>>)[code]?.title ?? spelled(code);
}

export function statusName(status: string): string {
  return STATUSES[status] ?? spelled(status);
}

export function roleName(role: string): string {
  return role === "internal_ops" ? "Scheduler" : spelled(role);
}

/** `waitlist.entry_joined` → `Waitlist entry joined`. */
function spelled(code: string): string {
  const words = code.replace(/[._]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
