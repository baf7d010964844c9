// What is tried to make SQL of a value. Each calls PROBE, a function that counts its calls: no clock says whether one worked.

/** What an injection wants to run. */
export const PROBE = "public.fuzz_probe()";

const PREFIXES = [
  "1",
  "'",
  '"',
  "')",
  "'))",
  '")',
  "1)",
  "x'",
  "\\'",
  "''",
  "%27",
  "\u02bc",
  "\uff07",
  "$$",
  "$a$",
  "`",
  "*/",
  "}'",
  "]",
];
const BODIES = [
  ` or ${PROBE} is not null`,
  ` and ${PROBE} is not null`,
  `; select ${PROBE}`,
  ` union select ${PROBE}`,
  ` union all select null, null, ${PROBE}`,
  `||${PROBE}`,
  `||(select ${PROBE})||`,
  `, (select ${PROBE})`,
  ` returning ${PROBE}`,
  `::text||${PROBE}`,
];
const SUFFIXES = ["", "--", " --", "/*", "#", "; --"];
const WHOLE = [
  "' or '1'='1",
  "' or 1=1--",
  "1 or 1=1",
  "admin'--",
  "') or ('1'='1",
  "1; drop table public.sessions; --",
  "1'; update public.user_roles set role = 'admin'; --",
  "'; reset role; --",
  "'; set role postgres; --",
  "'; set local role service_role; --",
  '1; set request.jwt.claims = \'{"role":"service_role"}\'; --',
  "'; copy (select 1) to program 'id'; --",
  "'||pg_read_file('/etc/passwd')||'",
  "cast((select version()) as int)",
  "' and 1=cast((select full_name from public.clients limit 1) as int)--",
  "1/(select 0)",
  "{1,2}'::int[]",
  "\\u0027 or 1=1",
  "chr(39)||chr(39)",
  "0x27206f7220313d31",
  "' || lo_import('/etc/passwd') || '",
  "'||current_setting('app.settings')||'",
  "*",
  "id,*",
  "*,organizations(*)",
  'a" from public.clients--',
  "public.clients",
  "pg_catalog.pg_shadow",
  "information_schema.tables",
  "current_user",
  "version()",
  "count(*)",
  "id::regclass",
  "id->>'a'",
  "id->'a'->>0",
  "full_name",
  "xmin",
  "ctid",
  "tableoid",
  "oid",
];

/** The corpus. */
export const INJECTIONS: readonly string[] = [
  ...PREFIXES.flatMap((prefix, index) =>
    BODIES.map((body, place) => `${prefix}${body}${SUFFIXES[(index + place) % SUFFIXES.length]}`),
  ),
  ...WHOLE,
];
