/** Stretches of time as apps write them: instants, and the offsets that the wire asks for beside them. */
import { HoldfastError, toAppProblem } from "./errors.ts";
import { toProblem } from "./problems.ts";

const RETRY_SECONDS = 1;

/**
 * A stretch of time. An offset (whole minutes east of UTC) that is left out is computed from the time zone; one that is
 * given is checked by the server.
 */
export interface TimeRange {
  startTime: Date | string;
  endTime: Date | string;
  startTimeOffsetMinutes?: number;
  endTimeOffsetMinutes?: number;
}

/** `Request` with an instant in each of `Names` as a `Date` too. */
export type WithDates<Request, Names extends keyof Request> = Omit<Request, Names> & {
  [Name in keyof Pick<Request, Names>]: Request[Name] | Date;
};

/** One stretch of time, which may be the first of a recurrence; or several. */
export type Times =
  | (TimeRange & { occurrences?: undefined })
  | ({ occurrences: TimeRange[] } & { [K in keyof TimeRange]?: undefined });

/** The request with every offset that its caller left out. */
export async function withOffsets<Request extends { timeZone: string } & Times>(request: Request) {
  const { timeZone } = request;
  if (request.occurrences) {
    const occurrences = await Promise.all(request.occurrences.map((time) => timeWithOffsets(time, timeZone)));
    return { ...request, occurrences };
  }
  return { ...request, ...(await timeWithOffsets(request, timeZone)) };
}

/** A stretch of time with the offsets that the caller left out. */
export async function timeWithOffsets<Time extends TimeRange>(time: Time, timeZone: string) {
  return {
    ...time,
    startTimeOffsetMinutes: time.startTimeOffsetMinutes ?? (await offsetOrZero(time.startTime, timeZone)),
    endTimeOffsetMinutes: time.endTimeOffsetMinutes ?? (await offsetOrZero(time.endTime, timeZone)),
  };
}

/** The offset; 0 where there is none, because the server refuses such a time or time zone by name and says it better. */
async function offsetOrZero(instant: Date | string, timeZone: string): Promise<number> {
  const { offsetMinutes } = await loadTimezone();
  try {
    return offsetMinutes(instant, timeZone);
  } catch {
    return 0;
  }
}

/**
 * Loaded when it is needed: date-fns-tz is a quarter of the client.
 *
 * @throws HoldfastError `unavailable` where it does not load: offline, or from a page whose app was deployed anew meanwhile.
 */
export function loadTimezone() {
  return import("./timezone.ts").catch((cause: unknown) => {
    const problem = toProblem("unavailable", { retry_after: RETRY_SECONDS });
    throw new HoldfastError(toAppProblem(problem), { cause });
  });
}
