// A reader of 837P files that shares no code with the writer: it takes the delimiters from the file, checks the envelope,
// the counts, the levels and the order of segments as the guide 005010X222A1 has them, and gives back what the file says.

export interface ReadLine {
  code: string;
  modifiers: string[];
  amount: string;
  units: number;
  place: string;
  day: string;
  number: string;
}

export interface ReadClaim {
  number: string;
  amount: string;
  place: string;
  frequency: string;
  authorization: string | undefined;
  payerNumber: string | undefined;
  diagnoses: string[];
  payer: { name: string; code: string; filing: string };
  subscriber: Pick<ReadPerson, "family" | "given"> & Partial<ReadPerson> & { member: string };
  patient: (ReadPerson & { relationship: string }) | undefined;
  rendering: { family: string; given: string; npi: string; taxonomy: string | undefined };
  lines: ReadLine[];
}

interface ReadPerson {
  family: string;
  given: string;
  born: string;
  sex: string;
  address: string[];
}

type Segment = string[];

/** What follows what within a loop: a name and how often, as the guide's tables of 2010AA to 2400 list them. */
const LOOPS = {
  header: ["ST", "BHT", "NM1*41", "PER*IC", "NM1*40"],
  billing: ["HL", "PRV*BI", "NM1*85", "N3", "N4", "REF*EI"],
  subscriber: ["HL", "SBR", "NM1*IL", "N3?", "N4?", "DMG?", "NM1*PR"],
  patient: ["HL", "PAT", "NM1*QC", "N3", "N4", "DMG"],
  claim: ["CLM", "REF*G1?", "REF*F8?", "HI", "NM1*82", "PRV*PE?"],
  line: ["LX", "SV1", "DTP*472", "REF*6R"],
} as const;

export function read837P(text: string): {
  control: string;
  usage: string;
  taxId: string;
  npi: string;
  claims: ReadClaim[];
} {
  const element = text.charAt(3);
  const component = text.charAt(104);
  const terminator = text.charAt(105);
  must(
    /^ISA.{102}$/.test(text.slice(0, 105)),
    "the interchange header has 105 characters before its terminator",
  );
  must(/^[\x20-\x7e\n]*$/.test(text), "only printable ASCII");
  const segments = text
    .split(terminator)
    .map((segment) => segment.replace(/^\n/, ""))
    .filter((segment) => segment !== "")
    .map((segment) => segment.split(element));
  for (const segment of segments) {
    if (segment[0] !== "ISA") must(segment.at(-1) !== "", `no empty element at the end of ${segment[0]}`);
  }

  const [isa, gs, ...rest] = segments as [Segment, Segment, ...Segment[]];
  const [se, ge, iea] = rest.splice(-3) as [Segment, Segment, Segment];
  must(
    gs[0] === "GS" && gs[1] === "HC" && gs[8] === "005010X222A1",
    "a functional group of professional claims",
  );
  must(
    isa[12] === "00501" && isa[6]?.trim() === gs[2] && isa[8]?.trim() === gs[3],
    "one sender and receiver",
  );
  must(iea[0] === "IEA" && iea[1] === "1" && iea[2] === isa[13], "the interchange ends as it began");
  must(ge[0] === "GE" && ge[1] === "1" && ge[2] === gs[6], "the group ends as it began");
  must(
    se[0] === "SE" && Number(se[1]) === rest.length + 1 && se[2] === rest[0]?.[2],
    "SE counts its segments",
  );

  const reader = new Reader(rest);
  reader.loop("header");
  const billing = reader.loop("billing");
  must(join(billing, "HL") === "HL*1**20*1", "the billing provider is the first level");
  const claims: ReadClaim[] = [];
  let level = 1;
  while (reader.next() === "HL") {
    level += 1;
    const subscriber = reader.loop("subscriber");
    const hasPatient = find(subscriber, "HL")[4] === "1";
    must(
      join(subscriber, "HL") === `HL*${level}*1*22*${hasPatient ? 1 : 0}`,
      "subscribers stand below the provider",
    );
    must((find(subscriber, "SBR")[2] === "18") !== hasPatient, "a subscriber is the patient or has one");
    const facts = subscriber.filter(([tag = ""]) => ["N3", "N4", "DMG"].includes(tag)).length;
    must(facts === (hasPatient ? 0 : 3), "address and birth are said of the patient, once");
    let patient: Segment[] | undefined;
    if (hasPatient) {
      patient = reader.loop("patient");
      must(join(patient, "HL") === `HL*${level + 1}*${level}*23*0`, "a patient stands below its subscriber");
      level += 1;
    }
    const claim = reader.loop("claim");
    const lines: ReadLine[] = [];
    while (reader.next() === "LX") {
      const line = reader.loop("line");
      must(find(line, "LX")[1] === String(lines.length + 1), "lines are numbered from 1");
      lines.push(lineOf(line, component, composite(find(claim, "CLM")[5], component)[0] ?? ""));
    }
    claims.push(claimOf(subscriber, patient, claim, lines, component));
  }
  must(reader.next() === undefined, "nothing follows the last claim");
  return {
    control: isa[13] ?? "",
    usage: isa[15] ?? "",
    taxId: find(billing, "REF")[2] ?? "",
    npi: find(billing, "NM1")[9] ?? "",
    claims,
  };
}

class Reader {
  readonly #segments: Segment[];
  constructor(segments: Segment[]) {
    this.#segments = [...segments];
  }

  next(): string | undefined {
    return this.#segments[0]?.[0];
  }

  /** Takes the segments of a loop in the order of its table. */
  loop(name: keyof typeof LOOPS): Segment[] {
    return LOOPS[name].flatMap((entry) => {
      const [tag, qualifier] = entry.replace("?", "").split("*");
      const segment = this.#segments[0];
      const fits = segment?.[0] === tag && (qualifier === undefined || segment?.[1] === qualifier);
      if (!fits && entry.endsWith("?")) return [];
      must(fits, `${entry} comes next in the loop ${name}, not ${segment?.slice(0, 2).join("*")}`);
      return this.#segments.splice(0, 1);
    });
  }
}

function claimOf(
  subscriber: Segment[],
  patient: Segment[] | undefined,
  claim: Segment[],
  lines: ReadLine[],
  component: string,
): ReadClaim {
  const clm = find(claim, "CLM");
  const [place = "", qualifier, frequency = ""] = composite(clm[5], component);
  must(qualifier === "B", "the place is a code of the place of service list");
  const cents = lines.reduce((sum, line) => sum + Math.round(Number(line.amount) * 100), 0);
  must(Math.round(Number(clm[2]) * 100) === cents, "a claim's amount is the sum of its lines");
  const [first, ...others] = find(claim, "HI")
    .slice(1)
    .map((code) => composite(code, component));
  must(first?.[0] === "ABK" && others.every(([kind]) => kind === "ABF"), "one principal diagnosis, first");
  const insured = find(subscriber, "NM1");
  const payer = subscriber.at(-1) ?? [];
  const rendering = find(claim, "NM1");
  return {
    number: clm[1] ?? "",
    amount: clm[2] ?? "",
    place,
    frequency,
    authorization: claim.find(([tag, kind]) => tag === "REF" && kind === "G1")?.[2],
    payerNumber: claim.find(([tag, kind]) => tag === "REF" && kind === "F8")?.[2],
    diagnoses: [first, ...others].map((code) => code?.[1] ?? ""),
    payer: { name: payer[3] ?? "", code: payer[9] ?? "", filing: find(subscriber, "SBR")[9] ?? "" },
    subscriber: { ...(patient ? nameOf(subscriber) : personOf(subscriber)), member: insured[9] ?? "" },
    patient: patient && { ...personOf(patient), relationship: find(patient, "PAT")[1] ?? "" },
    rendering: {
      family: rendering[3] ?? "",
      given: rendering[4] ?? "",
      npi: rendering[9] ?? "",
      taxonomy: claim.find(([tag]) => tag === "PRV")?.[3],
    },
    lines,
  };
}

function lineOf(line: Segment[], component: string, claimPlace: string): ReadLine {
  const service = find(line, "SV1");
  const [qualifier, code = "", ...modifiers] = composite(service[1], component);
  must(qualifier === "HC" && service[3] === "UN", "a procedure code, in units");
  must(find(line, "DTP")[2] === "D8", "a service has one day");
  must(
    composite(service[7], component).every((pointer) => /^[1-9]$|^1[0-2]$/.test(pointer)),
    "lines point to diagnoses",
  );
  return {
    code,
    modifiers,
    amount: service[2] ?? "",
    units: Number(service[4]),
    place: service[5] || claimPlace,
    day: find(line, "DTP")[3] ?? "",
    number: find(line, "REF")[2] ?? "",
  };
}

function nameOf(loop: Segment[]): Pick<ReadPerson, "family" | "given"> {
  const name = find(loop, "NM1");
  return { family: name[3] ?? "", given: name[4] ?? "" };
}

function personOf(loop: Segment[]): ReadPerson {
  const born = find(loop, "DMG");
  return {
    ...nameOf(loop),
    born: born[2] ?? "",
    sex: born[3] ?? "",
    address: [...find(loop, "N3").slice(1), ...find(loop, "N4").slice(1)],
  };
}

function find(loop: Segment[], tag: string): Segment {
  const found = loop.find(([name]) => name === tag);
  must(found !== undefined, `${tag} is there`);
  return found as Segment;
}

function join(loop: Segment[], tag: string): string {
  return find(loop, tag).join("*");
}

function composite(value: string | undefined, component: string): string[] {
  return (value ?? "").split(component);
}

function must(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`not an 837P file: ${rule}`);
}
