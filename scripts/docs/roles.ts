// docs/roles.md: the roles as the database has them, and the matrix that the tests try cell by cell, a table a domain.

import type { Sql } from "postgres";
import { DOMAIN_TITLES, domainOf } from "./domains.ts";

interface Row {
  relation: string;
  is_call: boolean;
  about: string;
  command: string;
  persona: string;
  scope: string;
  allowed: boolean;
}

/** The columns, by what the matrix calls them. */
const COLUMNS: Record<string, string> = {
  client: "client",
  therapist: "therapist",
  supervisor: "supervisor",
  psychiatrist: "psychiatrist",
  internal_ops: "internal_ops",
  partner_provider: "partner_provider",
  admin: "admin",
  super_admin: "super_admin",
  "super_admin with break-glass": "break-glass",
  system_service: "system_service",
  service_role: "secret key",
};

const ELSEWHERE = "other organization";
/** Where the matrix tells nothing apart: the cell says that they may, and the words on what. */
const WHOLE = ["own organization", "any organization"];
const SCOPES: Record<string, string> = {
  "own row": "own",
  "own time": "on own time",
  "colleague's row": "colleagues'",
  "supervised row": "supervised",
  "assigned client": "assigned clients'",
  "client for review": "under review",
  "unassigned client": "other clients'",
  "own organization": "the organization's",
  "a team of an assigned client": "teams of assigned clients",
  "a team of a client for review": "teams under review",
  "an offer to an own child": "offers to their children",
  "an offer of own time": "offers of own time",
  "an insurance card": "insurance cards",
  "a hidden one of an own child": "hidden from the family",
  "a released summary of an own child": "released summaries",
};
const COMMANDS: Record<string, string> = {
  select: "read",
  insert: "add",
  update: "change",
  delete: "delete",
  call: "call",
};

/** The page, of a database on which the matrix was loaded. */
export async function rolesPage(sql: Sql): Promise<string> {
  const roles = await sql<{ role: string; summary: string; mfa: boolean; permissions: string[] }[]>`
    select role, summary, requires_mfa as mfa, array(
      select permission from public.role_permissions granted where granted.role = it.role order by 1) as permissions
    from public.roles it
    order by array_position(${Object.keys(COLUMNS)}, role)`;
  const rows = await sql<Row[]>`
    select relation, key_column is null as is_call, about, command, persona, scope, allowed
    from access.cells
    join access.relations using (relation)
    where command <> 'execute'
    order by line`;
  return [
    INTRODUCTION,
    table(
      ["role", "who", "permissions"],
      roles.map(({ role, summary, mfa, permissions }) => [
        `\`${role}\``,
        `${summary}${mfa ? ". Second factor always" : ""}`,
        permissions.map((permission) => `\`${permission}\``).join(", "),
      ]),
    ),
    READING,
    ...DOMAIN_TITLES.map((title) =>
      domainSection(
        title,
        rows.filter(({ relation }) => domainOf(relation) === title),
      ),
    ),
    "## Everybody else",
    othersSection(rows),
    "## Closed",
    `Nobody, the secret key included, reads or writes these by the API; what is in them comes out of calls: ${[
      ...new Set(rows.filter(({ is_call }) => !is_call).map(({ relation }) => relation)),
    ]
      .filter((relation) => !rows.some((row) => row.relation === relation && row.allowed))
      .sort()
      .map((relation) => `\`${relation}\``)
      .join(", ")}.\n`,
  ].join("\n\n");
}

/** A table of what somebody may in a domain; a role that may nothing there has no column. */
function domainSection(title: string, rows: Row[]): string {
  const relations = [...new Set(rows.map(({ relation }) => relation))];
  const lines = relations.flatMap((relation) => linesOf(rows.filter((row) => row.relation === relation)));
  if (lines.length === 0) return `## ${title}\n\nNothing of it is open to the API.`;
  const columns = Object.keys(COLUMNS).filter((_, index) => lines.some(({ cells }) => cells[index] !== ""));
  const at = columns.map((column) => Object.keys(COLUMNS).indexOf(column));
  return `## ${title}\n\n${table(
    ["", ...columns.map((column) => COLUMNS[column] ?? ""), "in words"],
    lines.map(({ what, cells, about }) => [what, ...at.map((index) => cells[index] || "·"), about]),
  )}`;
}

/** The lines of a relation: commands that the same people may give to the same rows stand together. */
function linesOf(rows: Row[]): { what: string; cells: string[]; about: string }[] {
  const [{ relation, is_call: isCall, about } = { relation: "", is_call: false, about: "" }] = rows;
  const byCells = new Map<string, string[]>();
  for (const command of [...new Set(rows.map(({ command }) => command))]) {
    const cells = Object.keys(COLUMNS).map((persona) =>
      cellOf(rows.filter((row) => row.command === command && row.persona === persona)),
    );
    if (cells.every((cell) => cell === "")) continue;
    const key = JSON.stringify(cells);
    byCells.set(key, [...(byCells.get(key) ?? []), command]);
  }
  return [...byCells].map(([cells, commands], index) => ({
    what: isCall
      ? `\`${relation}()\``
      : `\`${relation}\` ${commands.map((command) => COMMANDS[command]).join(", ")}`,
    cells: JSON.parse(cells),
    about: index === 0 ? about : "",
  }));
}

/** On which rows: all that the matrix tells apart, or those named. */
function cellOf(cells: Row[]): string {
  const inside = cells.filter(({ scope }) => scope !== ELSEWHERE);
  const allowed = inside.filter((cell) => cell.allowed);
  if (cells.some(({ scope, allowed }) => scope === ELSEWHERE && allowed)) return "everywhere";
  if (allowed.length === 0) return "";
  if (cells[0]?.is_call && inside.every(({ scope }) => WHOLE.includes(scope))) return "may";
  if (allowed.length === inside.length) return "all";
  return allowed.map(({ scope, persona }) => scopeOf(scope, persona)).join(", ");
}

/** In the matrix a parent stands for a client as a therapist does. */
const scopeOf = (scope: string, persona: string): string =>
  persona === "client" && scope === "assigned client" ? "own children's" : (SCOPES[scope] ?? scope);

/** Those who are no role: each with what is open to them. */
function othersSection(rows: Row[]): string {
  const others = [...new Set(rows.map(({ persona }) => persona))].filter((persona) => !(persona in COLUMNS));
  return others
    .sort()
    .map((persona) => {
      const may = rows.filter((row) => row.persona === persona && row.allowed);
      const named = (command: string) =>
        [...new Set(may.filter((row) => row.command === command).map((row) => `\`${row.relation}\``))].join(
          ", ",
        );
      const deeds = [...new Set(may.map(({ command }) => command))].map(
        (command) => `${COMMANDS[command]} ${named(command)}`,
      );
      return `- **${persona}**: ${deeds.join("; ") || "nothing"}`;
    })
    .join("\n");
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const INTRODUCTION = `# Roles, and who may do what

\`npm run docs\` writes this page from the database and from the matrix of the tests
(\`supabase/tests/database/89-matrix.test.sql\`); a test compares. Each cell is tried there twice: as a database role, and over REST with a real
token. How roles are given and end is in [access.md](access.md).`;

const READING = `A role counts in its organization, from the statement after it is given to the statement after it ends. Some organizations demand a second
factor of everybody.

In the tables below a cell says on which rows: \`all\` of the caller's organization; \`everywhere\`, also of others; or those named: \`own\`,
\`supervised\` (of therapists whom they supervise), \`assigned clients'\` (on whose care team they are), \`under review\` (assigned to them for review).
\`may\`: on what, the words at the end of the line say. A dot: on none. A role without a column may nothing in that domain. \`break-glass\`
is a super admin in an organization for a few hours, on record;
\`secret key\` is the project's own, for servers. Reading is never of PHI columns ([schema.md](schema.md)): those are read by the calls, \`name()\`, which put each
reading on record.`;
