// Requests that name a row of the caller's own clinic, and in one place the row of another clinic or an id that nobody has.

import { idsFor } from "./requests.ts";
import type { Rpc } from "./targets.ts";
import type { Json } from "./values.ts";
import type { World } from "./world.ts";

export type Members = Record<string, Json>;
type Path = (string | number)[];

export interface Place {
  /** Which member, beside which. */
  name: string;
  /** Rows of the other clinic that could stand there. */
  twins: string[];
  /** The arguments with this id in the place. */
  args(id: string): Members;
}

const IS_ID = /(_ids?|_key|^after)$/;

/** The places in some arguments where an id stands or could stand, by itself and beside each of the anchors. */
export function placesOf(rpc: Rpc, world: World, base: Members, anchors: readonly string[]): Place[] {
  if (!rpc.args.some(({ name }) => name === "request")) return placesOfIds(base, [], world, "");
  return ["", ...anchors].flatMap((anchor) => {
    const request = { ...(base.request as Members), ...(anchor && anchoredBy(anchor, world)) };
    const args = { ...base, request };
    const beside = anchor && ` beside ${anchor}`;
    const absent = [...new Set([...rpc.vocabulary, ...anchors])].filter(
      (name) => IS_ID.test(name) && !(name in request),
    );
    return [
      ...placesOfIds(args, ["request", anchor], world, beside),
      ...absent.flatMap((name) => addedPlaces(args, name, world, beside)),
    ];
  });
}

/** What a member names at home. */
function anchoredBy(name: string, world: World): Members {
  const [id = null] = world.home.ids.get(kindOf(name, world)) ?? [];
  return { [name]: name.endsWith("s") ? [id] : id };
}

const kindOf = (name: string, world: World): string => idsFor(name, world) ?? "clients";

/** Each id that is there, but for the anchor. */
function placesOfIds(args: Members, [inside, anchor]: string[], world: World, beside: string): Place[] {
  return ids(args).flatMap(({ path, id }) => {
    if (anchor && path[0] === inside && path[1] === anchor) return [];
    const kind = [...world.home.ids].find(([, rows]) => rows.includes(id))?.[0];
    const twins = world.foreign.ids.get(kind ?? "") ?? [];
    return [
      { name: `${path.join(".")}${beside}`, twins, args: (other) => replaced(args, path, other) as Members },
    ];
  });
}

/** A member more; of a list also behind one's own. */
function addedPlaces(args: Members, name: string, world: World, beside: string): Place[] {
  const kind = kindOf(name, world);
  const [own = null] = world.home.ids.get(kind) ?? [];
  // Behind which row of a list to go on: of which kind, only the operation knows.
  const twins = name.startsWith("after")
    ? [...world.foreign.ids.values()].flatMap((rows) => rows.slice(-1))
    : (world.foreign.ids.get(kind) ?? []);
  const shapes: ((id: string) => Json)[] = name.endsWith("s")
    ? [(id) => [id], (id) => [own, id]]
    : [(id) => id];
  return shapes.map((shape) => ({
    name: `${name}${beside}`,
    twins,
    args: (id: string) => ({ ...args, request: { ...(args.request as Members), [name]: shape(id) } }),
  }));
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function ids(value: Json, path: Path = []): { path: Path; id: string }[] {
  if (typeof value === "string") return UUID.test(value) ? [{ path, id: value }] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) =>
    ids(item, [...path, Array.isArray(value) ? Number(name) : name]),
  );
}

function replaced(value: Json, [step, ...rest]: Path, by: Json): Json {
  if (step === undefined) return by;
  if (Array.isArray(value))
    return value.map((item, index) => (index === step ? replaced(item, rest, by) : item));
  const members = value as Members;
  return { ...members, [step]: replaced(members[step] ?? null, rest, by) };
}
