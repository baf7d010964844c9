/**
 * The one place where names change between the wire (snake_case) and apps (camelCase), for values and for types.
 *
 * An underscore counts as a word boundary only before a lowercase letter, so `line_1` keeps its underscore: with
 * any other rule the way back would be ambiguous.
 */

type Lower =
  | ("a" | "b" | "c" | "d" | "e" | "f" | "g" | "h" | "i" | "j" | "k" | "l" | "m")
  | ("n" | "o" | "p" | "q" | "r" | "s" | "t" | "u" | "v" | "w" | "x" | "y" | "z");

/** The camelCase spelling of a snake_case name: `"start_time"` → `"startTime"`. */
export type CamelName<S extends string> = S extends `${infer Head}_${infer Next}${infer Tail}`
  ? Next extends Lower
    ? `${Head}${Uppercase<Next>}${CamelName<Tail>}`
    : `${Head}_${CamelName<`${Next}${Tail}`>}`
  : S;

/** The snake_case spelling of a camelCase name: `"startTime"` → `"start_time"`. */
export type SnakeName<S extends string> = S extends `${infer First}${infer Rest}`
  ? First extends Uppercase<Lower>
    ? `_${Lowercase<First>}${SnakeName<Rest>}`
    : `${First}${SnakeName<Rest>}`
  : S;

/** `T` with every key, at every depth, in camelCase. */
export type Camel<T> = T extends Date
  ? T
  : T extends readonly (infer Item)[]
    ? Camel<Item>[]
    : T extends object
      ? { [K in keyof T as K extends string ? CamelName<K> : K]: Camel<T[K]> }
      : T;

/** `T` with every key, at every depth, in snake_case; an instant (`Date`) becomes its ISO 8601 string. */
export type Snake<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? Snake<Item>[]
    : T extends object
      ? { [K in keyof T as K extends string ? SnakeName<K> : K]: Snake<T[K]> }
      : T;

/** Spells one name in camelCase. */
export function camelName(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Spells one name in snake_case. */
export function snakeName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Renames every key of a wire value to camelCase, at every depth. Values, and their order, stay as they are. */
export function fromWire<T>(value: T): Camel<T> {
  return renamed(value, camelName) as Camel<T>;
}

/** Renames every key of an app's value to snake_case, at every depth; a valid `Date` becomes its ISO 8601 string. */
export function toWire<T>(value: T): Snake<T> {
  return renamed(value, snakeName) as Snake<T>;
}

function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  // JSON writes an invalid Date as null, which the server then refuses by name; toISOString would throw instead.
  if (value instanceof Date) return value.toJSON();
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [rename(name), renamed(item, rename)]),
  );
}
