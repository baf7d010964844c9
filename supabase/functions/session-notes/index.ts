/** POST session-notes: saves, reads, signs, co-signs a note of a session, or releases a summary of it. */
import { noteRequestSchema } from "../../../src/lib/notes.ts";
import { readNotes, releaseSummary, saveNote, signNote } from "../_shared/notes.ts";
import { serve } from "../_shared/serve.ts";

export default {
  fetch: serve({
    name: "session-notes",
    request: noteRequestSchema,
    status: 200,
    converse: (request, ask) => {
      switch (request.action) {
        case "save":
          return saveNote(request, ask);
        case "read":
          return readNotes(request, ask);
        case "release_summary":
          return releaseSummary(request, ask);
        default:
          return signNote(request, ask);
      }
    },
  }),
};
