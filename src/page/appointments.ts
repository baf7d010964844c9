/** For families: when their child's sessions are. They read; what changes, the clinic changes. */
import { holdfast, rows, supabase } from "./backend.ts";
import { h } from "./dom.ts";
import type { Visitor } from "./visitor.ts";
import { statusName } from "./words.ts";

export async function showAppointments({ clock }: Visitor, main: HTMLElement): Promise<() => void> {
  const sessions = await rows(
    supabase
      .from("family_sessions")
      .select("session_id, start_time, end_time, status, therapist_name, service_name")
      .gt("end_time", new Date(holdfast.now()).toISOString())
      .order("start_time")
      .limit(50),
  );
  const items = sessions.map(({ start_time, end_time, status, therapist_name, service_name }) =>
    h(
      "li",
      { class: "appointment" },
      h("strong", {}, start_time && end_time ? clock.dayAndTimes(start_time, end_time) : ""),
      h("span", {}, `${service_name} with ${therapist_name}`),
      h("span", { class: `tag ${status}` }, statusName(status ?? "")),
    ),
  );
  main.replaceChildren(
    h("h1", {}, "Appointments"),
    h("p", { class: "quiet" }, `Times are the clinic's: ${clock.nameAt(new Date())}`),
    items.length > 0 ? h("ul", { class: "appointments" }, ...items) : h("p", {}, "No sessions are booked."),
  );
  return () => {};
}
