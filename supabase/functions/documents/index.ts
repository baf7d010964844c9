/** POST documents: announces, finishes, lists, reads or deletes documents of a client. */
import { documentRequestSchema } from "../../../src/lib/documents.ts";
import { readDocument, uploadDocument } from "../_shared/documents.ts";
import { serve } from "../_shared/serve.ts";

export default {
  fetch: serve({
    name: "documents",
    request: documentRequestSchema,
    status: 200,
    converse: ({ action, ...request }, ask, context) => {
      switch (action) {
        case "upload":
          return uploadDocument(request, ask, context);
        case "finish":
          return ask("finish_document", request);
        case "list":
          return ask("find_documents", request);
        case "read":
          return readDocument(request, ask, context);
        case "delete":
          return ask("delete_document", request, "with the caller's idempotency key");
      }
    },
  }),
};
