// The scanner: finds marks in bytes, however they are written.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { FILE_MARK, MARK, NOTE_MARK, VALUES } from "./marks.ts";

/** Everything that is marked. */
export const ALL_MARKS = [MARK, NOTE_MARK, FILE_MARK, ...Object.values(VALUES).map(String)];

/** The ways in which a mark may stand in bytes: as it is, in UTF-16, in hex, in a URL, and in base64 at any place. */
function spellings(mark: string): Buffer[] {
  const bytes = Buffer.from(mark);
  const base64 = [0, 1, 2].map((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    // What is left out shares its bits with what stands before or after.
    const from = before === 0 ? 0 : before + 1;
    const isWhole = (before + bytes.length) % 3 === 0;
    return whole.slice(from, isWhole ? undefined : -1);
  });
  const texts = [mark, bytes.toString("hex"), encodeURIComponent(mark), ...base64];
  const urlSafe = base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_"));
  return [...[...texts, ...urlSafe].map((text) => Buffer.from(text)), Buffer.from(mark, "utf16le")];
}

const SPELLINGS = new Map(ALL_MARKS.map((mark) => [mark, spellings(mark)]));

/** The marks that bytes hold. */
function marksInBytes(bytes: Buffer): string[] {
  return ALL_MARKS.filter((mark) => SPELLINGS.get(mark)?.some((spelled) => bytes.includes(spelled)));
}

/** The marks that a text holds; plain ones are found whatever their case. */
export function marksIn(text: string): string[] {
  const lower = text.toLowerCase();
  const encoded = marksInBytes(Buffer.from(text));
  return ALL_MARKS.filter((mark) => lower.includes(mark.toLowerCase()) || encoded.includes(mark));
}

/** Which marks the files of a folder hold, and of all that is in it. */
export async function marksInFiles(folder: string): Promise<{ file: string; marks: string[] }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found: { file: string; marks: string[] }[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    // Postgres may take a file of its own away meanwhile.
    const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return Buffer.alloc(0);
      throw error;
    });
    const marks = marksInBytes(bytes);
    if (marks.length > 0) found.push({ file, marks });
  }
  return found;
}
