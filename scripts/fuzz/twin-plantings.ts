// Comparisons of organizations left out on purpose: each is found, or to find nothing would mean nothing.

export interface TwinPlanting {
  name: string;
  /** As the owner. */
  plant: string[];
  undo: string[];
  /** The RPCs that tell or do what they must not. */
  of: string[];
  /** What is found of one of them. */
  finds: RegExp;
}

/** Raises where there is nothing to replace: what is not planted cannot be found. */
const rewritten = (signature: string, from: string, to: string): string => `
  do $do$
  declare body text := pg_get_functiondef('${signature}'::regprocedure);
  begin
    if position($from$${from}$from$ in body) = 0 then raise 'nothing to plant in ${signature}'; end if;
    execute replace(body, $from$${from}$from$, $to$${to}$to$);
  end $do$`;

/** The comparison is made with the row's own organization instead, which it always is. */
function unasked(
  name: string,
  signature: string,
  aliases: string[],
  of: string[],
  finds: RegExp,
): TwinPlanting {
  const pairs = aliases.map((alias): [string, string] => [
    `${alias}.organization_id = organization and`,
    `${alias}.organization_id = ${alias}.organization_id and`,
  ]);
  return {
    name,
    plant: pairs.map(([honest, planted]) => rewritten(signature, honest, planted)),
    undo: pairs.map(([honest, planted]) => rewritten(signature, planted, honest)),
    of,
    finds,
  };
}

export const TWIN_PLANTINGS: readonly TwinPlanting[] = [
  unasked(
    "a hold is released whosever it is",
    "app.release_holds(uuid, uuid)",
    ["it", "hold", "now_row"],
    ["cancel_sessions"],
    /^writes rows of another clinic by hold_key beside therapist_id$/,
  ),
  unasked(
    "a hold is looked at before it is asked whose it is",
    "app.confirm_sessions(uuid, jsonb)",
    ["it"],
    ["confirm_sessions"],
    /^tells another clinic's hold_key beside therapist_id$/,
  ),
  unasked(
    "an authorization is found whosever it is",
    "app.find_authorization(uuid, uuid)",
    ["it"],
    ["close_authorization"],
    /^tells another clinic's authorization_id beside therapist_id$/,
  ),
  {
    name: "of two ids the one that names a row decides whose a request is",
    plant: [
      `
      alter function app.target_organization(jsonb) rename to target_organization_honest;
      create function app.target_organization(request jsonb) returns uuid
      language sql stable set search_path = '' as $$
        select app.target_organization_honest(jsonb_build_object(member.name, request -> member.name))
        from unnest('{therapist_id,client_id,session_id,hold_key,series_id,organization_id}'::text[])
          with ordinality as member (name, place)
        where request ? member.name
          and app.target_organization_honest(jsonb_build_object(member.name, request -> member.name)) is not null
        order by member.place
        limit 1
      $$`,
    ],
    undo: [
      `
      drop function app.target_organization(jsonb);
      alter function app.target_organization_honest(jsonb) rename to target_organization`,
    ],
    of: ["read_attendance", "read_clients"],
    finds: /^tells another clinic's client_id beside organization_id$/,
  },
];
