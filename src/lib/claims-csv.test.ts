import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderClaimsCsv } from "./claims-csv.ts";

const person = {
  given_name: "Zoë",
  family_name: "O'Brien",
  date_of_birth: "2019-02-03",
  sex: "F",
  line: "2 Side Street",
  city: "Los Angeles",
  state: "CA",
  postal_code: "90001",
};
const line = {
  service_date: "2027-03-01",
  cpt_code: "97153",
  modifiers: ["HM", "95"],
  units: 4,
  charge_cents: 6068,
  place_of_service: "11",
};

function batch(changes: { payerName?: string; familyName?: string; number?: string | null } = {}) {
  const payer = { name: changes.payerName ?? "Payer", payer_code: "12345", filing_indicator: "CI" };
  return {
    control_number: 7,
    usage: "test",
    created_at: "2027-03-05T10:00",
    submitter: { name: "Clinic", submitter_code: "SENDER", contact_name: "Who Bills", phone: "5555550100" },
    receiver: { name: "Receiver", receiver_code: "RECEIVER" },
    billing_provider: {
      name: "Clinic",
      npi: "1234567893",
      tax_id: "123456789",
      taxonomy_code: "103K00000X",
      line: "1 Main Street",
      city: "Los Angeles",
      state: "CA",
      postal_code: "900010001",
    },
    claims: [
      {
        claim_number: "000000001",
        frequency: "1",
        payer_claim_number: changes.number ?? null,
        authorization_number: "A-1",
        diagnosis_codes: ["F84.0", "F90.2"],
        payer,
        subscriber: { ...person, family_name: changes.familyName ?? person.family_name, member_id: "M1" },
        patient: null,
        rendering_provider: {
          given_name: "Ann",
          family_name: "Delivers",
          npi: "1245319599",
          taxonomy_code: null,
        },
        lines: [line, { ...line, units: 1, charge_cents: 5 }],
      },
    ],
  };
}

/** A reader of RFC 4180 that shares nothing with the writer. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let rest = text;
  while (rest !== "") {
    const row: string[] = [];
    for (let more = true; more; ) {
      const [whole, quoted, plain, end] = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/.exec(
        rest,
      ) as unknown as string[];
      row.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
      rest = rest.slice(whole?.length);
      more = end === ",";
    }
    rows.push(row);
  }
  return rows;
}

describe("claims as CSV", () => {
  it("have a row for each line, amounts in dollars, and names for the columns", () => {
    const [names, ...rows] = readCsv(renderClaimsCsv(batch()));
    expect(rows).toHaveLength(2);
    const [first, second] = rows.map((row) =>
      Object.fromEntries(row.map((value, at) => [names?.[at], value])),
    );
    expect(first).toMatchObject({
      control_number: "7",
      claim_number: "000000001",
      line_number: "1",
      service_date: "2027-03-01",
      modifiers: "HM 95",
      charge: "60.68",
      diagnosis_codes: "F84.0 F90.2",
      patient_family_name: "O'BRIEN",
      member_id: "M1",
    });
    expect(second).toMatchObject({ line_number: "2", units: "1", charge: "0.05" });
  });

  it("hold any text that a claim can, and none that a spreadsheet takes for a formula", () => {
    const text = fc
      .array(fc.constantFrom(..."ABC 019=+-,.;'\"()&/"), { minLength: 1, maxLength: 30 })
      .map((letters) => letters.join(""))
      .filter((value) => value.trim() !== "");
    fc.assert(
      fc.property(text, text, (payerName, familyName) => {
        const rows = readCsv(renderClaimsCsv(batch({ payerName, familyName })));
        expect(new Set(rows.map(({ length }) => length)).size).toBe(1);
        const cells = rows.flat();
        expect(cells.filter((value) => /^[=+\-@]/.test(value))).toEqual([]);
        const written = payerName.replace(/\s+/g, " ").trim();
        expect(cells).toContain(/^[=+\-@]/.test(written) ? `'${written}` : written);
      }),
      { numRuns: 200 },
    );
  });

  it("are refused as the 837P file is", () => {
    expect(() => renderClaimsCsv({ ...batch(), usage: "play" })).toThrow(/./);
  });
});
