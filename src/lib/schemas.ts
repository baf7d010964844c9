/** The contracts of the Edge Functions as zod schemas, for apps that judge a request before they send it. */
export { availabilityRequestSchema } from "./availability.ts";
export {
  cancelRequestSchema,
  cancelResponseSchema,
  confirmRequestSchema,
  confirmResponseSchema,
  holdRequestSchema,
  holdResponseSchema,
  previewRequestSchema,
  previewResponseSchema,
} from "./contracts.ts";
export { documentKindSchema, documentRequestSchema, documentTypeSchema } from "./documents.ts";
export { joinRequestSchema, joinResponseSchema } from "./join.ts";
export { noteRequestSchema } from "./notes.ts";
export { openTimesRequestSchema, openTimesResponseSchema } from "./open-times.ts";
export { problemSchema } from "./problems.ts";
export { rescheduleRequestSchema } from "./reschedule.ts";
export { seriesPreviewResponseSchema, seriesRequestSchema, seriesResponseSchema } from "./series.ts";
export { waitlistRequestSchema } from "./waitlist.ts";
