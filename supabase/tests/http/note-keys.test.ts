// What keeps notes shut and together: tampering is refused and alerted, keys rotate under load, a destroyed key is gone,
// and nothing on the disk has their text.

import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { generateKeys, rotateKeys } from "../../../scripts/keys.ts";
import { startFunctions } from "../../../scripts/stack/index.ts";
import { readMasterKeys } from "../../functions/_shared/note-crypto.ts";
import { expectProblem } from "../support/calls.ts";
import type { User } from "../support/clinic.ts";
import {
  act,
  addSession,
  createNotesClinic,
  type NotesClinic,
  notes,
  read,
  save,
  storedNotes,
  tamper,
} from "../support/notes.ts";
import { sql, stack } from "../support/stack.ts";

const alertsOf = (clinic: NotesClinic) =>
  sql`select kind, note_id, actor_id from public.access_alerts where organization_id = ${clinic.id}`;

describe("a note that was tampered with is never shown, and the admins are alerted:", () => {
  /** Each what a superuser may do to a row; `other` is a note of Theo with the same client. */
  const CASES: [
    name: string,
    reason: string,
    (note: string, other: string, clinic: NotesClinic) => Promise<void>,
  ][] = [
    [
      "its ciphertext is another note's",
      "bound_elsewhere",
      (note, other) =>
        tamper(
          (db) => db`
        update public.session_note_versions set ciphertext =
          (select ciphertext from public.session_note_versions where note_id = ${other})
        where note_id = ${note}`,
        ),
    ],
    [
      "its ciphertext is an earlier version's",
      "bound_elsewhere",
      async (note) => {
        await tamper(
          (db) => db`
        with later as (
          insert into public.session_note_versions (organization_id, note_id, client_id, key_id, number, ciphertext, text_digest)
          select organization_id, note_id, client_id, key_id, 2, ciphertext, text_digest
          from public.session_note_versions where note_id = ${note})
        update public.session_notes set current_version = 2 where id = ${note}`,
        );
      },
    ],
    [
      "it was moved to another session",
      "bound_elsewhere",
      async (note, _, clinic) => {
        const session = await addSession(clinic, 35, 16);
        await tamper((db) => db`update public.session_notes set session_id = ${session} where id = ${note}`);
      },
    ],
    [
      "it has another author",
      "bound_elsewhere",
      (note, _, clinic) =>
        tamper(
          (db) => db`update public.session_notes set author_id = ${clinic.theo.user.id} where id = ${note}`,
        ),
    ],
    [
      "it is called a summary",
      "bound_elsewhere",
      (note) => tamper((db) => db`update public.session_notes set kind = 'summary' where id = ${note}`),
    ],
    [
      "a character of it was altered",
      "text_tampered",
      (note) =>
        tamper(
          (db) => db`
        update public.session_note_versions
        set ciphertext = left(ciphertext, -1) || case right(ciphertext, 1) when 'A' then 'Q' else 'A' end
        where note_id = ${note}`,
        ),
    ],
    [
      "its row is gone",
      "text_tampered",
      (note) => tamper((db) => db`delete from public.session_note_versions where note_id = ${note}`),
    ],
    [
      "its digest is another",
      "digest_mismatch",
      (note) =>
        tamper(
          (db) =>
            db`update public.session_note_versions set text_digest = sha256('') where note_id = ${note}`,
        ),
    ],
    [
      "its client's key was altered",
      "key_wrong",
      (_, __, clinic) =>
        tamper(
          (db) => db`
        update public.client_keys
        set wrapped_key = left(wrapped_key, -1) || case right(wrapped_key, 1) when 'A' then 'Q' else 'A' end
        where client_id = ${clinic.aspen}`,
        ),
    ],
  ];

  it.each(CASES)("%s", async (_, reason, change) => {
    const clinic = await createNotesClinic();
    const note = await save(clinic.rosa.user, { session_id: clinic.session }, "the text");
    const other = await save(clinic.theo.user, { session_id: clinic.theosSession }, "another text");
    await change(note.id, other.id, clinic);

    const body = { action: "read", note_id: note.id };
    expect((await expectProblem(await notes(clinic.rosa.user, body), "note_unreadable")).reason).toBe(reason);
    // By whom and by what else it is asked for, and that it cannot be signed.
    await expectProblem(await notes(clinic.admin, body), "note_unreadable");
    const [row] =
      await sql`select author_id, current_version from public.session_notes where id = ${note.id}`;
    const signer = row?.author_id === clinic.rosa.user.id ? clinic.rosa.user : clinic.theo.user;
    const signing = { action: "sign", note_id: note.id, version: row?.current_version };
    expect((await notes(signer, signing)).status).toBeGreaterThanOrEqual(404);
    expect(await sql`select status from public.session_notes where id = ${note.id}`).toEqual([
      { status: "draft" },
    ]);
    expect(await alertsOf(clinic)).toEqual([
      { kind: "note_unreadable", note_id: note.id, actor_id: clinic.rosa.user.id },
    ]);
    const events = await sql`
      select details ->> 'reason' as reason from audit.events
      where organization_id = ${clinic.id} and action = 'note.unreadable' and decision = 'deny' and row_id = ${note.id}`;
    expect(new Set(events.map((event) => event.reason))).toEqual(new Set([reason]));
  });

  it("but those of its session that open are, and it is named beside them", async () => {
    const clinic = await createNotesClinic();
    const note = await save(clinic.rosa.user, { session_id: clinic.session }, "the text");
    const summary = await save(clinic.rosa.user, { session_id: clinic.session, kind: "summary" }, "in short");
    const spoil = (id: string) =>
      tamper(
        (db) => db`update public.session_note_versions set text_digest = sha256('') where note_id = ${id}`,
      );
    await spoil(note.id);
    expect(await read(clinic.rosa.user, { session_id: clinic.session })).toMatchObject([
      { id: note.id, text: null, unreadable: "digest_mismatch" },
      { id: summary.id, text: "in short", unreadable: null },
    ]);
    expect(await alertsOf(clinic)).toMatchObject([{ kind: "note_unreadable", note_id: note.id }]);

    // An empty list would say that nothing was written.
    await spoil(summary.id);
    const body = { action: "read", session_id: clinic.session };
    expect((await expectProblem(await notes(clinic.admin, body), "note_unreadable")).reason).toBe(
      "digest_mismatch",
    );
  });

  it("a signed text that was exchanged for another of the same author", async () => {
    const clinic = await createNotesClinic();
    const subject = { session_id: clinic.session };
    const { id } = await save(clinic.rosa.user, subject, "signed");
    await act(clinic.rosa.user, "sign", id);
    await tamper(
      (db) => db`
      update public.session_notes set text_digest = sha256('') where id = ${id}`,
    );
    const problem = await expectProblem(
      await notes(clinic.admin, { action: "read", note_id: id }),
      "note_unreadable",
    );
    expect(problem.reason).toBe("digest_mismatch");
  });
});

describe("the first note of a client", () => {
  it("makes one key, however many write at once", async () => {
    const clinic = await createNotesClinic();
    const sessions = await Promise.all([18, 19, 20, 21].map((hour) => addSession(clinic, 36, hour)));
    const all = [...sessions, clinic.session];
    const [saved, theos] = await Promise.all([
      Promise.all(all.map((session_id) => save(clinic.rosa.user, { session_id }, `of ${session_id}`))),
      save(clinic.theo.user, { session_id: clinic.theosSession }, "of Theo"),
    ]);
    expect((await storedNotes(clinic)).keys).toHaveLength(1);
    for (const note of saved) {
      expect(await read(clinic.admin, { note_id: note.id })).toMatchObject([
        { text: `of ${note.session_id}` },
      ]);
    }
    expect(await read(clinic.admin, { note_id: theos.id })).toMatchObject([{ text: "of Theo" }]);
  });

  it("is one, when its draft is begun twice at once: the other is told", async () => {
    const clinic = await createNotesClinic();
    const write = (text: string) =>
      notes(clinic.rosa.user, { action: "save", session_id: clinic.session, version: 0, text });
    const answers = await Promise.all([write("one"), write("two"), write("three")]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect((await storedNotes(clinic)).versions).toHaveLength(1);
  });
});

describe.runIf(stack.functionsEnv)("the master keys", () => {
  const secret = stack.functionsEnv?.HOLDFAST_NOTE_KEYS ?? "";
  const asCurrent = (current: string) => readMasterKeys(JSON.stringify({ ...JSON.parse(secret), current }));

  it("rotate while notes are written and read, and touch no note", async () => {
    const clinic = await createNotesClinic();
    const sessions = await Promise.all(
      Array.from({ length: 8 }, (_, index) => addSession(clinic, 50 + index, 16)),
    );
    for (const session_id of sessions) await save(clinic.rosa.user, { session_id }, `first ${session_id}`);
    const before = (await storedNotes(clinic)).versions;
    const [one = "", other = ""] = Object.keys(JSON.parse(secret).keys);

    const rotated: string[] = [];
    const rotating = (async () => {
      for (const current of [one, other, one, other, one]) {
        expect((await rotateKeys(sql, asCurrent(current))).rewrapped).toBeGreaterThanOrEqual(0);
        rotated.push(String((await storedNotes(clinic)).keys[0]?.master_key_id));
      }
    })();
    const working = sessions.map(async (session_id) => {
      for (let version = 1; version < 6; version++) {
        await save(clinic.rosa.user, { session_id }, `${version} ${session_id}`, version);
        expect(await read(clinic.admin, { session_id })).toMatchObject([
          { text: `${version} ${session_id}` },
        ]);
      }
    });
    await Promise.all([rotating, ...working]);

    expect(rotated).toEqual([one, other, one, other, one]);
    const after = (await storedNotes(clinic)).versions;
    expect(after).toHaveLength(8 * 6);
    const kept = after.filter(({ id }) => before.some((version) => version.id === id));
    expect(kept).toEqual(before);
    expect(await rotateKeys(sql, asCurrent(one))).toMatchObject({ unreadable: expect.any(Array) });
  });

  it("leave a key that none of them opens as it is, and name it", async () => {
    const clinic = await createNotesClinic();
    await save(clinic.rosa.user, { session_id: clinic.session }, "x");
    await tamper(
      (db) => db`
      update public.client_keys set wrapped_key = 'aaaa..bbbb.cccc.dddd', master_key_id = 'gone' where client_id = ${clinic.aspen}`,
    );
    const { keys } = await storedNotes(clinic);
    const { current } = JSON.parse(secret);
    expect((await rotateKeys(sql, asCurrent(current))).unreadable).toContain(keys[0]?.id);
    expect((await storedNotes(clinic)).keys).toEqual(keys);
  });

  it.each([
    ["is missing", generateKeys(undefined), "master_key_missing"],
    ["is not set at all", "", "master_key_missing"],
    [
      "has another value",
      JSON.stringify({
        ...JSON.parse(secret || "{}"),
        keys: Object.fromEntries(
          Object.keys(JSON.parse(secret || '{"keys":{}}').keys).map((id) => [
            id,
            Buffer.alloc(32, 7).toString("base64url"),
          ]),
        ),
      }),
      "key_wrong",
    ],
  ])(
    "when the one %s, a note is neither read nor written nor blank",
    async (_, HOLDFAST_NOTE_KEYS, reason) => {
      const clinic = await createNotesClinic();
      const { id } = await save(clinic.rosa.user, { session_id: clinic.session }, "x");
      const before = await storedNotes(clinic);
      const host = await startFunctions({ ...stack.functionsEnv, HOLDFAST_NOTE_KEYS });
      const post = async (user: User, body: object) =>
        fetch(`${host.url}/session-notes`, {
          method: "POST",
          headers: { authorization: `Bearer ${await user.token()}` },
          body: JSON.stringify(body),
        });
      try {
        const read = await post(clinic.rosa.user, { action: "read", note_id: id });
        expect((await expectProblem(read, "note_unreadable")).reason).toBe(reason);
        const written = await post(clinic.rosa.user, {
          action: "save",
          session_id: clinic.session,
          version: 1,
          text: "y",
        });
        await expectProblem(written, HOLDFAST_NOTE_KEYS === "" ? "internal_error" : "note_unreadable");
      } finally {
        await host.stop();
      }
      expect(await storedNotes(clinic)).toEqual(before);
      expect((await alertsOf(clinic)).map(({ note_id }) => note_id)).toContain(id);
    },
  );

  it("are made beside those there are, and a damaged value is not carried on", () => {
    const first = generateKeys(undefined);
    const second = JSON.parse(generateKeys(first));
    expect(second.keys).toMatchObject(JSON.parse(first).keys);
    expect(second.current).not.toBe(JSON.parse(first).current);
    expect(readMasterKeys(JSON.stringify(second)).keys.size).toBe(2);
    expect(() => generateKeys("{}")).toThrow("HOLDFAST_NOTE_KEYS");
  });
});

describe("the key of a client", () => {
  const destroy = async (admin: User, client_id: string) => {
    const { data } = await (await admin.client()).rpc("destroy_client_key", { request: { client_id } });
    return data as { data?: { status: string }; problem?: { code: string } };
  };

  it("is destroyed by two admins within a day, for good, and on record", async () => {
    const clinic = await createNotesClinic();
    const { id } = await save(clinic.rosa.user, { session_id: clinic.session }, "x");
    expect(await destroy(clinic.rosa.user, clinic.aspen)).toMatchObject({ problem: { code: "forbidden" } });
    expect(await destroy(clinic.admin, clinic.birch)).toMatchObject({ problem: { code: "not_found" } });
    expect(await destroy(clinic.admin, clinic.aspen)).toMatchObject({ data: { status: "active" } });
    expect(await destroy(clinic.admin, clinic.aspen)).toMatchObject({ data: { status: "active" } });
    expect(await read(clinic.admin, { note_id: id })).toMatchObject([{ text: "x" }]);

    // A day later the proposal counts no more: the second admin's call is a new one.
    await sql`update public.client_keys set proposed_at = now() - interval '25 hours' where client_id = ${clinic.aspen}`;
    expect(await destroy(clinic.otherAdmin, clinic.aspen)).toMatchObject({ data: { status: "active" } });
    expect(await destroy(clinic.admin, clinic.aspen)).toMatchObject({ data: { status: "destroyed" } });

    await expectProblem(await notes(clinic.rosa.user, { action: "read", note_id: id }), "key_destroyed");
    await expectProblem(
      await notes(clinic.rosa.user, { action: "sign", note_id: id, version: 1 }),
      "key_destroyed",
    );
    expect((await storedNotes(clinic)).keys).toMatchObject([{ status: "destroyed", wrapped_key: null }]);
    const events = await sql`
      select action, actor_id from audit.events where organization_id = ${clinic.id} and action ~ '^note_key' order by id`;
    expect(events.map(({ action }) => action)).toEqual([
      "note_key.made",
      "note_key.proposed",
      "note_key.proposed",
      "note_key.destroyed",
    ]);
    await expectProblem(
      await notes(clinic.admin, { action: "read", session_id: clinic.session }),
      "key_destroyed",
    );
    // Who comes back has a new key.
    const again = await save(clinic.theo.user, { session_id: clinic.theosSession }, "anew");
    expect(await read(clinic.admin, { note_id: again.id })).toMatchObject([{ text: "anew" }]);
    // And what is written of the same session from now on is read, without what can be read no more.
    await save(clinic.rosa.user, { session_id: clinic.session, kind: "summary" }, "in short");
    expect(await read(clinic.admin, { session_id: clinic.session })).toMatchObject([
      { id, text: null, unreadable: "key_destroyed" },
      { text: "in short", unreadable: null },
    ]);
    expect(await alertsOf(clinic)).toEqual([]);
  });
});

describe.runIf(stack.functionsEnv)("the database's files", () => {
  it("have no text of a note, where they have other text", async () => {
    const clinic = await createNotesClinic();
    const [secret, control] = [`secret${randomUUID()}`, `control${randomUUID()}`];
    await sql`insert into public.rooms (organization_id, name) values (${clinic.id}, ${control})`;
    const { id } = await save(clinic.rosa.user, { session_id: clinic.session }, `${secret} `.repeat(50));
    await read(clinic.admin, { note_id: id });
    await act(clinic.rosa.user, "sign", id);
    await notes(clinic.rosa.user, { action: "save", session_id: clinic.session, version: 9, text: secret });
    const [row] = await sql`select current_setting('data_directory') as folder`;
    const filesWith = async (text: string) => {
      const found = await promisify(execFile)("grep", ["-rlaF", text, String(row?.folder)]).catch(
        (error: { code: number; stdout: string }) => error,
      );
      return found.stdout;
    };
    expect(await filesWith(control)).not.toBe("");
    expect(await filesWith(secret)).toBe("");
  });
});
