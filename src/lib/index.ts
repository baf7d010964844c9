/**
 * Holdfast for apps: hold, confirm and cancel sessions; the contracts, errors, time zones and units that go with it.
 */
export { type Camel, fromWire, type Snake, toWire } from "./casing.ts";
export {
  type BookedSessions,
  bookSession,
  type CallOptions,
  type CancelResult,
  type ConfirmedSessions,
  cancelSessionHold,
  cancelSessions,
  confirmSessionBooking,
  type HoldCancelRequest,
  requestSessionHold,
  type SessionConfirmRequest,
  type SessionHold,
  type SessionHoldRequest,
  type SessionsCancelRequest,
  type TimeRange,
} from "./client.ts";
export {
  type CancelData,
  type CancelRequest,
  type ConfirmData,
  type ConfirmRequest,
  cancelRequestSchema,
  cancelResponseSchema,
  confirmRequestSchema,
  confirmResponseSchema,
  HOLD_SECONDS,
  type HoldData,
  type HoldRequest,
  holdRequestSchema,
  holdResponseSchema,
  MAX_OCCURRENCES,
  MAX_SESSION_HOURS,
  type Occurrence,
  type Session,
} from "./contracts.ts";
export { roundedMinutes, units } from "./cpt.ts";
export { type AppProblem, HoldfastError, isHoldfastError } from "./errors.ts";
export {
  canEnter,
  guardFor,
  PERMISSIONS,
  type Permission,
  ROLES,
  ROUTE_GUARDS,
  type Role,
  type Route,
  type RouteGuard,
  type RouteMatch,
  type Visitor,
} from "./guards.ts";
export {
  type FieldError,
  PROBLEM_CODES,
  PROBLEM_MEDIA_TYPE,
  PROBLEMS,
  type Problem,
  type ProblemCode,
  problemSchema,
} from "./problems.ts";
export { isTimeZone, localToInstant, offsetMinutes } from "./timezone.ts";
