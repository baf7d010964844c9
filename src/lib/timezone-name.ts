/** Which names are time zones: apart from timezone.ts, so that who only asks that need not load date-fns-tz. */

const knownTimeZones = new Map<string, boolean>();

/** Says whether `name` is an IANA time zone that this runtime knows. A bare offset such as `+02:00` is not one. */
export function isTimeZone(name: string): boolean {
  // Intl also accepts offsets, which follow no zone's rules; and the cache must not grow by what callers make up.
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name)) return false;
  const known = knownTimeZones.get(name);
  if (known !== undefined) return known;
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
  } catch {
    return false;
  }
  knownTimeZones.set(name, true);
  return true;
}
