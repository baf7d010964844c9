// Which domain a table or an RPC belongs to: that of the migration that makes it, by the migration's number.

import { readdirSync, readFileSync } from "node:fs";
import { projectPath } from "../stack/paths.ts";

interface Domain {
  title: string;
  /** First and last numbers of migrations. */
  migrations: [number, number][];
}

/** In the order of the pages. What no other domain has, the last one has. */
const DOMAINS: Domain[] = [
  {
    title: "Organizations and people",
    migrations: [
      [200, 299],
      [400, 499],
      [1246, 1250],
    ],
  },
  { title: "Services, codes and payers", migrations: [[500, 539]] },
  {
    title: "Hours",
    migrations: [
      [550, 599],
      [1240, 1245],
    ],
  },
  {
    title: "Sessions",
    migrations: [
      [600, 759],
      [900, 1239],
      [1255, 1264],
    ],
  },
  {
    title: "Authorizations and billing",
    migrations: [
      [768, 779],
      [1265, 1269],
    ],
  },
  {
    title: "Consents, notes and documents",
    migrations: [
      [540, 549],
      [780, 799],
      [1270, 1299],
    ],
  },
  {
    title: "Families and partners",
    migrations: [
      [760, 767],
      [1400, 1459],
    ],
  },
  {
    title: "Access and audit",
    migrations: [
      [300, 319],
      [850, 899],
      [1330, 1339],
    ],
  },
  { title: "Reports", migrations: [[1500, 1599]] },
  { title: "Integrations and operations", migrations: [] },
];

export const DOMAIN_TITLES: readonly string[] = DOMAINS.map(({ title }) => title);

const MADE =
  /^create (?:or replace )?(?:table|view|function) (?:if not exists )?((?:public|app|audit)\.\w+)/gm;

/** By the qualified name of each table, view and function, the number of the migration that first makes it. */
function migrationNumbers(): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const file of readdirSync(projectPath("supabase", "migrations")).sort()) {
    const text = readFileSync(projectPath("supabase", "migrations", file), "utf8");
    for (const [, name = ""] of text.matchAll(MADE)) {
      if (!numbers.has(name)) numbers.set(name, Number(file.slice(8, 14)));
    }
  }
  return numbers;
}

const numbers = migrationNumbers();

/** The title of the domain of `sessions`, `app.jobs` or `hold_sessions`. An RPC is where the function of `app` behind it is. */
export function domainOf(name: string): string {
  const bare = name.replace(/^public\./, "");
  const number = numbers.get(bare) ?? numbers.get(`app.${bare}`) ?? numbers.get(`public.${bare}`);
  if (number === undefined) throw new Error(`no migration makes ${name}`);
  const domain = DOMAINS.find(({ migrations }) =>
    migrations.some(([first, last]) => number >= first && number <= last),
  );
  return (domain ?? DOMAINS[DOMAINS.length - 1])?.title ?? "";
}
