// What the checker says is wrong.

export const ANOMALIES = [
  /** Two claims or two bookings of one subject overlap in a snapshot. */
  "overlap_visible",
  /** Two bookings that callers were told they had, at the same moment, overlap. */
  "overlap_acknowledged",
  /** What was acknowledged is not there. */
  "effect_lost",
  /** One key was answered twice with different effects, or done a second time. */
  "effect_doubled",
  /** Something is there that no answer tells of, not even a later one to the same key. */
  "effect_unacknowledged",
  /** A row is not as the last answer that tells of it. */
  "effect_altered",
  /** A session that took place, or was missed, was moved, cancelled or marked anew. */
  "settled_changed",
  /** A session has no charge or two, other units than its time comes to, or stands on two claims. */
  "charge_wrong",
  /** What became of an operation could not be found out. */
  "unresolved",
  "balance_negative",
  "balance_overdrawn",
  /** Units drawn are not those of the live bookings. */
  "balance_wrong",
  /** An effect has no event, or more than one. */
  "audit_incomplete",
  /** The trail is not as it was sealed, or a seal that was read is gone. */
  "audit_not_sealed",
  /** An answer names a row of another tenant. */
  "leak",
  /** What must be refused was done: of another tenant, without a session, after the role was revoked. */
  "forbidden_done",
  /** An answer that nobody should ever see. */
  "broken_answer",
] as const;

export type AnomalyKind = (typeof ANOMALIES)[number];

export interface Anomaly {
  kind: AnomalyKind;
  what: string;
}
