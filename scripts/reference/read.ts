// A file of reference data: which kind it is, and its rows, or all that is wrong with it.

import { CsvError, parseCsv } from "./csv.ts";
import { KINDS, type Kind, keyOf, type Row } from "./kinds.ts";

export interface Fault {
  line: number;
  /** Empty where it is the row. */
  column: string;
  message: string;
}

export interface ReferenceFile {
  kind: Kind;
  rows: Row[];
}

/** The header says which kind of file it is; its columns may be in any order. */
export function readReference(text: string): ReferenceFile | Fault[] {
  let lines: ReturnType<typeof parseCsv>;
  try {
    lines = parseCsv(text);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return [{ line: error.line, column: "", message: error.message }];
  }
  const [header, ...body] = lines;
  const names = header?.cells ?? [];
  const kind = KINDS.find(({ columns }) => sameNames(Object.keys(columns), names));
  if (!kind) {
    const known = KINDS.map(({ table, columns }) => `${table}: ${Object.keys(columns).join(",")}`).join("; ");
    return [{ line: 1, column: "", message: `the header is that of no kind of file (${known})` }];
  }

  const faults: Fault[] = [];
  const rows = new Map<string, Row>();
  for (const { line, cells } of body) {
    const row: Row = {};
    const before = faults.length;
    if (cells.length !== names.length) {
      faults.push({ line, column: "", message: `has ${cells.length} cells, the header has ${names.length}` });
      continue;
    }
    for (const [index, column] of names.entries()) {
      try {
        row[column] = kind.columns[column]?.(cells[index] ?? "") ?? null;
      } catch (reason) {
        if (typeof reason !== "string") throw reason;
        faults.push({ line, column, message: reason });
      }
    }
    if (faults.length > before) continue;
    if (typeof row.ends_on === "string" && row.ends_on < String(row.starts_on)) {
      faults.push({ line, column: "ends_on", message: "is before starts_on" });
    }
    const key = keyOf(row, kind.key);
    if (rows.has(key)) {
      faults.push({ line, column: kind.key[0] ?? "", message: "the file has this row already" });
    }
    rows.set(key, row);
  }
  return faults.length > 0 ? faults : { kind, rows: [...rows.values()] };
}

function sameNames(expected: string[], given: string[]): boolean {
  return given.length === expected.length && expected.every((name) => given.includes(name));
}
