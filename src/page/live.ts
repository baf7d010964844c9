/** Other users' changes, as they happen. */
import type { Change } from "../lib/index.ts";
import { holdfast } from "./backend.ts";
import { announce } from "./dom.ts";
import type { Visitor } from "./visitor.ts";

// One booking is several changes: they are read once.
const GATHER_MS = 100;

const WORDS = {
  live: "Live: others' changes appear by themselves",
  resync: "Live: others' changes appear by themselves",
  broken: "Not live: the connection broke, and is tried again by itself",
  refused: "Not live: load the page again to see others' changes",
  closed: "",
} as const;

/**
 * Calls `changed` when something in a therapist's calendar is other than before, and says whether it will.
 * @returns stops it.
 */
export function followTherapist(
  visitor: Visitor,
  therapistId: string,
  changed: () => void,
  say: (words: string, isLive: boolean) => void,
): () => void {
  let gathering: ReturnType<typeof setTimeout> | undefined;
  let isBroken = false;
  const soon = () => {
    clearTimeout(gathering);
    gathering = setTimeout(changed, GATHER_MS);
  };
  // Who runs the schedule hears the whole clinic, who treats their own calendar.
  const target = visitor.permissions.includes("book_any_session")
    ? { organizationId: visitor.clinic.id }
    : { therapistId };
  const hear = ({ therapistIds }: Change) => {
    if (!therapistIds || therapistIds.includes(therapistId)) soon();
  };
  const { unsubscribe } = holdfast.changes.subscribe(target, hear, {
    onStatus: (status) => {
      const isLive = status === "live" || status === "resync";
      say(WORDS[status], isLive);
      if (status === "broken" || (isBroken && isLive)) announce(WORDS[status]);
      isBroken = status === "broken";
      // What happened before is not told: it is there to be read.
      if (isLive) soon();
    },
  });
  return () => {
    clearTimeout(gathering);
    void unsubscribe();
  };
}
