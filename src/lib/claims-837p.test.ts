import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { read837P } from "../../supabase/tests/support/x12.ts";
import { type ClaimBatch, claimText, isNpi } from "./claim-batch.ts";
import { render837P } from "./claims-837p.ts";
import { isHoldfastError } from "./errors.ts";

const person = {
  given_name: "Jose",
  family_name: "Nunez",
  date_of_birth: "2018-05-06",
  sex: "M",
  line: "1 Main St",
  city: "Oakland",
  state: "CA",
  postal_code: "94601",
} as const;

const batch: ClaimBatch = {
  control_number: 42,
  usage: "test",
  created_at: "2027-03-05T14:05",
  submitter: { name: "Bay Clinic", submitter_code: "BAY01", contact_name: "Billing", phone: "5105550100" },
  receiver: { name: "Clearing House", receiver_code: "CLR01" },
  billing_provider: {
    name: "Bay Clinic",
    npi: "1234567893",
    tax_id: "123456789",
    taxonomy_code: "103K00000X",
    line: "2 Oak Ave",
    city: "Oakland",
    state: "CA",
    postal_code: "94601-1234",
  },
  claims: [
    {
      claim_number: "C1",
      frequency: "1",
      payer_claim_number: null,
      authorization_number: "AUTH-1",
      diagnosis_codes: ["F84.0", "F80.2"],
      payer: { name: "Blue Plan", payer_code: "00001", filing_indicator: "CI" },
      subscriber: { ...person, member_id: "W1234" },
      patient: null,
      rendering_provider: {
        given_name: "Ana",
        family_name: "Reyes",
        npi: "1234567893",
        taxonomy_code: "106S00000X",
      },
      lines: [
        {
          service_date: "2027-03-01",
          cpt_code: "97153",
          modifiers: ["HM"],
          units: 8,
          charge_cents: 12_250,
          place_of_service: "12",
        },
      ],
    },
  ],
};
const [claim] = batch.claims as [ClaimBatch["claims"][number]];

function withClaim(changes: Record<string, unknown>) {
  return { ...batch, claims: [{ ...claim, ...changes }] };
}

/** The fields that the refusal of a batch names. */
function refusedFields(candidate: unknown): string[] {
  try {
    render837P(candidate);
  } catch (error) {
    if (isHoldfastError(error, "validation_failed")) return error.problem.errors.map(({ field }) => field);
    throw error;
  }
  return [];
}

describe("an 837P file", () => {
  it("has the envelope, the levels and the claim as the guide orders them", () => {
    expect(render837P(batch).split("~\n")).toEqual([
      "ISA*00*          *00*          *ZZ*BAY01          *ZZ*CLR01          *270305*1405*^*00501*000000042*0*T*:",
      "GS*HC*BAY01*CLR01*20270305*1405*42*X*005010X222A1",
      "ST*837*0001*005010X222A1",
      "BHT*0019*00*42*20270305*1405*CH",
      "NM1*41*2*BAY CLINIC*****46*BAY01",
      "PER*IC*BILLING*TE*5105550100",
      "NM1*40*2*CLEARING HOUSE*****46*CLR01",
      "HL*1**20*1",
      "PRV*BI*PXC*103K00000X",
      "NM1*85*2*BAY CLINIC*****XX*1234567893",
      "N3*2 OAK AVE",
      "N4*OAKLAND*CA*946011234",
      "REF*EI*123456789",
      "HL*2*1*22*0",
      "SBR*P*18*******CI",
      "NM1*IL*1*NUNEZ*JOSE****MI*W1234",
      "N3*1 MAIN ST",
      "N4*OAKLAND*CA*94601",
      "DMG*D8*20180506*M",
      "NM1*PR*2*BLUE PLAN*****PI*00001",
      "CLM*C1*122.5***12:B:1*Y*A*Y*Y",
      "REF*G1*AUTH-1",
      "HI*ABK:F840*ABF:F802",
      "NM1*82*1*REYES*ANA****XX*1234567893",
      "PRV*PE*PXC*106S00000X",
      "LX*1",
      "SV1*HC:97153:HM*122.5*UN*8***1:2",
      "DTP*472*D8*20270301",
      "REF*6R*C1-1",
      "SE*28*0001",
      "GE*1*42",
      "IEA*1*000000042",
      "",
    ]);
  });

  it("gives a patient who does not hold the policy a level of its own", () => {
    const { claims } = read837P(
      render837P(withClaim({ patient: { ...person, given_name: "Mia", relationship: "child" } })),
    );
    expect(claims[0]?.patient).toMatchObject({ given: "MIA", relationship: "19" });
    expect(claims[0]?.subscriber).toMatchObject({ given: "JOSE", member: "W1234" });
  });

  it("names the payer's claim that it replaces", () => {
    const { claims } = read837P(render837P(withClaim({ frequency: "7", payer_claim_number: "PCN-9" })));
    expect(claims[0]).toMatchObject({ frequency: "7", payerNumber: "PCN-9" });
  });

  it("says, read by a reader of its own, what the batch said, whatever the batch", () => {
    fc.assert(
      fc.property(batches, (any) => {
        const read = read837P(render837P(any));
        expect(read).toMatchObject({
          control: String(any.control_number).padStart(9, "0"),
          usage: any.usage === "test" ? "T" : "P",
        });
        expect(read.claims.map(({ lines }) => lines)).toEqual(
          any.claims.map(({ claim_number: number, lines }) =>
            lines.map((line, index) => ({
              code: line.cpt_code,
              modifiers: line.modifiers,
              amount: String(line.charge_cents / 100),
              units: line.units,
              place: line.place_of_service,
              day: line.service_date.replace(/-/g, ""),
              number: `${number}-${index + 1}`,
            })),
          ),
        );
        expect(read.claims.map(({ subscriber }) => [subscriber.family, subscriber.given])).toEqual(
          any.claims.map(({ subscriber }) => [
            claimText(subscriber.family_name),
            claimText(subscriber.given_name),
          ]),
        );
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    [
      "a letter outside the character set",
      withClaim({ subscriber: { ...claim.subscriber, given_name: "明" } }),
      "subscriber.givenName",
    ],
    [
      "a delimiter in a name",
      withClaim({ subscriber: { ...claim.subscriber, given_name: "A*B" } }),
      "subscriber.givenName",
    ],
    ["a segment terminator in a number", withClaim({ authorization_number: "1~SE" }), "authorizationNumber"],
    [
      "a blank name",
      withClaim({ subscriber: { ...claim.subscriber, family_name: " " } }),
      "subscriber.familyName",
    ],
    [
      "a name that grows past its length when spelled out",
      withClaim({ subscriber: { ...claim.subscriber, given_name: "ﷺ".repeat(5) } }),
      "subscriber.givenName",
    ],
    ["no diagnosis", withClaim({ diagnosis_codes: [] }), "diagnosisCodes"],
    [
      "a wrong check digit",
      withClaim({ rendering_provider: { ...claim.rendering_provider, npi: "1234567890" } }),
      "renderingProvider.npi",
    ],
    [
      "a fifth modifier",
      withClaim({ lines: [{ ...claim.lines[0], modifiers: ["HM", "95", "U1", "U2", "U3"] }] }),
      "lines[0].modifiers",
    ],
    ["no unit", withClaim({ lines: [{ ...claim.lines[0], units: 0 }] }), "lines[0].units"],
    [
      "part of a cent",
      withClaim({ lines: [{ ...claim.lines[0], charge_cents: 0.5 }] }),
      "lines[0].chargeCents",
    ],
    ["no line", withClaim({ lines: [] }), "lines"],
  ])("refuses %s by the name of its field", (_, candidate, field) => {
    expect(refusedFields(candidate)).toEqual([`claims[0].${field}`]);
  });

  it("refuses a ZIP code of five digits for the provider, and an empty batch", () => {
    const provider = { ...batch.billing_provider, postal_code: "94601" };
    expect(refusedFields({ ...batch, billing_provider: provider })).toEqual(["billingProvider.postalCode"]);
    expect(refusedFields({ ...batch, claims: [] })).toEqual(["claims"]);
  });
});

describe("a National Provider Identifier", () => {
  // The example of the CMS check digit paper, and its neighbours.
  it.each(["1234567890", "1234567891", "123456789", "12345678930", "", "abcdefghij"])(
    "is not %s",
    (digits) => {
      expect(isNpi(digits)).toBe(false);
    },
  );
  it("is 1234567893", () => {
    expect(isNpi("1234567893")).toBe(true);
  });
  it("has one check digit only", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[12]\d{8}$/), (nine) => {
        expect([..."0123456789"].filter((digit) => isNpi(nine + digit))).toHaveLength(1);
      }),
    );
  });
});

// Names as people write them: accents, hyphens, apostrophes, several words.
const name = fc
  .array(fc.constantFrom("Ana", "José", "O’Neil", "Núñez-Fuentes", "de la Cruz", "Åse"), {
    minLength: 1,
    maxLength: 3,
  })
  .map((parts) => parts.join(" "));
const day = fc
  .date({ min: new Date("2020-01-01"), max: new Date("2030-12-31"), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));
const line = fc.record({
  service_date: day,
  cpt_code: fc.constantFrom("97153", "97155", "0362T"),
  modifiers: fc.array(fc.constantFrom("HM", "HN", "HO", "95", "GT"), { maxLength: 4 }),
  units: fc.integer({ min: 1, max: 96 }),
  charge_cents: fc.integer({ min: 0, max: 999_999 }),
  place_of_service: fc.constantFrom("02", "10", "11", "12"),
});
const batches: fc.Arbitrary<ClaimBatch> = fc
  .record({
    control: fc.integer({ min: 1, max: 999_999_999 }),
    usage: fc.constantFrom("production" as const, "test" as const),
    claims: fc.array(
      fc.record({
        given: name,
        family: name,
        self: fc.boolean(),
        lines: fc.array(line, { minLength: 1, maxLength: 6 }),
        taxonomy: fc.option(fc.constant("106S00000X")),
        authorization: fc.option(fc.constant("A-1")),
      }),
      { minLength: 1, maxLength: 5 },
    ),
  })
  .map(({ control, usage, claims }) => ({
    ...batch,
    control_number: control,
    usage,
    claims: claims.map((drawn, index) => ({
      ...claim,
      claim_number: `C${index + 1}`,
      authorization_number: drawn.authorization,
      subscriber: { ...claim.subscriber, given_name: drawn.given.slice(0, 35), family_name: drawn.family },
      patient: drawn.self
        ? null
        : { ...person, given_name: drawn.given.slice(0, 35), relationship: "child" as const },
      rendering_provider: { ...claim.rendering_provider, taxonomy_code: drawn.taxonomy },
      lines: drawn.lines,
    })),
  }));
