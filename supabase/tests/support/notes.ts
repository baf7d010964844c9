import { randomUUID } from "node:crypto";
import type { Note, NoteWithText } from "../../../src/lib/notes.ts";
import { deliver } from "./billing.ts";
import { call, confirm, expectData, hold, time } from "./calls.ts";
import {
  type Clinic,
  createClinic,
  createTherapist,
  createUser,
  type Therapist,
  type User,
} from "./clinic.ts";
import { sql } from "./stack.ts";

/** A clinic with a session that Rosa (RBT) had with Aspen, and everybody who could want to read what is written of it. */
export interface NotesClinic extends Clinic {
  session: string;
  /** Of Theo with Aspen, at another time. */
  theosSession: string;
  /** Supervises Rosa. */
  bea: Therapist;
  /** Reviews Aspen. */
  reviewer: User;
  /** Aspen's parent. */
  parent: User;
  /** Birch's parent. */
  otherParent: User;
  otherAdmin: User;
  partner: User;
}

export async function createNotesClinic(): Promise<NotesClinic> {
  const clinic = await createClinic();
  const member = async (role: string) => {
    const user = await createUser();
    await sql`insert into public.user_roles (organization_id, user_id, role) values (${clinic.id}, ${user.id}, ${role})`;
    return user;
  };
  const [bea, reviewer, parent, otherParent, otherAdmin, partner] = await Promise.all([
    createTherapist(clinic.id),
    member("psychiatrist"),
    member("client"),
    member("client"),
    member("admin"),
    member("partner_provider"),
  ]);
  await sql`update public.user_roles set role = 'supervisor' where user_id = ${bea.user.id}`;
  await sql`update public.therapists set credential = 'BCBA' where id = ${bea.id}`;
  await sql`
    insert into public.supervisions (organization_id, supervisor_id, therapist_id, starts_on)
    values (${clinic.id}, ${bea.id}, ${clinic.rosa.id}, current_date - 30)`;
  const reviewerId = randomUUID();
  await sql`
    insert into public.therapists (id, organization_id, user_id, display_name, credential)
    values (${reviewerId}, ${clinic.id}, ${reviewer.id}, 'A therapist', 'MD')`;
  await sql`
    insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
    values (${clinic.id}, ${reviewerId}, ${clinic.aspen}, 'psychiatrist', current_date - 30)`;
  await sql`
    insert into public.client_guardians (organization_id, client_id, user_id, relationship, starts_on)
    values
      (${clinic.id}, ${clinic.aspen}, ${parent.id}, 'parent', current_date - 30),
      (${clinic.id}, ${clinic.birch}, ${otherParent.id}, 'parent', current_date - 30)`;
  const session = await addSession(clinic, 30, 16);
  const theosSession = await addSession(clinic, 31, 16, { therapist: clinic.theo.id });
  return { ...clinic, session, theosSession, bea, reviewer, parent, otherParent, otherAdmin, partner };
}

/** A session that took place, of Rosa with Aspen unless `changes` says otherwise; its id. */
export function addSession(
  clinic: Clinic,
  daysAgo: number,
  hour: number,
  changes: { therapist?: string } = {},
): Promise<string> {
  return deliver(clinic, { daysAgo, hour, ...changes });
}

/** One that is still to come. */
export async function bookSession(
  clinic: Clinic,
  day: number,
  hour: number,
  changes: object = {},
): Promise<string> {
  const { hold_key } = await hold(clinic, time(day, hour), changes, clinic.scheduler);
  return (await confirm(clinic.scheduler, hold_key)).session.id;
}

export function notes(
  user: User | null,
  body: object,
  headers: Record<string, string> = {},
): Promise<Response> {
  return call("session-notes", user, body, headers);
}

export async function save(user: User, subject: object, text: string, version = 0): Promise<Note> {
  const response = await notes(user, { action: "save", version, text, ...subject });
  return (await expectData<{ note: Note }>(response, 200)).note;
}

export async function read(user: User, subject: object): Promise<NoteWithText[]> {
  return (await expectData<{ notes: NoteWithText[] }>(await notes(user, { action: "read", ...subject }), 200))
    .notes;
}

export async function act(user: User, action: string, note_id: string, changes: object = {}): Promise<Note> {
  const body = { action, note_id, ...(action === "release_summary" ? {} : { version: 1 }), ...changes };
  return (await expectData<{ note: Note }>(await notes(user, body), 200)).note;
}

/** Everything that is stored of a clinic's notes. */
export async function storedNotes(clinic: Clinic) {
  const [keys, rows, versions] = await Promise.all([
    sql`select * from public.client_keys where organization_id = ${clinic.id} order by id`,
    sql`select * from public.session_notes where organization_id = ${clinic.id} order by id`,
    sql`select * from public.session_note_versions where organization_id = ${clinic.id} order by id`,
  ]);
  return { keys: [...keys], notes: [...rows], versions: [...versions] };
}

/** What only the owner of the tables can do: writes past the triggers that keep notes. */
export async function tamper(statement: (transaction: typeof sql) => Promise<unknown>): Promise<void> {
  await sql.begin(async (transaction) => {
    for (const table of ["session_notes", "session_note_versions", "client_keys"]) {
      await transaction.unsafe(`alter table public.${table} disable trigger user`);
    }
    await statement(transaction as unknown as typeof sql);
    for (const table of ["session_notes", "session_note_versions", "client_keys"]) {
      await transaction.unsafe(`alter table public.${table} enable trigger user`);
    }
  });
}
