// What is wrong with a plan, at a size where it shows.

import { type Captured, nodesOf, type PlanNode } from "./capture.ts";

export type Fault =
  | "reads the whole table"
  | "reads the whole index"
  | "reads much of the table"
  | "calls a function for each row"
  | "expects too few rows"
  | "expects too many rows";

export interface Finding {
  fault: Fault;
  /** The table that is read, or what else gives the rows. */
  of: string;
  /** The innermost function that the statement stands in, or who sent it. */
  within: string;
  detail: string;
  text: string;
}

/** What the judgment needs of the catalog. */
export interface Catalog {
  /** Rows of the tables that grow with the tenants and of their indexes, by `schema.name`; partitions by their own names. */
  rows: Map<string, number>;
  /** The column that leads each index, where the index is a tree of columns. */
  leads: Map<string, string>;
  /** Functions that may read tables, as a plan writes their names. */
  readers: Set<string>;
  /** In tables and indexes of fewer rows than this any way to read them is good: a row or two a clinic. */
  fewRows: number;
}

/** For so many rows at once a function that reads tables is called too often. */
const oftenCalled = 100;
/** Estimates are judged where twice as many rows are expected or given as any way to read them is good for. */
const tolerance = 10;
/** A condition that lets so much be read in vain is none: a tenth of the table, where that is more than two clinics' rows. */
const muchOfATable = 0.1;
const twoClinics = 50_000;

export function judge(captured: Captured, catalog: Catalog): Finding[] {
  const findings: Finding[] = [];
  const { text, within, login, plan } = captured;
  const caller = within[0] ?? (login === "postgres" ? "an operator" : "an app");
  for (const [node, above] of nodesOf(plan)) {
    const find = (fault: Fault | undefined, of: string, detail: string): void => {
      if (fault) findings.push({ fault, of, within: caller, detail, text });
    };
    const table = tableOf(node);
    const condition = node.Filter ?? "";
    find(faultOfRead(node, catalog), table || String(node["Index Name"]), node["Index Name"] ?? condition);
    const called = functionsIn(condition).find((name) => catalog.readers.has(name));
    if (called && table && givenAndDropped(node) > oftenCalled) {
      find("calls a function for each row", table, `${called}: ${condition}`);
    }
    const [source] = estimatedFrom(node, catalog);
    const detail = `${node["Node Type"]}: ${node["Plan Rows"]} expected, ${node["Actual Rows"]} given`;
    if (source) find(misestimate(node, above, 2 * catalog.fewRows), source, detail);
  }
  return findings;
}

function tableOf(node: PlanNode): string {
  return node["Relation Name"] ? `${node.Schema}.${node["Relation Name"]}` : "";
}

const dropped = (node: PlanNode): number =>
  (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0);
const givenAndDropped = (node: PlanNode): number => node["Actual Rows"] + dropped(node);

function faultOfRead(node: PlanNode, { rows, leads, fewRows }: Catalog): Fault | undefined {
  const type = node["Node Type"];
  const rowsOfTable = rows.get(tableOf(node)) ?? 0;
  if (type === "Seq Scan" || type === "Sample Scan") {
    return rowsOfTable >= fewRows ? "reads the whole table" : undefined;
  }
  const entries = Math.max(0, ...ofIndex(node, rows));
  if (node["Index Name"] && !node["Index Cond"]) {
    // Not who stops before that: a merge that has all it looks for.
    const read = givenAndDropped(node) * node["Actual Loops"];
    return Math.min(read, entries) >= fewRows ? "reads the whole index" : undefined;
  }
  // With a condition on its other columns alone every entry is compared with it: in vain, unless many are given.
  const asked = node["Index Cond"] ?? "";
  if (ofIndex(node, leads).some((lead) => !new RegExp(`\\b${lead}\\b`).test(asked))) {
    const isInVain = entries > tolerance * node["Actual Rows"];
    return isInVain && entries >= fewRows ? "reads the whole index" : undefined;
  }
  // What is given was asked for; what is thrown away was not.
  return rowsOfTable > 0 && dropped(node) > Math.max(twoClinics, muchOfATable * rowsOfTable)
    ? "reads much of the table"
    : undefined;
}

/** What is known of a step's index. A bitmap's plan names it without its schema. */
const ofIndex = <T>(node: PlanNode, known: Map<string, T>): T[] =>
  ["public", "app", "audit", "auth", "storage"]
    .filter((schema) => (node.Schema ?? schema) === schema)
    .flatMap((schema) => known.get(`${schema}.${node["Index Name"]}`) ?? []);

/**
 * The tables that a step's rows come from, where its estimate says something of them. What functions and arrays give is a
 * constant that the planner is told or assumes, and a bitmap of an index counts entries of rows that are gone.
 */
function estimatedFrom(node: PlanNode, { rows }: Catalog): string[] {
  if (/^Bitmap(Or|And| Index Scan)$/.test(node["Node Type"])) return [];
  const sources = sourcesOf(node);
  const assumed = /^(Function Scan|ProjectSet|Values Scan|CTE Scan|Result)$/;
  if (sources.some((it) => assumed.test(it["Node Type"]))) return [];
  return sources.map(tableOf).filter((name) => rows.has(name));
}

/** The step and those it gets its rows from, not those that only compute a value of its condition. */
const sourcesOf = (node: PlanNode): PlanNode[] => [
  node,
  ...(node.Plans ?? [])
    .filter((it) => !/^(Init|Sub)Plan$/.test(it["Parent Relationship"] ?? ""))
    .flatMap(sourcesOf),
];

/** Steps whose rows are not all fetched have no count to hold an estimate against. */
const stopsEarly = (node: PlanNode): boolean =>
  node["Node Type"] === "Limit" ||
  node["Node Type"] === "Merge Join" ||
  node["Join Type"] === "Semi" ||
  node["Join Type"] === "Anti" ||
  node["Parent Relationship"] === "InitPlan" ||
  node["Parent Relationship"] === "SubPlan";

function misestimate(node: PlanNode, above: PlanNode[], manyRows: number): Fault | undefined {
  const loops = node["Actual Loops"];
  if (loops === 0 || !isKnownBefore(node)) return undefined;
  const [expected, given] = [Math.max(1, node["Plan Rows"]), Math.max(1, node["Actual Rows"])];
  if (Math.max(expected, given * loops) <= manyRows) return undefined;
  if (given > tolerance * expected) return "expects too few rows";
  const isWhole = ![node, ...above].some(stopsEarly);
  return isWhole && expected > manyRows && expected > tolerance * given ? "expects too many rows" : undefined;
}

/**
 * What a subquery gives, a policy's list above all, and the lists of a plan that is made for every list, are known only when the
 * plan runs. Of a policy's the planner assumes that it lets through ten organizations' rows, and that what an app asks for is
 * spread over all organizations, where it is the asker's own: no statistics tell it otherwise.
 */
function isKnownBefore(node: PlanNode): boolean {
  return !sourcesOf(node).some((it) => /\(InitPlan|ANY \(\$/.test(`${it["Index Cond"]} ${it.Filter}`));
}

function functionsIn(condition: string | undefined): string[] {
  return [...(condition ?? "").matchAll(/\b((?:app|public|audit)\.\w+)\(/g)].map(([, name]) => String(name));
}
