/**
 * What the requests of the Edge Functions are built of: fields with their forms and limits, rules about more than one
 * field, and the errors that a refused request is answered with.
 */
import { z } from "zod";
import type { FieldError } from "./problems.ts";
import { isTimeZone } from "./timezone-name.ts";

/** What an idempotency key may be: as a header can carry it, and a log can show it. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;
/** Most occurrences, session ids or holds that one call may name. */
export const MAX_OCCURRENCES = 366;
/** Longest session, in hours. */
export const MAX_SESSION_HOURS = 24;

const HOUR_MS = 3_600_000;
const MAX_FIELD_ERRORS = 20;

// What JSON can spell but Postgres cannot store (NUL, half a surrogate pair), and what nobody types.
const UNPRINTABLE = /[\p{Cs}\p{Cc}]/u;

export const guid = z.guid();
export const instant = z.iso.datetime({
  offset: true,
  error: ({ code }) =>
    code === "invalid_format"
      ? "Must be ISO 8601 with seconds and offset: 2027-03-14T09:30:00-07:00."
      : undefined,
});
// Minutes east of UTC. Zones are within 16 hours of UTC; what else is wrong with an offset, the database says.
export const offset = z.int().min(-1_440).max(1_440);
export const timeZone = z
  .string()
  .refine(isTimeZone, refusal("invalid_value", "Must be the name of an IANA time zone."));
export const placeOfService = z.string().regex(/^\d{2}$/, "Must be two digits.");

/**
 * A list whose length is judged before its items are, so that ten thousand wrong items get one answer.
 */
export function list<Item extends z.ZodType>(item: Item) {
  return z.array(z.custom<z.input<Item>>()).min(1).max(MAX_OCCURRENCES).pipe(z.array(item));
}

/** A line or more of plain text, 1 to `max` characters. */
export function text(max: number) {
  return z
    .string()
    .max(max)
    .refine((value) => value.trim() !== "", refusal("too_small", "Must not be blank."))
    .refine(
      (value) => !UNPRINTABLE.test(value.replace(/[\n\r\t]/g, "")),
      refusal("invalid_format", "Must be text without control characters."),
    );
}

/** The parameters of a custom zod issue: our own field-error code, and the sentence for it. */
export function refusal(code: string, message: string) {
  return { message, params: { code } };
}

export type Issue = { path: (string | number)[]; code: string; message: string };
export type Fields = Readonly<Record<string, unknown>>;

/** Adds issues found by looking at more than one field. Runs also when single fields are already refused. */
export function together<Schema extends z.ZodType>(schema: Schema, find: (fields: Fields) => Issue[]) {
  return schema.superRefine(
    (value, context) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return;
      for (const { path, code, message } of find(value as Fields)) {
        context.addIssue({ code: "custom", path, ...refusal(code, message) });
      }
    },
    { when: () => true },
  );
}

/** Why more may be booked than was authorized; for admins, and on record. */
export const authorizationOverride = z.strictObject({ reason: text(500) });

export const required = (field: string): Issue => ({ path: [field], code: "required", message: "Required." });
export const notAllowed = (field: string, why: string): Issue => ({
  path: [field],
  code: "not_allowed",
  message: why,
});

/** Start before end, and not more than a day apart. */
export function timeIssues({ start_time: start, end_time: end }: Fields): Issue[] {
  const [from, to] = [instant.safeParse(start), instant.safeParse(end)];
  if (!from.success || !to.success) return [];
  const length = Date.parse(to.data) - Date.parse(from.data);
  if (length <= 0) return [{ path: ["end_time"], code: "too_small", message: "Must be after start_time." }];
  if (length > MAX_SESSION_HOURS * HOUR_MS) {
    const message = `Must be at most ${MAX_SESSION_HOURS} hours after start_time.`;
    return [{ path: ["end_time"], code: "too_big", message }];
  }
  return [];
}

/** One issue for each item that repeats an earlier one. */
export function duplicateIssues(
  items: readonly unknown[],
  path: (index: number) => (string | number)[],
): Issue[] {
  const seen = new Set<unknown>();
  return items.slice(0, MAX_OCCURRENCES).flatMap((item, index) => {
    const key = typeof item === "string" ? item.toLowerCase() : undefined;
    if (key === undefined) return [];
    if (seen.has(key))
      return [{ path: path(index), code: "duplicate", message: "Must not repeat an earlier one." }];
    seen.add(key);
    return [];
  });
}

export const timeFields = {
  start_time: instant,
  end_time: instant,
  start_time_offset_minutes: offset,
  end_time_offset_minutes: offset,
};
export const TIME_FIELDS = Object.keys(timeFields);

/**
 * The `errors[]` of a `validation_failed` problem: at most 20, one for each violated rule, without any value of the
 * request.
 */
export function fieldErrors(error: z.ZodError): FieldError[] {
  const errors: FieldError[] = [];
  for (const issue of error.issues) {
    for (const fieldError of errorsOf(issue)) {
      if (errors.length === MAX_FIELD_ERRORS) return errors;
      errors.push(fieldError);
    }
  }
  return errors;
}

function errorsOf(issue: z.core.$ZodIssue): FieldError[] {
  const field = dotted(issue.path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.slice(0, MAX_FIELD_ERRORS).map((key) => {
        // The name is the caller's own: it is repeated only if it can be a name and not a value gone astray.
        const name = /^[A-Za-z_][A-Za-z0-9_]{0,39}$/.test(key) ? key : "?";
        return { field: dotted([...issue.path, name]), code: "unknown_field", message: "Unknown field." };
      });
    case "invalid_type":
      return [typeError(field, issue)];
    case "custom":
      return [{ field, code: String(issue.params?.code ?? "invalid_value"), message: issue.message }];
    default: {
      // None of the actions that there are: zod's own word for it is none of ours.
      const code = issue.code === "invalid_union" ? "invalid_value" : issue.code;
      return [{ field, code, message: sentence(issue.message) }];
    }
  }
}

function typeError(field: string, issue: z.core.$ZodIssueInvalidType): FieldError {
  // zod writes "received undefined" for what is absent; the issue itself does not carry the input.
  if (issue.message.endsWith("received undefined")) return { field, code: "required", message: "Required." };
  const article = /^[aeiou]/.test(issue.expected) ? "an" : "a";
  const expected = issue.expected === "int" ? "a whole number" : `${article} ${issue.expected}`;
  return { field, code: "invalid_type", message: `Must be ${expected}.` };
}

function sentence(message: string): string {
  return message.endsWith(".") ? message : `${message}.`;
}

/** A path as callers write it: `occurrences[3].end_time`; the whole request is `body`. */
function dotted(path: readonly PropertyKey[]): string {
  return (
    path.reduce<string>((field, part) => {
      if (typeof part === "number") return `${field}[${part}]`;
      return field === "" ? String(part) : `${field}.${String(part)}`;
    }, "") || "body"
  );
}
