// Links and anchors of the pages, by the rules of GitHub.

import { textOf } from "./blocks.ts";

export interface Link {
  /** The page that is pointed to, or the one itself. A path that is no page is as it stands. */
  path: string;
  /** Without `#`; empty for the page as a whole. */
  anchor: string;
}

/** What is no code: there, brackets are brackets. */
const prose = (text: string): string =>
  text.replace(/^([ \t]*)```[^\n`]*\n[\s\S]*?^\1```[ \t]*$/gm, "").replace(/<!--[\s\S]*?-->/g, "");

/** The relative links of a page; those that name a scheme lead elsewhere. */
export function linksOf(page: string): Link[] {
  const text = prose(textOf(page)).replace(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()]/g, " "));
  const folder = page.includes("/") ? page.replace(/[^/]*$/, "") : "";
  return [...text.matchAll(/\]\(([^()\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = "", anchor = ""] = target.split("#");
      return { path: file === "" ? page : resolved(folder + file), anchor };
    });
}

const resolved = (path: string): string => new URL(path, "file:///").pathname.slice(1);

/** The anchors of a page: a heading's words in small letters with hyphens, the second of a name with `-1`. */
export function anchorsOf(page: string): string[] {
  const counts = new Map<string, number>();
  return [...prose(textOf(page)).matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading = ""]) => {
    const slug = heading
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "")
      .replaceAll(" ", "-");
    const before = counts.get(slug) ?? 0;
    counts.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
}
