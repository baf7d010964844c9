// Comma-separated values by RFC 4180. A small reader of its own: no dependency of the project has one.

export interface CsvRow {
  /** The line of the file on which the row begins, from 1. */
  line: number;
  cells: string[];
}

/** A file that is not CSV: `line` is where it stops being so. */
export class CsvError extends Error {
  override name = "CsvError";
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** The rows of a text, empty lines left out; a byte order mark is skipped. */
export function parseCsv(text: string): CsvRow[] {
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;
  const rows: CsvRow[] = [];
  let row: CsvRow = { line: 1, cells: [] };
  let line = 1;
  cell.lastIndex = text.startsWith("\uFEFF") ? 1 : 0;
  for (;;) {
    const found = cell.exec(text);
    if (!found)
      throw new CsvError(line, "a quote is not where RFC 4180 has one: double it, or quote the whole cell");
    const [whole, quoted, plain = "", end] = found;
    row.cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    line += whole.match(/\r\n|\n|\r/g)?.length ?? 0;
    if (end === ",") continue;
    if (row.cells.length > 1 || quoted !== undefined || plain !== "") rows.push(row);
    if (cell.lastIndex >= text.length) return rows;
    row = { line, cells: [] };
  }
}
