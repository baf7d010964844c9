// Notes through the real function: who writes, reads, signs, co-signs, addends and releases; and what is refused.

import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { readNotes, saveNote, signNote } from "../../../src/lib/index.ts";
import { cancel, expectData, expectProblem } from "../support/calls.ts";
import { createClinic, type User } from "../support/clinic.ts";
import {
  act,
  addSession,
  bookSession,
  createNotesClinic,
  type NotesClinic,
  notes,
  read,
  save,
  storedNotes,
} from "../support/notes.ts";
import { sql } from "../support/stack.ts";

const TEXT = "Marked: twelve trials, ten unprompted. מלל \u202b 🙂";

describe("a note", () => {
  it("is written, read, signed and co-signed, and is its text again each time", async () => {
    const clinic = await createNotesClinic();
    const draft = await save(clinic.rosa.user, { session_id: clinic.session }, "first");
    expect(draft).toMatchObject({ status: "draft", version: 1, needs_cosignature: true, kind: "session" });
    const second = await save(clinic.rosa.user, { session_id: clinic.session }, TEXT, 1);
    expect(second).toMatchObject({ id: draft.id, version: 2 });
    expect(await read(clinic.rosa.user, { note_id: draft.id })).toMatchObject([{ text: TEXT, version: 2 }]);

    const signed = await act(clinic.rosa.user, "sign", draft.id, { version: 2 });
    expect(signed).toMatchObject({ status: "signed", version: 2 });
    const cosigned = await act(clinic.bea.user, "cosign", draft.id, { version: 2 });
    expect(cosigned).toMatchObject({ status: "cosigned", cosigned_by: clinic.bea.user.id });
    expect(await read(clinic.admin, { session_id: clinic.session })).toMatchObject([{ text: TEXT }]);

    // Drafts keep versions.
    const { versions } = await storedNotes(clinic);
    expect(versions.map(({ number }) => number).sort()).toEqual([1, 2]);
  });

  it("is not in what is stored of it, nor on record", async () => {
    const clinic = await createNotesClinic();
    await save(clinic.rosa.user, { session_id: clinic.session }, TEXT);
    await read(clinic.rosa.user, { session_id: clinic.session });
    const events = await sql`select * from audit.events where organization_id = ${clinic.id}`;
    const keys = await sql`select * from public.idempotency_keys where organization_id = ${clinic.id}`;
    expect(JSON.stringify([await storedNotes(clinic), events, keys])).not.toMatch(/Marked|trials/);
    expect(events.map(({ action }) => action)).toEqual(expect.arrayContaining(["note.saved", "note.read"]));
  });

  it("is found again by its idempotency key, whatever has become of the note and its session since", async () => {
    const clinic = await createNotesClinic();
    const theosSession = await bookSession(clinic, 31, 16, { therapist_id: clinic.theo.id });
    const keyed = () => ({ "idempotency-key": randomUUID() });
    const body = { action: "save", version: 0, text: TEXT };
    const mine = { ...body, session_id: clinic.session };
    const theirs = { ...body, session_id: theosSession };
    const [one, other] = [keyed(), keyed()];
    const saved = await expectData<{ note: { id: string } }>(await notes(clinic.rosa.user, mine, one), 200);
    const kept = await expectData(await notes(clinic.theo.user, theirs, other), 200);
    await act(clinic.rosa.user, "sign", saved.note.id);
    await cancel(clinic.admin, {
      session_ids: [theosSession],
      cancelled_by: "clinic",
      reason: "Closed",
    });

    for (const [user, request, headers, first] of [
      [clinic.rosa.user, mine, one, saved],
      [clinic.theo.user, theirs, other, kept],
    ] as const) {
      const again = await notes(user, request, headers);
      expect(again.headers.get("idempotency-replayed")).toBe("true");
      expect(await expectData(again, 200)).toEqual(first);
      await expectProblem(
        await notes(user, { ...request, text: "other" }, headers),
        "idempotency_key_reused",
      );
    }
    // Without the key, or under somebody else's, it is a new save.
    await expectProblem(await notes(clinic.rosa.user, mine, keyed()), "note_signed");
    await expectProblem(await notes(clinic.theo.user, theirs, one), "validation_failed");
    expect((await storedNotes(clinic)).versions).toHaveLength(2);
  });

  it("that was saved is found again once the calls of the minute are used up", async () => {
    const clinic = await createNotesClinic();
    const headers = { "idempotency-key": randomUUID() };
    const body = { action: "save", session_id: clinic.session, version: 0, text: TEXT };
    const first = await expectData(await notes(clinic.rosa.user, body, headers), 200);
    await sql`update public.organizations set calls_per_minute = 1 where id = ${clinic.id}`;
    await notes(clinic.rosa.user, body);
    const again = await notes(clinic.rosa.user, body, headers);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await expectData(again, 200)).toEqual(first);
  });

  it("is saved once for one idempotency key, although each encryption of it is another", async () => {
    const clinic = await createNotesClinic();
    const headers = { "idempotency-key": randomUUID() };
    const body = { action: "save", session_id: clinic.session, version: 0, text: TEXT };
    const first = await notes(clinic.rosa.user, body, headers);
    const again = await notes(clinic.rosa.user, body, headers);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await expectData(again, 200)).toEqual(await expectData(first, 200));
    await expectProblem(
      await notes(clinic.rosa.user, { ...body, text: "another" }, headers),
      "idempotency_key_reused",
    );
    expect((await storedNotes(clinic)).versions).toHaveLength(1);
  });

  it("is saved once by 16 callers at once with one key, though each makes the client a key of their own", async () => {
    const clinic = await createNotesClinic();
    const headers = { "idempotency-key": randomUUID() };
    const body = { action: "save", session_id: clinic.session, version: 0, text: TEXT };
    const responses = await Promise.all(
      Array.from({ length: 16 }, () => notes(clinic.rosa.user, body, headers)),
    );
    const saved = new Set<string>();
    for (const response of responses) {
      const answer = (await response.json()) as { data?: { note: { id: string } }; code?: string };
      if (answer.data) saved.add(answer.data.note.id);
      else expect(answer.code).toBe("idempotency_in_flight");
    }
    expect(saved.size).toBe(1);
    expect((await storedNotes(clinic)).versions).toHaveLength(1);
  });

  it("speaks camelCase to apps", async () => {
    const clinic = await createNotesClinic();
    const app = await clinic.rosa.user.client();
    const draft = await saveNote(app, { sessionId: clinic.session, version: 0, text: TEXT });
    expect(draft.needsCosignature).toBe(true);
    await signNote(app, { noteId: draft.id, version: 1 });
    expect(await readNotes(app, { sessionId: clinic.session })).toMatchObject([
      { text: TEXT, status: "signed" },
    ]);
  });

  it("of a BCBA needs no second signature, unless the client's payer of the day asks for it", async () => {
    const clinic = await createNotesClinic();
    await sql`update public.therapists set credential = 'BCBA' where id = ${clinic.rosa.id}`;
    const draft = await save(clinic.rosa.user, { session_id: clinic.session }, TEXT);
    expect(draft.needs_cosignature).toBe(false);
    await act(clinic.rosa.user, "sign", draft.id);
    await expectProblem(
      await notes(clinic.bea.user, { action: "cosign", note_id: draft.id, version: 1 }),
      "validation_failed",
    );

    const payer = randomUUID();
    await sql`insert into public.payers (id, organization_id, name) values (${payer}, ${clinic.id}, 'Payer')`;
    await sql`
      insert into public.payer_rules (organization_id, payer_id, starts_on, requires_cosignature)
      values (${clinic.id}, ${payer}, current_date - 60, true)`;
    await sql`
      insert into public.client_coverages (organization_id, client_id, payer_id, starts_on)
      values (${clinic.id}, ${clinic.aspen}, ${payer}, current_date - 60)`;
    const other = await save(clinic.rosa.user, { session_id: await addSession(clinic, 33, 16) }, TEXT);
    expect(other.needs_cosignature).toBe(true);

    // Of the session's day, whoever covers the client when it is signed.
    const before = await addSession(clinic, 3, 5);
    await sql`update public.client_coverages set ends_on = current_date - 3 where client_id = ${clinic.aspen}`;
    const late = await save(clinic.rosa.user, { session_id: before }, TEXT);
    await act(clinic.rosa.user, "sign", late.id);
    expect(await read(clinic.rosa.user, { session_id: before })).toMatchObject([{ needs_cosignature: true }]);
  });
});

describe("an addendum", () => {
  it("corrects a signed note, which stays as it was", async () => {
    const clinic = await createNotesClinic();
    const note = await save(clinic.rosa.user, { session_id: clinic.session }, TEXT);
    const subject = { kind: "addendum", addends_note_id: note.id };
    const early = await notes(clinic.rosa.user, { action: "save", version: 0, text: "x", ...subject });
    expect((await expectProblem(early, "validation_failed")).errors).toMatchObject([{ code: "not_signed" }]);

    await act(clinic.rosa.user, "sign", note.id);
    await expectProblem(
      await notes(clinic.rosa.user, { action: "save", session_id: clinic.session, version: 1, text: "x" }),
      "note_signed",
    );
    const addendum = await save(clinic.rosa.user, subject, "It was eleven.");
    await act(clinic.rosa.user, "sign", addendum.id);
    const another = await save(clinic.rosa.user, subject, "It was twelve after all.");
    expect(another.id).not.toBe(addendum.id);
    expect(await read(clinic.admin, { session_id: clinic.session })).toMatchObject([
      { id: note.id, text: TEXT, status: "signed" },
      { id: addendum.id, text: "It was eleven.", addends_note_id: note.id },
      { id: another.id, status: "draft" },
    ]);
  });
});

describe("a summary", () => {
  it("is the family's to read when it is signed, co-signed and released; the note never is", async () => {
    const clinic = await createNotesClinic();
    const note = await save(clinic.rosa.user, { session_id: clinic.session }, TEXT);
    const summary = await save(
      clinic.rosa.user,
      { session_id: clinic.session, kind: "summary" },
      "A good day.",
    );
    const release = { action: "release_summary", note_id: summary.id };
    const refusal = async (code: string) => {
      const problem = await expectProblem(await notes(clinic.rosa.user, release), "validation_failed");
      expect(problem.errors).toMatchObject([{ field: "note_id", code }]);
      expect(await read(clinic.parent, { session_id: clinic.session })).toEqual([]);
      await expectProblem(await notes(clinic.parent, { action: "read", note_id: summary.id }), "not_found");
    };
    await refusal("not_signed");
    await act(clinic.rosa.user, "sign", summary.id);
    await refusal("not_cosigned");
    await act(clinic.bea.user, "cosign", summary.id);
    const released = await act(clinic.rosa.user, "release_summary", summary.id);
    expect(await act(clinic.bea.user, "release_summary", summary.id)).toEqual(released);

    expect(await read(clinic.parent, { session_id: clinic.session })).toMatchObject([
      { text: "A good day." },
    ]);
    await expectProblem(await notes(clinic.parent, { action: "read", note_id: note.id }), "not_found");
    await expectProblem(
      await notes(clinic.otherParent, { action: "read", note_id: summary.id }),
      "not_found",
    );
    await expectProblem(
      await notes(clinic.otherParent, { action: "read", session_id: clinic.session }),
      "not_found",
    );
    await expectProblem(
      await notes(clinic.rosa.user, { action: "release_summary", note_id: note.id }),
      "validation_failed",
    );
  });
});

describe("of a draft and of a signed note, every role", () => {
  const PEOPLE = [
    "author",
    "supervisor",
    "admin",
    "reviewer",
    "parent",
    "scheduler",
    "colleague",
    "partner",
    "stranger",
  ] as const;
  let clinic: NotesClinic;
  let people: Record<(typeof PEOPLE)[number], User>;
  let draft: string;
  let signed: string;
  let signedSession: string;

  beforeAll(async () => {
    clinic = await createNotesClinic();
    people = {
      author: clinic.rosa.user,
      supervisor: clinic.bea.user,
      admin: clinic.admin,
      reviewer: clinic.reviewer,
      parent: clinic.parent,
      scheduler: clinic.scheduler,
      colleague: clinic.theo.user,
      partner: clinic.partner,
      stranger: (await createClinic()).admin,
    };
    signedSession = await addSession(clinic, 32, 16);
    draft = (await save(people.author, { session_id: clinic.session }, TEXT)).id;
    signed = (await save(people.author, { session_id: signedSession }, TEXT)).id;
    await act(people.author, "sign", signed);
  });

  const outcome = async (person: (typeof PEOPLE)[number], body: object): Promise<string> => {
    const response = await notes(people[person], body);
    const answer = (await response.json()) as { code?: string };
    return response.status === 200 ? "yes" : (answer.code ?? String(response.status));
  };
  const outcomes = async (body: () => object) =>
    Object.fromEntries(
      await Promise.all(PEOPLE.map(async (person) => [person, await outcome(person, body())])),
    );
  const everybody = (answer: string, changes: Partial<Record<(typeof PEOPLE)[number], string>>) => ({
    ...Object.fromEntries(PEOPLE.map((person) => [person, answer])),
    ...changes,
  });

  it("reads what is theirs to read", async () => {
    expect(await outcomes(() => ({ action: "read", note_id: draft }))).toEqual(
      everybody("not_found", { author: "yes", supervisor: "yes", admin: "yes" }),
    );
    expect(await outcomes(() => ({ action: "read", note_id: signed }))).toEqual(
      everybody("not_found", { author: "yes", supervisor: "yes", admin: "yes", reviewer: "yes" }),
    );
    // That there is a session a family knows; that there is a note it does not learn.
    expect(await outcomes(() => ({ action: "read", session_id: signedSession }))).toEqual(
      everybody("not_found", {
        author: "yes",
        supervisor: "yes",
        admin: "yes",
        reviewer: "yes",
        parent: "yes",
      }),
    );
    expect(await read(clinic.parent, { session_id: signedSession })).toEqual([]);
  });

  it("writes only as the therapist of the session", async () => {
    const body = { action: "save", session_id: clinic.session, version: 9, text: "x" };
    const readers = { supervisor: "forbidden", admin: "forbidden", reviewer: "forbidden" };
    expect(await outcomes(() => body)).toEqual(
      everybody("not_found", { author: "stale_version", ...readers }),
    );
    const addendum = { action: "save", kind: "addendum", addends_note_id: signed, version: 9, text: "x" };
    expect(await outcomes(() => addendum)).toEqual(
      everybody("not_found", { author: "stale_version", ...readers }),
    );
  });

  it("signs and co-signs only what is theirs to sign", async () => {
    expect(await outcomes(() => ({ action: "sign", note_id: draft, version: 9 }))).toEqual(
      everybody("not_found", { author: "stale_version", supervisor: "forbidden", admin: "forbidden" }),
    );
    expect(await outcomes(() => ({ action: "cosign", note_id: signed, version: 9 }))).toEqual(
      everybody("not_found", {
        author: "forbidden",
        supervisor: "stale_version",
        admin: "forbidden",
        reviewer: "forbidden",
      }),
    );
    expect(await outcomes(() => ({ action: "release_summary", note_id: signed }))).toEqual(
      everybody("not_found", {
        author: "validation_failed",
        supervisor: "validation_failed",
        admin: "forbidden",
        reviewer: "forbidden",
      }),
    );
  });

  it("leaves an allow or a deny on record, by the one who asked", async () => {
    const events = await sql`
      select distinct actor_id, decision from audit.events
      where action in ('note.read', 'rpc.read_note') and organization_id = ${clinic.id}`;
    const decisions = (user: User) =>
      events.filter(({ actor_id }) => actor_id === user.id).map((it) => it.decision);
    expect(decisions(people.author)).toEqual(["allow"]);
    expect(decisions(people.supervisor)).toEqual(["allow"]);
    expect(decisions(people.scheduler)).toEqual(["deny"]);
    expect(decisions(people.colleague)).toEqual(["deny"]);
    expect(decisions(people.reviewer).sort()).toEqual(["allow", "deny"]);
  });
});

describe("a bad request", () => {
  let clinic: NotesClinic;
  beforeAll(async () => {
    clinic = await createNotesClinic();
  });
  const write = (changes: object, user = clinic.rosa.user) =>
    notes(user, { action: "save", session_id: clinic.session, version: 0, text: "x", ...changes });

  it.each([
    ["empty", "", "too_small"],
    ["blank", " \n\t ", "too_small"],
    ["of 1 MB", "x".repeat(1_000_000), "too_big"],
    ["one character too long", "x".repeat(200_001), "too_big"],
    ["with NUL", "a\u0000b", "invalid_format"],
    ["with half a surrogate pair", "a\ud800b", "invalid_format"],
  ])("a text that is %s is refused, and nothing is written", async (_, text, code) => {
    const problem = await expectProblem(await write({ text }), "validation_failed");
    expect(problem.errors).toMatchObject([{ field: "text", code }]);
    expect(await storedNotes(clinic)).toEqual({ keys: [], notes: [], versions: [] });
  });

  it("a text of 10 MB is refused before it is read", async () => {
    await expectProblem(await write({ text: "x".repeat(10_000_000) }), "payload_too_large");
  });

  it.each([
    { session_id: undefined },
    { kind: "addendum" },
    { addends_note_id: randomUUID() },
    { kind: "letter" },
    { version: -1 },
    { version: "1" },
    { note: "x" },
  ])("%j is refused", async (changes) => {
    await expectProblem(await write(changes), "validation_failed");
  });

  it("the longest text there may be is kept, in three-byte characters", async () => {
    const session_id = await addSession(clinic, 40, 16);
    const text = "語".repeat(200_000);
    await save(clinic.rosa.user, { session_id }, text);
    const [note] = await read(clinic.rosa.user, { session_id });
    expect(note?.text === text).toBe(true);
  });

  it("a cancelled session takes no note, nor a signature under a draft", async () => {
    const session_id = await bookSession(clinic, 41, 16);
    const draft = await save(clinic.rosa.user, { session_id }, "x");
    await cancel(clinic.scheduler, { session_ids: [session_id], cancelled_by: "clinic", reason: "x" });
    for (const body of [
      { action: "save", session_id, version: 1, text: "y" },
      { action: "sign", note_id: draft.id, version: 1 },
    ]) {
      const problem = await expectProblem(await notes(clinic.rosa.user, body), "validation_failed");
      expect(problem.errors).toMatchObject([{ field: "session_id", code: "session_cancelled" }]);
    }
  });

  it("a session that has not begun has no signed note, but a draft", async () => {
    const session_id = await bookSession(clinic, 45, 16);
    const { id: note_id } = await save(clinic.rosa.user, { session_id }, "x");
    const problem = await expectProblem(
      await notes(clinic.rosa.user, { action: "sign", note_id, version: 1 }),
      "validation_failed",
    );
    expect(problem.errors).toMatchObject([{ field: "note_id", code: "session_not_begun" }]);
  });

  it("a note is not signed twice, nor another's, nor in a version that is not the last", async () => {
    const session_id = await addSession(clinic, 42, 16);
    const draft = await save(clinic.rosa.user, { session_id }, "one");
    await save(clinic.rosa.user, { session_id }, "two", 1);
    const sign = (user: User, version: number, action = "sign") =>
      notes(user, { action, note_id: draft.id, version });
    expect((await expectProblem(await sign(clinic.rosa.user, 1), "stale_version")).version).toBe(2);
    expect((await expectProblem(await write({ session_id, version: 1 }), "stale_version")).version).toBe(2);
    await expectProblem(await sign(clinic.bea.user, 2), "forbidden");
    await expectProblem(await sign(clinic.bea.user, 2, "cosign"), "validation_failed");
    await act(clinic.rosa.user, "sign", draft.id, { version: 2 });
    await expectProblem(await sign(clinic.rosa.user, 2), "note_signed");
    await act(clinic.bea.user, "cosign", draft.id, { version: 2 });
    expect((await expectProblem(await sign(clinic.bea.user, 2, "cosign"), "note_signed")).reason).toBe(
      "cosigned",
    );
  });

  it("who was the therapist of a session and is no more signs no draft of it", async () => {
    const session_id = await addSession(clinic, 43, 16);
    const draft = await save(clinic.rosa.user, { session_id }, "x");
    await sql`update public.sessions set therapist_id = ${clinic.theo.id} where id = ${session_id}`;
    await expectProblem(
      await notes(clinic.rosa.user, { action: "sign", note_id: draft.id, version: 1 }),
      "forbidden",
    );
    // The new one writes a note of their own.
    expect((await save(clinic.theo.user, { session_id }, "y")).id).not.toBe(draft.id);
  });
});
