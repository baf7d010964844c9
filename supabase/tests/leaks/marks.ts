// What is looked for. Every mark is so unlike anything else that to find it somewhere is to have found a leak.

/** In every text that is somebody's PHI. No other word of the project has it. */
export const MARK = "Zqxvorpal";
/** In the text of notes: not even the database has it. */
export const NOTE_MARK = "Zqxfrabjous";
/** In the bytes of documents: Storage has them, the database not. */
export const FILE_MARK = "Zqxtulgey";

/** PHI that cannot be any text: the value that stands for it. */
export const VALUES = {
  date_of_birth: "1931-07-19",
  subscriber_date_of_birth: "1932-08-21",
  postal_code: "97531-8642",
  phone: "+15035557391",
  diagnosis: "F84.9QXZ",
  latitude: 45.738291,
  longitude: -122.619384,
  accuracy_meters: 31.4173,
};

/** Each of the columns that hold PHI, and the mark that the flows leave in it; or why there can be none. */
export const COLUMNS: Record<string, { mark: string } | { unmarked: string }> = {
  "audit.events.ip": { unmarked: "every call of this test is from this machine" },
  "audit.events.user_agent": { mark: MARK },
  "public.access_alerts.acknowledged_reason": { mark: MARK },
  "public.attendance_marks.accuracy_meters": { mark: String(VALUES.accuracy_meters) },
  "public.attendance_marks.device_id": { mark: MARK },
  "public.attendance_marks.latitude": { mark: String(VALUES.latitude) },
  "public.attendance_marks.longitude": { mark: String(VALUES.longitude) },
  "public.attendance_marks.place": { mark: MARK },
  "public.attendance_marks.reason": { mark: MARK },
  "public.authorization_entries.reason": { mark: MARK },
  "public.authorizations.authorization_number": { mark: MARK },
  "public.availability_exceptions.note": { mark: MARK },
  "public.billing_cases.payer_claim_number": { mark: MARK },
  "public.client_coverages.member_id": { mark: MARK },
  "public.client_coverages.relationship_to_subscriber": { unmarked: "one of four words" },
  "public.client_coverages.subscriber_date_of_birth": { mark: VALUES.subscriber_date_of_birth },
  "public.client_coverages.subscriber_family_name": { mark: MARK },
  "public.client_coverages.subscriber_given_name": { mark: MARK },
  "public.clients.address_line": { mark: MARK },
  "public.clients.city": { mark: MARK },
  "public.clients.date_of_birth": { mark: VALUES.date_of_birth },
  "public.clients.diagnosis_codes": { mark: VALUES.diagnosis },
  "public.clients.family_name": { mark: MARK },
  "public.clients.full_name": { mark: MARK },
  "public.clients.given_name": { mark: MARK },
  "public.clients.phone": { mark: VALUES.phone },
  "public.clients.postal_code": { mark: VALUES.postal_code },
  "public.clients.sex": { unmarked: "one of three letters" },
  "public.clients.state": { unmarked: "two letters" },
  "public.consent_signatures.ip_address": { unmarked: "every call of this test is from this machine" },
  "public.consent_signatures.termination_reason": { mark: MARK },
  "public.consent_signatures.typed_name": { mark: MARK },
  "public.consent_signatures.user_agent": { mark: MARK },
  "public.documents.deletion_reason": { mark: MARK },
  "public.documents.file_name": { mark: MARK },
  "public.documents.title": { mark: MARK },
  "public.session_charges.override_reason": { mark: MARK },
  "public.session_note_versions.ciphertext": { unmarked: "encrypted" },
  "public.sessions.cancellation_reason": { mark: MARK },
  "public.user_roles.reason": { mark: MARK },
};
