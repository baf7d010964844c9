// Who was without a role, for certain, and was served all the same.

import { type Entry, isRead } from "./history.ts";

/** How long what was not answered may still be under way. */
const UNDER_WAY_MS = 5_000;

interface Change {
  granted: boolean;
  began: number;
  ended: number;
  answered: boolean;
}

/** From when a revocation was answered until a grant may have begun to count, its user is served nothing. */
export class Roles {
  private readonly changes = new Map<string, Change[]>();
  private readonly served: { user: string; began: number; ended: number; operation: number; name: string }[] =
    [];

  see({ name, request, user, began, ended, outcome, operation }: Entry): void {
    if (name === "revoke_role" || name === "grant_role") {
      const of = request.user_id as string;
      const changes = this.changes.get(of) ?? [];
      const answered = outcome === "ok";
      changes.push({
        granted: name === "grant_role",
        began,
        ended: answered ? ended : ended + UNDER_WAY_MS,
        answered,
      });
      this.changes.set(of, changes);
    } else if (outcome === "ok" && !isRead(name)) this.served.push({ user, began, ended, operation, name });
  }

  faults(): string[] {
    return this.served
      .filter(({ user, began, ended }) => {
        const changes = this.changes.get(user) ?? [];
        const revoked = changes.findLast(
          (change) => !change.granted && change.answered && change.ended < began,
        );
        return (
          revoked !== undefined &&
          !changes.some((change) => change.granted && change.ended > revoked.began && change.began < ended)
        );
      })
      .map(
        ({ operation, name }) =>
          `operation ${operation}, ${name}, was done for a user whose role was revoked before`,
      );
  }
}
