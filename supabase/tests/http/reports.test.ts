// Reports over HTTP, by the client and raw: what they answer, and what they do not take.

import { beforeAll, describe, expect, it } from "vitest";
import { HoldfastError, readAttendance, readMissingNotes } from "../../../src/lib/index.ts";
import {
  attendancePageSchema,
  authorizationUnitsPageSchema,
  cancellationPageSchema,
  missingNotesPageSchema,
  sessionsReportRequestSchema,
  supervisionPageSchema,
  supervisionRequestSchema,
  unbilledPageSchema,
  utilizationPageSchema,
} from "../../../src/lib/reports.ts";
import { authorize } from "../support/authorizations.ts";
import { createUser } from "../support/clinic.ts";
import { callRest } from "../support/consents.ts";
import { createReportsClinic, type ReportsClinic, stretch, write } from "../support/reports.ts";
import { sql } from "../support/stack.ts";

const DAYS = { from: "2026-10-01", to: "2026-11-30" };
const MONTH = { month: "2026-10" };

const REPORTS = [
  ["read_attendance", DAYS, attendancePageSchema],
  ["read_cancellations", DAYS, cancellationPageSchema],
  ["read_utilization", DAYS, utilizationPageSchema],
  ["read_authorization_units", DAYS, authorizationUnitsPageSchema],
  ["read_unbilled_sessions", DAYS, unbilledPageSchema],
  ["read_missing_notes", DAYS, missingNotesPageSchema],
  ["supervision_months", MONTH, supervisionPageSchema],
] as const;

describe("reports", () => {
  let clinic: ReportsClinic;

  const ask = async (name: string, request: object, user = clinic.admin) =>
    (await callRest(name, user, { request: { organization_id: clinic.id, ...request } })).body;

  beforeAll(async () => {
    clinic = await createReportsClinic();
    await authorize(clinic, clinic.aspen, { units: 100 });
    const session = (
      therapist: string,
      minute: number,
      status: "completed" | "cancelled",
      client = clinic.aspen,
    ) => ({
      id: crypto.randomUUID(),
      therapist,
      client,
      supervises: therapist === clinic.bea.id,
      ...stretch([minute, 60]),
      status,
      cancelledBy: status === "cancelled" ? ("client" as const) : null,
      actual: status === "completed" ? stretch([minute, 60]) : null,
      note: "none" as const,
    });
    await write(clinic, [
      session(clinic.rosa.id, 0, "completed"),
      session(clinic.bea.id, 0, "completed"),
      session(clinic.rosa.id, 120, "cancelled"),
      session(clinic.theo.id, 0, "completed", clinic.birch),
    ]);
  });

  it.each(REPORTS)("%s answers by its schema, and has something to say", async (name, request, schema) => {
    const { data } = await ask(name, request);
    const page = schema.strict().parse(data);
    expect(page.rows.length).toBeGreaterThan(0);
    expect(page.next).toBeNull();
  });

  it.each(REPORTS)("%s goes on where a page ended", async (name, request) => {
    const whole = (await ask(name, request)).data?.rows as unknown[];
    const rows: unknown[] = [];
    let after: unknown = null;
    do {
      const page = (await ask(name, { ...request, limit: 1, ...(after !== null && { after }) })).data;
      const shown = (page?.rows ?? []) as unknown[];
      expect(shown).toHaveLength(1);
      rows.push(...shown);
      after = page?.next;
    } while (after !== null);
    expect(rows).toEqual(whole);
  });

  it.each(REPORTS)("%s says nothing to the family, to partners and to strangers", async (name, request) => {
    const parent = await createUser();
    await sql`insert into public.user_roles (organization_id, user_id, role) values (${clinic.id}, ${parent.id}, 'client')`;
    expect((await ask(name, request, parent)).problem?.code).toBe("forbidden");
    expect((await ask(name, request, await createUser())).problem?.code).toBe("not_found");
    const elsewhere = await createReportsClinic();
    expect((await ask(name, request, elsewhere.admin)).problem?.code).toBe("not_found");
    // By an id of their own, too, nobody reads what is elsewhere.
    const mixed = { ...request, therapist_id: elsewhere.rosa.id };
    expect((await ask(name, mixed)).problem?.code).toBe("not_found");
  });

  it.each(REPORTS)("%s puts a refusal on record", async (name, request) => {
    await ask(name, { ...request, limit: "many" });
    const [event] = await sql`
      select decision, code from audit.events
      where organization_id = ${clinic.id} and action = ${`rpc.${name}`} and actor_id = ${clinic.admin.id} and code = 'validation_failed'`;
    expect(event).toMatchObject({ decision: "deny" });
  });

  it("are narrowed to a therapist or a client", async () => {
    const supabase = await clinic.admin.client();
    const request = { organizationId: clinic.id, ...DAYS };
    const ofTheo = await readAttendance(supabase, { ...request, therapistId: clinic.theo.id });
    expect(ofTheo.rows.map(({ therapistId }) => therapistId)).toEqual([clinic.theo.id]);
    const ofAspen = await readMissingNotes(supabase, { ...request, clientId: clinic.aspen });
    expect(ofAspen.rows.map(({ clientId }) => clientId)).toEqual([clinic.aspen, clinic.aspen]);
    const ofNobody = await readMissingNotes(supabase, { ...request, clientId: clinic.unassigned });
    expect(ofNobody).toEqual({ rows: [], next: null });
  });

  const JUNK = [0, -1, 1.5, true, "", "2026-02-30", "now", "infinity", [], {}, "a/b", "x".repeat(10_000)];
  const FIELDS = ["from", "to", "month", "after", "limit", "therapist_id", "client_id"];

  it.each(REPORTS)("%s takes no nonsense in any field", async (name, request) => {
    for (const field of FIELDS) {
      // Whose organization it is about nobody knows, so the allowance is the least there is.
      await sql`delete from app.call_counts where user_id = ${clinic.admin.id}`;
      const answers = await Promise.all(
        JUNK.map((junk) =>
          callRest(name, clinic.admin, {
            request: { organization_id: clinic.id, ...request, [field]: junk },
          }),
        ),
      );
      for (const { status, body } of answers) {
        expect(status, field).toBe(200);
        if (field in request || ["after", "limit"].includes(field)) {
          expect(body.problem, field).toMatchObject({ code: "validation_failed", errors: [{ field }] });
        } else if (body.problem) {
          expect(body.problem.code, field).toBe("validation_failed");
        }
      }
    }
  });

  it("are refused by the contract before they are sent, as the database refuses them", async () => {
    const wrong: [object, string][] = [
      [{ from: "2026-11-02", to: "2026-11-01" }, "to"],
      [{ from: "2025-11-01", to: "2026-11-02" }, "to"],
      [{ from: "2026-11-31", to: "2026-12-01" }, "from"],
      [{ ...DAYS, limit: 201 }, "limit"],
    ];
    for (const [request, field] of wrong) {
      const parsed = sessionsReportRequestSchema.safeParse({ organization_id: clinic.id, ...request });
      expect(parsed.error?.issues.map(({ path }) => path[0])).toEqual([field]);
      const { problem } = await ask("read_attendance", request);
      expect(problem?.errors?.map((error) => error.field)).toEqual([field]);
    }
    for (const month of ["2026-00", "2026-1", "26-01"]) {
      expect(supervisionRequestSchema.safeParse({ organization_id: clinic.id, month }).success).toBe(false);
      expect((await ask("supervision_months", { month })).problem?.errors?.[0]?.field).toBe("month");
    }
    const longest = { organization_id: clinic.id, from: "2025-11-01", to: "2026-11-01" };
    expect(sessionsReportRequestSchema.safeParse(longest).success).toBe(true);
    expect((await ask("read_attendance", longest)).problem).toBeUndefined();
  });

  it("throw a HoldfastError in the client", async () => {
    const supabase = await clinic.admin.client();
    const error = await readAttendance(supabase, {
      organizationId: clinic.id,
      from: "2026-11-02",
      to: "2026-11-01",
    }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(HoldfastError);
    expect((error as HoldfastError).code).toBe("validation_failed");
  });
});
