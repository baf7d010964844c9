// What `npm run doctor` looks at. A check is one statement that judges in SQL and answers one row: a state and what was
// found, in counts, settings and names of the schema. No row of a person gets into it.

export interface Finding {
  name: string;
  state: "ok" | "warn" | "fail" | "by hand";
  found: string;
  /** Empty where nothing is to be done. */
  todo: string;
}

export interface Check {
  name: string;
  /** Answers one row (state, found). */
  query: string;
  todo: string;
}

/** A check of names that should not be: none is well, any is `otherwise`. */
function noneOf(name: string, otherwise: "warn" | "fail", names: string, todo: string): Check {
  return {
    name,
    todo,
    query: `
      select case when count(*) = 0 then 'ok' else '${otherwise}' end as state,
        case when count(*) = 0 then 'none' else left(string_agg(name, ', ' order by name), 200) end as found
      from (${names}) it (name)`,
  };
}

/** A check of rows that should not be, which are counted and not shown. */
function noRowsOf(name: string, otherwise: "warn" | "fail", rows: string, todo: string): Check {
  return {
    name,
    todo,
    query: `select case when count(*) = 0 then 'ok' else '${otherwise}' end as state, count(*)::text as found from (${rows}) it`,
  };
}

const ours = "('public', 'app', 'audit')";
const live =
  "membership.revoked_at is null and (membership.expires_at is null or membership.expires_at > now())";

/** The checks of a database, given the versions of this checkout's migrations. */
export function checks(migrations: string[]): Check[] {
  return [...structure(migrations), ...server, ...trail, ...access, ...upkeep];
}

const structure = (migrations: string[]): Check[] => [
  noneOf(
    "migrations applied",
    "fail",
    `select 'missing ' || version from unnest(array[${migrations.map((version) => `'${version}'`).join(",")}]) version
      where version not in (select version from supabase_migrations.schema_migrations)
      union all
      select 'unknown ' || version from supabase_migrations.schema_migrations
      where version <> all (array[${migrations.map((version) => `'${version}'`).join(",")}])`,
    "supabase db push, or check out the commit that was deployed",
  ),
  noneOf(
    "tables without row-level security",
    "fail",
    `select class.oid::regclass::text from pg_catalog.pg_class class
      join pg_catalog.pg_namespace schema on schema.oid = class.relnamespace
      where schema.nspname in ${ours} and class.relkind in ('r', 'p') and not class.relrowsecurity`,
    "alter table ... enable row level security; then npm run drift",
  ),
  noneOf(
    "tables open to nobody signed in",
    "fail",
    `select class.oid::regclass::text from pg_catalog.pg_class class
      join pg_catalog.pg_namespace schema on schema.oid = class.relnamespace
      where schema.nspname in ${ours} and class.relkind in ('r', 'p', 'v', 'm', 'f')
        and (has_any_column_privilege('anon', class.oid, 'select, insert, update')
          or has_table_privilege('anon', class.oid, 'delete, truncate'))`,
    "revoke all on ... from anon; then npm run drift",
  ),
  noneOf(
    "triggers switched off",
    "fail",
    `select fired.tgname || ' on ' || fired.tgrelid::regclass from pg_catalog.pg_trigger fired
      join pg_catalog.pg_proc called on called.oid = fired.tgfoid
      join pg_catalog.pg_class class on class.oid = fired.tgrelid
      -- Ours on whatever table; and on our tables also those of foreign keys.
      join pg_catalog.pg_namespace schema on schema.oid in (called.pronamespace, class.relnamespace)
      where schema.nspname in ${ours} and fired.tgenabled not in ('O', 'A')
      group by fired.oid`,
    "alter table ... enable trigger ...; npm run audit -- verify",
  ),
  noneOf(
    "triggers on accounts that are gone",
    "fail",
    `select wanted from unnest(array['sign_out_everywhere', 'record_sign_in', 'record_end']) wanted
      where wanted not in (
        select tgname from pg_catalog.pg_trigger where tgrelid in ('auth.users'::regclass, 'auth.sessions'::regclass))`,
    "make them again as the migration account_security does",
  ),
  noneOf(
    "roles the token hook is wrong for",
    "fail",
    `select role_name from unnest(array['supabase_auth_admin', 'authenticated', 'anon']) role_name
      where has_function_privilege(role_name, 'public.custom_access_token_hook(jsonb)', 'execute')
        <> (role_name = 'supabase_auth_admin')`,
    "grant execute to supabase_auth_admin and to nobody else",
  ),
  noneOf(
    "extensions missing",
    "fail",
    `select wanted from unnest(array['btree_gist', 'pgcrypto']) wanted
      where wanted not in (select extname from pg_catalog.pg_extension)`,
    "create extension ... with schema extensions",
  ),
  noneOf(
    "schemas of tests",
    "fail",
    "select nspname::text from pg_catalog.pg_namespace where nspname in ('tests', 'access', 'bench')",
    "drop them: a test suite ran against this database",
  ),
];

const server: Check[] = [
  {
    name: "server version",
    todo: "upgrade to the major version that the tests run on",
    query: `select case when current_setting('server_version_num')::integer / 10000 = 17 then 'ok' else 'warn' end as state,
      current_setting('server_version') || ', max_connections ' || current_setting('max_connections') as found`,
  },
  {
    name: "TLS of this connection",
    todo: "enforce SSL (docs/compliance.md), and add ?sslmode=require to the URL",
    query: `select case when encrypted.ssl then 'ok' else 'warn' end as state,
      coalesce(encrypted.version, 'not encrypted') || ', server setting ssl ' || current_setting('ssl') as found
      from pg_catalog.pg_stat_ssl encrypted where encrypted.pid = pg_backend_pid()`,
  },
  {
    name: "hashes of database passwords",
    todo: "alter database postgres set password_encryption = 'scram-sha-256', then set the passwords anew",
    query: `select case current_setting('password_encryption') when 'scram-sha-256' then 'ok' else 'fail' end as state,
      current_setting('password_encryption') as found`,
  },
  {
    // Statements typed by hand have their values in them; the API's parameters are logged with log_parameter_*.
    name: "values in the server's log",
    todo: "log_statement none or ddl, log_min_duration_statement and _sample -1 and log_transaction_sample_rate 0, or log_parameter_max_length 0; log_parameter_max_length_on_error 0",
    query: `
      with setting as (
        select current_setting('log_statement') as statements, current_setting('log_min_duration_statement') as slow,
          current_setting('log_min_duration_sample') as sampled, current_setting('log_transaction_sample_rate') as share,
          current_setting('log_parameter_max_length') as parameters,
          current_setting('log_parameter_max_length_on_error') as on_error)
      select
        case
          when statements in ('mod', 'all') or on_error <> '0' then 'fail'
          when (slow <> '-1' or sampled <> '-1' or share <> '0') and parameters <> '0' then 'fail'
          else 'ok'
        end as state,
        concat('log_statement ', statements, ', log_min_duration_statement ', slow, ', log_parameter_max_length ', parameters,
          ', on_error ', on_error, ', log_min_error_statement ', current_setting('log_min_error_statement'),
          ', log_min_duration_sample ', sampled, ', log_transaction_sample_rate ', share) as found
      from setting`,
  },
  noneOf(
    "roles and databases that log otherwise",
    "fail",
    `select distinct coalesce(role.rolname, 'database') || ' ' || setting
      from pg_catalog.pg_db_role_setting kept
      left join pg_catalog.pg_roles role on role.oid = kept.setrole
      cross join lateral unnest(kept.setconfig) setting
      where setting ~* '^(log_statement=(mod|all)|log_parameter_max_length_on_error=[^0]|log_min_duration_(statement|sample)=[^-]|pgaudit.log_parameter=(on|t|y|1)|log_transaction_sample_rate=.*[1-9])'`,
    "alter role ... reset ...: what is logged may hold PHI",
  ),
];

const trail: Check[] = [
  noneOf(
    "months of the audit trail without a partition",
    "fail",
    `select to_char(month, 'YYYY-MM')
      from generate_series(date_trunc('month', now() at time zone 'UTC'), (now() at time zone 'UTC') + interval '2 months', '1 month') month
      where not exists (
        select from pg_catalog.pg_inherits attached
        where attached.inhparent = 'audit.events'::regclass
          and attached.inhrelid = to_regclass('audit.events_' || to_char(month, 'YYYY_MM')))`,
    "select audit.ensure_partitions(), every day by a job (docs/audit.md)",
  ),
  {
    name: "events waiting for a seal",
    todo: "select audit.seal(), every minute by a job (docs/audit.md)",
    query: `
      with last as (
        select seal.last_written_in, seal.last_event_id from audit.seals seal order by seal.number desc limit 1),
      waiting as (
        select count(*) as events, now() - min(event.occurred_at) as age
        from audit.events event
        where (event.written_in, event.id) > (select last_written_in, last_event_id from last)
          or not exists (select from last))
      select
        case when age > interval '1 day' then 'fail' when age > interval '10 minutes' then 'warn' else 'ok' end as state,
        events || coalesce(', the oldest for ' || date_trunc('minute', age)::text, '') as found
      from waiting`,
  },
];

const access: Check[] = [
  noRowsOf(
    "organizations that do without a second factor",
    "warn",
    "select from public.organizations where not requires_mfa",
    "update public.organizations set requires_mfa = true, once its people have one",
  ),
  noRowsOf(
    "admins without a verified second factor",
    "warn",
    `select distinct membership.user_id from public.user_roles membership
      where membership.role = 'admin' and ${live} and not exists (
        select from auth.mfa_factors factor where factor.user_id = membership.user_id and factor.status = 'verified')`,
    "have them enrol one",
  ),
  noRowsOf(
    "super_admins without a verified second factor",
    "fail",
    `select distinct membership.user_id from public.user_roles membership
      where membership.role = 'super_admin' and membership.organization_id is null and ${live} and not exists (
        select from auth.mfa_factors factor where factor.user_id = membership.user_id and factor.status = 'verified')`,
    "have them enrol one, or revoke the role",
  ),
  {
    name: "super_admins",
    todo: "two or three people who run the platform, and no more",
    query: `select case when count(*) <= 3 then 'ok' else 'warn' end as state, count(*)::text as found
      from public.user_roles membership
      where membership.role = 'super_admin' and membership.organization_id is null and ${live}`,
  },
  noRowsOf(
    "organizations without an admin",
    "warn",
    `select from public.organizations clinic where not exists (
      select from public.user_roles membership
      where membership.organization_id = clinic.id and membership.role = 'admin' and ${live})`,
    "grant the role to somebody of the organization",
  ),
  noRowsOf(
    "alerts nobody looked at for a day",
    "warn",
    "select from public.access_alerts where status = 'open' and created_at < now() - interval '1 day'",
    "have the organization's admins look at them, and acknowledge",
  ),
  noRowsOf(
    "service tokens unused for 90 days",
    "warn",
    `select from public.service_account_tokens token
      where token.revoked_at is null and token.expires_at > now()
        and coalesce(token.last_used_at, token.created_at) < now() - interval '90 days'`,
    "select revoke_service_account(...), if the partner needs it no more",
  ),
  noRowsOf(
    "service accounts whose last token ends within 30 days",
    "warn",
    `select from public.service_account_tokens token
      join public.service_accounts account
        on account.organization_id = token.organization_id and account.id = token.service_account_id
      where account.disabled_at is null and token.revoked_at is null
      group by account.id
      having max(token.expires_at) between now() and now() + interval '30 days'
        and max(token.last_used_at) > now() - interval '30 days'`,
    "have the organization's admins rotate it, and the partner take the new one: nobody else is told",
  ),
  {
    name: "master keys of notes in use",
    todo: "npm run keys -- rotate, so that one is left; keep every key until then",
    query: `select case when count(distinct master_key_id) <= 1 then 'ok' else 'warn' end as state,
        coalesce(string_agg(distinct master_key_id, ', '), 'none') as found
      from public.client_keys where status = 'active'`,
  },
];

const jobs = [
  "alert_authorizations",
  "deliver_webhooks",
  "detect_unusual_access",
  "expire_holds",
  "forget_old",
  "make_partitions",
  "offer_waitlist",
  "seal_audit",
  "send_insights",
];

const upkeep: Check[] = [
  noRowsOf(
    "holds expired for an hour and not ended",
    "warn",
    "select from public.session_holds where status = 'held' and expires_at < now() - interval '1 hour'",
    "the job expire_holds does not run (docs/jobs.md)",
  ),
  noRowsOf(
    "faults of the ledger",
    "fail",
    "select from app.ledger_faults()",
    "docs/booking.md; book nothing until they are explained",
  ),
  {
    name: "jobs of pg_cron",
    todo: "select app.schedule_jobs(), or run them by another clock (docs/jobs.md)",
    // query_to_xml, because a table that is not there must not be named.
    query: `
      with scheduled as (
        select case when to_regclass('cron.job') is not null then
          query_to_xml('select command from cron.job where active', true, false, '')::text end as commands),
      missing as (
        select string_agg(job, ', ' order by job) as names
        from unnest(array[${jobs.map((job) => `'${job}'`).join(",")}]) job, scheduled
        where strpos(coalesce(scheduled.commands, ''), job) = 0)
      select case when missing.names is null then 'ok' else 'warn' end as state,
        case when scheduled.commands is null then 'no pg_cron' else coalesce('without ' || missing.names, 'all there') end as found
      from missing, scheduled`,
  },
  noRowsOf(
    "webhook endpoints that answered 410",
    "warn",
    "select from app.webhook_endpoints where status = 'gone'",
    "they are told nothing since: have the organization's admins make them active again, or disable them (docs/webhooks.md)",
  ),
  noneOf(
    "jobs without a good run lately",
    "warn",
    "select metric.labels ->> 'job' from app.job_metrics() metric where metric.name = 'jobs_overdue' and metric.value > 0",
    "app.job_runs says which failed, and how (docs/jobs.md)",
  ),
];

const hand = (name: string, todo: string): Finding => ({ name, state: "by hand", found: "", todo });

/** What no connection to the database shows; docs/compliance.md says where to look. */
export const byHand: Finding[] = [
  hand("drift from the migrations", "npm run drift -- --remote ..."),
  hand("the trail as it was sealed", "npm run audit -- verify --db ... --head ..."),
  hand("agreement with Supabase (BAA)", "signed, and the project marked as high compliance"),
  hand("backups", "point-in-time recovery on, and a restore tried this quarter"),
  hand("network", "SSL enforced, addresses restricted"),
  hand("settings of Auth", "hook, session limits, confirmations, password rules as in docs/compliance.md"),
  hand("settings of Realtime", "public access off: docs/realtime.md"),
  hand("note keys", "a copy of HOLDFAST_NOTE_KEYS outside Supabase"),
];
