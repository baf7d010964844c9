// The client's own calls for admins and operators, over REST as an app makes them.

import { beforeAll, describe, expect, it } from "vitest";
import { createHoldfast, type Holdfast, isHoldfastError } from "../../../src/lib/index.ts";
import { type Clinic, createClinic } from "../support/clinic.ts";
import { connect } from "../support/stack.ts";

let clinic: Clinic;
let admin: Holdfast;
let rosa: Holdfast;
beforeAll(async () => {
  clinic = await createClinic();
  admin = createHoldfast(await clinic.admin.client());
  rosa = createHoldfast(await clinic.rosa.user.client());
});

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "done",
    (error: unknown) => (isHoldfastError(error) ? error.code : error),
  );

describe("audit", () => {
  it("gives an admin the trail by pages, and what was denied", async () => {
    const organizationId = clinic.id;
    expect(await codeOf(rosa.clients.archiveClient({ clientId: clinic.aspen }))).toBe("forbidden");
    const events = await admin.audit.listAuditEvents({ organizationId, limit: 1 });
    expect(events).toMatchObject([{ action: "rpc.archive_client", decision: "deny", code: "forbidden" }]);
    const [last] = events;
    const before = await admin.audit.listAuditEvents({ organizationId, beforeId: last?.id ?? 0 });
    expect(before.some(({ id }) => id >= (last?.id ?? 0))).toBe(false);
    expect(before.length).toBeGreaterThan(0);

    const userId = clinic.rosa.user.id;
    const denied = await admin.audit.listDeniedAttempts({ organizationId, userId });
    expect(denied).toMatchObject([{ id: last?.id, actorId: userId, code: "forbidden" }]);
    expect(await admin.audit.listDeniedAttempts({ organizationId, until: new Date(0) })).toEqual([]);
  });

  it("is nobody else's", async () => {
    const organizationId = clinic.id;
    expect(await codeOf(rosa.audit.listAuditEvents({ organizationId }))).toBe("forbidden");
    expect(await rosa.audit.listDeniedAttempts({ organizationId })).toEqual([]);
  });
});

describe("partners", () => {
  it("makes an account, renews its token, shows when it was used, and ends it", async () => {
    const { partners } = admin;
    const made = await partners.createServiceAccount({
      organizationId: clinic.id,
      name: "Northside Pediatrics",
      scopes: ["schedule:read"],
      expiresAt: new Date(Date.now() + 86_400_000),
    });
    const { accountId } = made;
    const renewed = await partners.rotateServiceAccountToken({ accountId, overlapMinutes: 0 });
    expect(renewed.token).not.toBe(made.token);
    const tokens = await partners.listServiceAccountTokens({ accountId });
    expect(tokens.map(({ prefix }) => renewed.token.startsWith(prefix))).toEqual([true, false]);
    expect((await partners.revokeServiceAccount({ accountId })).accountId).toBe(accountId);

    expect(await codeOf(rosa.partners.revokeServiceAccount({ accountId }))).toBe("forbidden");
    const nameless = { organizationId: clinic.id, name: "", scopes: [] };
    expect(await codeOf(partners.createServiceAccount(nameless))).toBe("validation_failed");
  });
});

describe("access", () => {
  it("chooses an organization that one is a member of", async () => {
    expect(await admin.access.chooseOrganization({ organizationId: clinic.id })).toBeUndefined();
    expect(await admin.access.chooseOrganization({ organizationId: null })).toBeUndefined();
    const other = (await createClinic()).id;
    expect(await codeOf(admin.access.chooseOrganization({ organizationId: other }))).toBe("forbidden");
  });

  it("breaks no glass for who is no super admin", async () => {
    const request = { organizationId: clinic.id, reason: "A fire in the server room" };
    expect(await codeOf(admin.access.breakGlass(request))).toBe("forbidden");
  });

  it("is refused as unauthenticated, and not as forbidden, to who is not signed in", async () => {
    const anonymous = createHoldfast(connect());
    const { aspen: clientId } = clinic;
    expect(await codeOf(anonymous.consents.listConsents({ clientId }))).toBe("unauthenticated");
    expect(await codeOf(anonymous.audit.listAuditEvents({ organizationId: clinic.id }))).toBe(
      "unauthenticated",
    );
  });
});

describe("clients and their keys", () => {
  it("archives a client once, whatever is repeated under the same key", async () => {
    const { aspen: clientId } = await createClinic().then(async (own) => {
      const boss = createHoldfast(await own.admin.client());
      const first = await boss.clients.archiveClient({ clientId: own.aspen }, { idempotencyKey: "once" });
      expect(first).toMatchObject({ clientId: own.aspen, status: "archived" });
      expect(await boss.clients.archiveClient({ clientId: own.aspen }, { idempotencyKey: "once" })).toEqual(
        first,
      );
      return own;
    });
    expect(await codeOf(admin.clients.archiveClient({ clientId }))).toBe("not_found");
  });

  it("destroys no key where there is none", async () => {
    expect(await codeOf(admin.notes.destroyClientKey({ clientId: clinic.aspen }))).toBe("not_found");
  });
});
