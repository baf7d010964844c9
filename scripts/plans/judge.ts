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
  /** Functions that may read tables, as a plan writes their names. */
  readers: Set<string>;
}

/** In tables and indexes of fewer rows than this any way to read them is good. */
const fewRows = 500;
/** For so many rows at once a function that reads tables is called too often. */
const oftenCalled = 100;
/** Estimates are judged where more rows than this are expected or given. */
const manyRows = 1000;
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
    if (source) find(misestimate(node, above), source, detail);
  }
  return findings;
}

function tableOf(node: PlanNode): string {
  return node["Relation Name"] ? `${node.Schema}.${node["Relation Name"]}` : "";
}

const dropped = (node: PlanNode): number =>
  (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0);
const givenAndDropped = (node: PlanNode): number => node["Actual Rows"] + dropped(node);

function faultOfRead(node: PlanNode, { rows }: Catalog): Fault | undefined {
  const type = node["Node Type"];
  const rowsOfTable = rows.get(tableOf(node)) ?? 0;
  if (type === "Seq Scan" || type === "Sample Scan") {
    return rowsOfTable >= fewRows ? "reads the whole table" : undefined;
  }
  if (node["Index Name"] && !node["Index Cond"]) {
    // Not who stops before that: a merge that has all it looks for.
    const read = givenAndDropped(node) * node["Actual Loops"];
    return Math.min(read, rowsOfIndex(node, rows)) >= fewRows ? "reads the whole index" : undefined;
  }
  // What is given was asked for; what is thrown away was not.
  return rowsOfTable > 0 && dropped(node) > Math.max(twoClinics, muchOfATable * rowsOfTable)
    ? "reads much of the table"
    : undefined;
}

/** A bitmap's plan names an index without its schema. */
const rowsOfIndex = (node: PlanNode, rows: Map<string, number>): number =>
  Math.max(
    0,
    ...[node.Schema ?? ["public", "app", "audit", "auth", "storage"]]
      .flat()
      .map((schema) => rows.get(`${schema}.${node["Index Name"]}`) ?? 0),
  );

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

function misestimate(node: PlanNode, above: PlanNode[]): Fault | undefined {
  const loops = node["Actual Loops"];
  if (loops === 0) return undefined;
  const [expected, given] = [Math.max(1, node["Plan Rows"]), Math.max(1, node["Actual Rows"])];
  if (Math.max(expected, given * loops) <= manyRows) return undefined;
  if (given > tolerance * expected) return saysTwice(node) ? undefined : "expects too few rows";
  // What a policy's list holds is known when it runs, and then nothing of it may be the asker's.
  const isKnown = !sourcesOf(node).some(
    (it) => it.Filter?.includes("(InitPlan") || it["Index Cond"]?.includes("(InitPlan"),
  );
  const isWhole = ![node, ...above].some(stopsEarly);
  return isKnown && isWhole && expected > manyRows && expected > tolerance * given
    ? "expects too many rows"
    : undefined;
}

/**
 * A policy's list holds what the app asks for by the same column (`organization_id = $1 and organization_id = any (list)`):
 * the planner takes the two for independent, and no statistics tell it otherwise.
 */
function saysTwice(node: PlanNode): boolean {
  const conditions = sourcesOf(node)
    .flatMap((it) => [it["Index Cond"], it["Recheck Cond"], it.Filter])
    .join(" ");
  const listed = [...conditions.matchAll(/(\w+\.\w+) = ANY \(\(InitPlan/g)];
  return listed.some(([, column]) => new RegExp(`\\b${column} = (\\$|')`).test(conditions));
}

function functionsIn(condition: string | undefined): string[] {
  return [...(condition ?? "").matchAll(/\b((?:app|public|audit)\.\w+)\(/g)].map(([, name]) => String(name));
}
