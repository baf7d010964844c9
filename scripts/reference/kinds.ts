// What kinds of reference data there are: the columns of each file, how a cell is read, and what makes two rows the same.

export type Value = string | number | boolean | null;
export type Row = Record<string, Value>;

/** Reads a cell. A string that it throws is the reason why it cannot. */
type Read = (cell: string) => Value;

export interface Kind {
  /** The table, which is the kind's name. */
  table: "cpt_codes" | "credentials" | "mue_limits" | "places_of_service";
  columns: Record<string, Read>;
  /** The columns that say which row it is. */
  key: string[];
  /** Rows of one of these, one after another in time: a new one ends the one before it. */
  succession?: string[];
}

const text =
  (most: number): Read =>
  (cell) => {
    if (cell.length < 1 || cell.length > most) throw `1 to ${most} characters are asked for`;
    return cell;
  };
const like =
  (form: RegExp, what: string): Read =>
  (cell) => {
    if (!form.test(cell)) throw `is not ${what}`;
    return cell;
  };
const integer =
  (least: number, most: number): Read =>
  (cell) => {
    const value = Number(cell);
    if (!/^\d+$/.test(cell) || value < least || value > most)
      throw `is not a number from ${least} to ${most}`;
    return value;
  };
const orNothing =
  (read: Read): Read =>
  (cell) =>
    cell === "" ? null : read(cell);
const flag: Read = (cell) => {
  if (cell !== "true" && cell !== "false") throw "is neither true nor false";
  return cell === "true";
};
const day: Read = (cell) => {
  const date = new Date(`${cell}T00:00:00Z`);
  if (
    !/^\d{4}-\d\d-\d\d$/.test(cell) ||
    Number.isNaN(date.getTime()) ||
    !date.toISOString().startsWith(cell)
  ) {
    throw "is not a day like 2027-01-31";
  }
  return cell;
};
const cptCode = like(/^[0-9]{4}[0-9T]$/, "a CPT code like 97153 or 0373T");

export const KINDS: Kind[] = [
  {
    table: "cpt_codes",
    columns: {
      code: cptCode,
      description: text(200),
      minimum_level: integer(1, 4),
      starts_on: day,
      ends_on: orNothing(day),
    },
    key: ["code"],
  },
  {
    table: "credentials",
    columns: {
      code: like(/^[A-Za-z][A-Za-z0-9-]{0,19}$/, "a credential like BCBA-D"),
      description: text(200),
      level: integer(1, 4),
      modifier: orNothing(like(/^[0-9A-Z]{2}$/, "a modifier like HM")),
    },
    key: ["code"],
  },
  {
    table: "mue_limits",
    columns: {
      cpt_code: cptCode,
      programme: like(/^(commercial|medicaid)$/, "commercial or medicaid"),
      units_per_day: integer(1, 96),
      starts_on: day,
      ends_on: orNothing(day),
      source: text(200),
    },
    key: ["cpt_code", "programme", "starts_on"],
    succession: ["cpt_code", "programme"],
  },
  {
    table: "places_of_service",
    columns: {
      code: like(/^[0-9]{2}$/, "a place of service like 02"),
      description: text(200),
      is_telehealth: flag,
    },
    key: ["code"],
  },
];

export const keyOf = (row: Row, columns: string[]): string => columns.map((name) => row[name]).join(" ");
