import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canEnter, guardFor, PERMISSIONS, ROLES, ROUTE_GUARDS, type Route } from "./guards.ts";

const everything = { roles: ROLES, permissions: PERMISSIONS };

describe("guardFor", () => {
  it.each([
    ["/", "/", {}],
    ["/schedule", "/schedule", {}],
    ["/clients", "/clients", {}],
    ["/clients/42", "/clients/:clientId", { clientId: "42" }],
    ["/clients/A%20b", "/clients/:clientId", { clientId: "A b" }],
    ["/therapists/42", "/therapists/:therapistId", { therapistId: "42" }],
    ["/therapists/newt", "/therapists/:therapistId", { therapistId: "newt" }],
    ["/availability", "/availability", {}],
    ["/waitlist", "/waitlist", {}],
    ["/tenants", "/tenants", {}],
  ])("finds %s under %s", (path, route, params) => {
    expect(guardFor(path)).toEqual({ route, params, guard: ROUTE_GUARDS[route as Route] });
  });

  it.each([
    "/therapists/new",
    "/therapists/new/",
    "/therapists/new?from=list",
    "/therapists/New",
    "/therapists/%6eew",
  ])("takes %s for the form, not for a therapist", (path) => {
    expect(guardFor(path)?.route).toBe("/therapists/new");
  });

  it.each(["/clients/", "/clients?page=2", "/clients/?page=2#top", "/clients#/audit", "/Clients"])(
    "takes %s for /clients",
    (path) => {
      expect(guardFor(path)?.route).toBe("/clients");
    },
  );

  it.each(["?tab=1", "#top"])("takes /%s for /", (suffix) => {
    expect(guardFor(`/${suffix}`)?.route).toBe("/");
  });

  it.each([
    "",
    "clients",
    "//clients",
    "//",
    "/clients//",
    "/clients/42/notes",
    "/clients/..",
    "/clients/%2e%2e",
    "/clients/a%2Fb",
    "/clients/a%5Cb",
    "/clients/%zz",
    "/nowhere",
    "/:clientId",
    "https://elsewhere.example/clients",
    "/constructor",
  ])("finds nothing for %j", (path) => {
    expect(guardFor(path)).toBeNull();
  });

  it("finds every route under itself, whatever its parameters, query and trailing slash", () => {
    const segment = fc.string({ minLength: 1 }).filter((text) => !/^\.{1,2}$|[/\\]|^new$/i.test(text));
    const route = fc.constantFrom(...(Object.keys(ROUTE_GUARDS) as Route[]));
    fc.assert(
      fc.property(
        route,
        segment,
        fc.constantFrom("", "/", "?q=/audit", "/?q=1#x"),
        (route, value, suffix) => {
          const path = route.replace(/:\w+/, encodeURIComponent(value)) + (route === "/" ? "" : suffix);
          const found = guardFor(path);
          expect(found?.route).toBe(route);
          expect(Object.values(found?.params ?? {})).toEqual(route.includes(":") ? [value] : []);
        },
      ),
    );
  });

  it("never throws, whatever the path", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (path) => {
        guardFor(path);
        guardFor(`/${path}`);
      }),
    );
  });
});

describe("canEnter", () => {
  it("refuses a path that has no guard, whoever asks", () => {
    expect(canEnter("/nowhere", everything)).toBe(false);
    expect(canEnter("/clients/42/notes", everything)).toBe(false);
  });

  it("refuses somebody without a role everywhere", () => {
    for (const route of Object.keys(ROUTE_GUARDS)) {
      expect(canEnter(route, { roles: [], permissions: PERMISSIONS }), route).toBe(false);
    }
  });

  it("asks for one of the roles and for every permission", () => {
    const both = { roles: ["client", "admin"], permissions: ["view_audit", "view_clients"] } as const;
    expect(canEnter("/audit", both)).toBe(true);
    expect(canEnter("/audit", { ...both, permissions: ["view_clients"] })).toBe(false);
    expect(canEnter("/audit", { ...both, roles: ["client"] })).toBe(false);
  });

  it("keeps who looks at the schedule from changing when somebody works", () => {
    const therapist = { roles: ["therapist"], permissions: ["view_schedule"] } as const;
    expect(canEnter("/schedule", therapist)).toBe(true);
    expect(canEnter("/availability", therapist)).toBe(false);
    expect(canEnter("/availability", { ...therapist, permissions: ["manage_availability"] })).toBe(false);
  });

  it("keeps the form for a new therapist from those who may look at therapists", () => {
    const therapist = { roles: ["therapist"], permissions: ["view_therapists"] } as const;
    expect(canEnter("/therapists/42", therapist)).toBe(true);
    expect(canEnter("/therapists/new", therapist)).toBe(false);
  });
});
