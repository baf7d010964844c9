// zod as the package ships it: the spelling of zod's classic API, in which the contracts are written, over zod/mini, which
// parses the same in a third of the size. It has what answers are built of; of requests, which the server judges, the custom
// rules are left out. What a contract uses and this file has not fails the build's test by name.

import * as mini from "zod/mini";

type Schema = mini.ZodMiniType;
type Check = Parameters<Schema["check"]>[0];

const CLASSIC = {
  optional(this: Schema) {
    return classic(mini.optional(this));
  },
  nullable(this: Schema) {
    return classic(mini.nullable(this));
  },
  nullish(this: Schema) {
    return classic(mini.nullish(this));
  },
  default(this: Schema, value: never) {
    return classic(mini._default(this, value));
  },
  pipe(this: Schema, next: Schema) {
    return classic(mini.pipe(this, next));
  },
  min(this: Schema, least: number) {
    return checked(this, isNumber(this) ? mini.gte(least) : mini.minLength(least));
  },
  max(this: Schema, most: number) {
    return checked(this, isNumber(this) ? mini.lte(most) : mini.maxLength(most));
  },
  nonnegative(this: Schema) {
    return checked(this, mini.nonnegative());
  },
  regex(this: Schema, pattern: RegExp) {
    return checked(this, mini.regex(pattern));
  },
  extend(this: mini.ZodMiniObject, shape: Record<string, Schema>) {
    return classic(mini.extend(this, shape));
  },
  partial(this: mini.ZodMiniObject) {
    return classic(mini.partial(this));
  },
  refine(this: Schema) {
    return this;
  },
  superRefine(this: Schema) {
    return this;
  },
};

function classic<Built extends Schema>(schema: Built): Built & typeof CLASSIC {
  return Object.assign(schema, CLASSIC);
}

function checked(schema: Schema, check: unknown) {
  return classic(schema.check(check as Check));
}

function isNumber(schema: Schema): boolean {
  return schema._zod.def.type === "number";
}

/** A builder of zod/mini whose schemas have the classic methods. */
function builder<Arguments extends never[]>(build: (...args: Arguments) => unknown) {
  return (...args: Arguments) => classic(build(...args) as Schema);
}

export const z = {
  array: builder(mini.array),
  boolean: builder(mini.boolean),
  custom: builder(mini.custom),
  discriminatedUnion: builder(mini.discriminatedUnion),
  enum: builder(mini.enum),
  guid: builder(mini.guid),
  int: builder(mini.int),
  iso: { date: builder(mini.iso.date), datetime: builder(mini.iso.datetime) },
  literal: builder(mini.literal),
  looseObject: builder(mini.looseObject),
  null: builder(mini.null),
  number: builder(mini.number),
  object: builder(mini.object),
  record: builder(mini.record),
  strictObject: builder(mini.strictObject),
  string: builder(mini.string),
  union: builder(mini.union),
  unknown: builder(mini.unknown),
  url: builder(mini.url),
};
