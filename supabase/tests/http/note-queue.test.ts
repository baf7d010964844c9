// What waits for a supervisor's signature: all of it, nothing else, and only to who could give it.

import { beforeAll, describe, expect, it } from "vitest";
import { findNotesToCosign, HoldfastError } from "../../../src/lib/index.ts";
import { createTherapist, type User } from "../support/clinic.ts";
import { act, addSession, createNotesClinic, type NotesClinic, save } from "../support/notes.ts";
import { sql } from "../support/stack.ts";

describe("the notes that wait for a second signature", () => {
  let clinic: NotesClinic;
  /** Signed by Rosa, in this order. */
  let waiting: string[];

  const find = async (user: User, request: { limit?: number; afterNoteId?: string } = {}) =>
    findNotesToCosign(await user.client(), { organizationId: clinic.id, ...request });
  const idsOf = async (...args: Parameters<typeof find>) => (await find(...args)).notes.map(({ id }) => id);

  beforeAll(async () => {
    clinic = await createNotesClinic();
    waiting = [];
    for (const day of [50, 51, 52]) {
      const session_id = await addSession(clinic, day, 16);
      const { id } = await save(clinic.rosa.user, { session_id }, "x");
      await act(clinic.rosa.user, "sign", id);
      waiting.push(id);
    }
    await save(clinic.rosa.user, { session_id: clinic.session }, "a draft");
    const ofAnother = await save(clinic.theo.user, { session_id: clinic.theosSession }, "x");
    await act(clinic.theo.user, "sign", ofAnother.id);
  });

  it("are listed to the supervisor of who signed them, the longest waiting first, with ids and times only", async () => {
    const { notes, hasMore } = await find(clinic.bea.user);
    expect(notes.map(({ id }) => id)).toEqual(waiting);
    expect(hasMore).toBe(false);
    expect(Object.keys(notes[0] ?? {}).sort()).toEqual(
      ["authorId", "clientId", "id", "kind", "sessionId", "signedAt", "therapistId", "version"].sort(),
    );
    expect(notes[0]).toMatchObject({ therapistId: clinic.rosa.id, clientId: clinic.aspen, version: 1 });
  });

  it("come in pages that leave none out", async () => {
    const first = await find(clinic.bea.user, { limit: 2 });
    expect([first.notes.map(({ id }) => id), first.hasMore]).toEqual([waiting.slice(0, 2), true]);
    const rest = await find(clinic.bea.user, { limit: 2, afterNoteId: waiting[1] as string });
    expect([rest.notes.map(({ id }) => id), rest.hasMore]).toEqual([waiting.slice(2), false]);
    expect(await idsOf(clinic.bea.user, { limit: 3 })).toEqual(waiting);
    expect((await find(clinic.bea.user, { limit: 3 })).hasMore).toBe(false);
  });

  it("are nobody's to list who could not sign them", async () => {
    const other = await createTherapist(clinic.id);
    await sql`update public.user_roles set role = 'supervisor' where user_id = ${other.user.id}`;
    expect(await idsOf(other.user)).toEqual([]);
    const refusal = async (user: User, code: string) => {
      const error = await find(user).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(HoldfastError);
      expect((error as HoldfastError).code).toBe(code);
    };
    for (const user of [clinic.rosa.user, clinic.admin, clinic.scheduler, clinic.reviewer, clinic.parent]) {
      await refusal(user, "forbidden");
    }
    await refusal((await createNotesClinic()).bea.user, "not_found");
  });

  it("are not those that a supervisor wrote themselves", async () => {
    await sql`
      insert into public.care_team_assignments (organization_id, therapist_id, client_id, team_role, starts_on)
      values (${clinic.id}, ${clinic.bea.id}, ${clinic.aspen}, 'therapist', current_date - 30)`;
    const session_id = await addSession(clinic, 53, 16, { therapist: clinic.bea.id });
    await sql`update public.therapists set credential = 'RBT' where id = ${clinic.bea.id}`;
    const own = await save(clinic.bea.user, { session_id }, "x");
    expect((await act(clinic.bea.user, "sign", own.id)).needs_cosignature).toBe(true);
    expect(await idsOf(clinic.bea.user)).toEqual(waiting);
  });

  it.each([
    [{ limit: 0 }, "limit"],
    [{ limit: 201 }, "limit"],
    [{ afterNoteId: "00000000-0000-4000-8000-000000000000" }, "afterNoteId"],
  ])("are not listed by %j", async (request, field) => {
    const error = await find(clinic.bea.user, request).catch((caught: unknown) => caught);
    expect((error as HoldfastError).code).toBe("validation_failed");
    expect(JSON.stringify((error as HoldfastError).problem)).toContain(field);
  });

  it("wait no more once they are co-signed, and the page after one that is goes on where it was", async () => {
    const [first = "", second = "", third = ""] = waiting;
    await act(clinic.bea.user, "cosign", second);
    expect(await idsOf(clinic.bea.user)).toEqual([first, third]);
    expect(await idsOf(clinic.bea.user, { afterNoteId: second })).toEqual([third]);
  });

  it("are not listed to who supervises no more", async () => {
    await sql`update public.supervisions set ends_on = current_date - 2 where organization_id = ${clinic.id}`;
    expect(await idsOf(clinic.bea.user)).toEqual([]);
  });
});
