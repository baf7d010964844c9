// What differs between two snapshots. Pure: the databases are read elsewhere.

import { type Item, type Kind, kinds, type Snapshot } from "./snapshot.ts";

/** A fact of an item on both sides; null where that side has none. */
export interface FactDifference {
  fact: string;
  expected: string | null;
  found: string | null;
}

export interface Difference {
  kind: Kind;
  name: string;
  /** `missing`: only the migrations make it; `unexpected`: only the live database has it. */
  change: "missing" | "unexpected" | "changed";
  /** Changed: those that differ. Missing and unexpected: all of them, with null on the other side. */
  facts: FactDifference[];
}

/** The differences of a live database from its reference, ordered by kind and name. Empty: no drift. */
export function compare(reference: Snapshot, live: Snapshot): Difference[] {
  const found = byKey(live.items);
  const expected = byKey(withPartitionsOf(live.items, reference.items));
  const lost = [...expected].filter(([key]) => !found.has(key)).map(([, item]) => item);
  const added = [...found].filter(([key]) => !expected.has(key)).map(([, item]) => item);
  const changed = [...expected].flatMap(([key, item]) => {
    const other = found.get(key);
    return other ? [difference("changed", item, item.facts, other.facts)] : [];
  });
  return [
    ...withoutParts(lost, () => true).map((item) => difference("missing", item, item.facts, {})),
    ...withoutParts(added, goesWithoutSaying).map((item) => difference("unexpected", item, {}, item.facts)),
    ...changed.filter(({ facts }) => facts.length > 0),
  ].sort(inReportOrder);
}

function keyOf({ kind, name }: Pick<Item, "kind" | "name">): string {
  return `${kind} ${name}`;
}

function byKey(items: Item[]): Map<string, Item> {
  return new Map(items.map((item) => [keyOf(item), item]));
}

function difference(
  change: Difference["change"],
  { kind, name }: Item,
  expected: Record<string, string>,
  found: Record<string, string>,
): Difference {
  const facts = [...new Set([...Object.keys(expected), ...Object.keys(found)])]
    .map((fact) => ({ fact, expected: expected[fact] ?? null, found: found[fact] ?? null }))
    .filter((fact) => fact.expected !== fact.found)
    .sort((a, b) => byCodeUnits(a.fact, b.fact));
  return { kind, name, change, facts };
}

/** A whole table that is gone or new is one difference, not one more for each of its columns. */
function withoutParts(items: Item[], hides: (part: Item) => boolean): Item[] {
  const wholes = new Set(items.map(keyOf));
  const hidden = (item: Item): boolean => item.partOf !== null && wholes.has(item.partOf) && hides(item);
  return items.filter((item) => !hidden(item));
}

/** Of something new: who may use it and what it does on its own are news, what it is made of is not. */
function goesWithoutSaying({ kind, name }: Item): boolean {
  return (
    kind === "column" ||
    kind === "constraint" ||
    kind === "index" ||
    kind === "sequence" ||
    (kind === "grant" && name.endsWith(" to its owner"))
  );
}

/**
 * A clock makes partitions on the live database, so which ones there are is not drift; that each is kept as the
 * migrations keep theirs is. The reference's first partition of a table stands for all that the live one has.
 */
function withPartitionsOf(live: Item[], reference: Item[]): Item[] {
  const existing = partitions(live);
  const models = new Map<string, string>();
  for (const { name, of } of partitions(reference)) if (!models.has(of)) models.set(of, name);
  const stoodFor = existing.filter(({ of }) => models.has(of));
  const roots = new Set(stoodFor.map(({ of }) => of));
  return [
    ...reference.filter(({ partition }) => !partition || !roots.has(partition.of)),
    ...stoodFor.flatMap(({ name, of }) => {
      const model = models.get(of) ?? name;
      return reference
        .filter(({ partition }) => partition?.name === model)
        .map((item) => renamed(item, model, name));
    }),
  ];
}

function partitions(items: Item[]): { name: string; of: string }[] {
  return items
    .flatMap(({ kind, partition }) => (kind === "table" && partition ? [partition] : []))
    .sort((a, b) => byCodeUnits(a.name, b.name));
}

function renamed(item: Item, from: string, to: string): Item {
  const rename = (text: string): string => text.replaceAll(from, () => to);
  return {
    ...item,
    name: rename(item.name),
    partOf: item.partOf && rename(item.partOf),
    facts: Object.fromEntries(Object.entries(item.facts).map(([fact, value]) => [fact, rename(value)])),
  };
}

function inReportOrder(a: Difference, b: Difference): number {
  return kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || byCodeUnits(a.name, b.name);
}

/** The same order on every machine, whatever its locale. */
function byCodeUnits(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
