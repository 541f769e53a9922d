/** Exports are begun here; server/exports.ts serves what came of it. */
import { EXPORT } from "../../../base/export-files.ts";
import type { ExportedThing, ExportStore } from "../../../ports/exports.ts";
import type { FileStore } from "../../../ports/files.ts";
import type { JobQueue } from "../../../ports/jobs.ts";
import { ok, REFUSALS, refused } from "../../../protocol/errors.ts";
import { RULES } from "../../../protocol/policy.ts";
import { askerOf, SERVICE_USER } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, type Handlers } from "../server/call.ts";

const WHAT = refused(
  "invalid_payload",
  "body: a service names one of user_id, conversation_id and all.",
  [{ in: "body", at: "", problem: "names one of user_id, conversation_id and all" }],
);
const NOT_YOURS = refused("forbidden", "You may export nobody but yourself.");

export interface ExportDeps {
  jobs: Pick<JobQueue, "add">;
  exports: Pick<ExportStore, "isThere">;
  store: Pick<FileStore, "missing">;
}

export function exportRoutes({ jobs, exports, store }: ExportDeps): Handlers<"startExport"> {
  return {
    async startExport({ caller, body }) {
      const isService = caller.userId === SERVICE_USER;
      // It shows logins, which are the user's own.
      if (!isService && caller.service !== null) return RULES.inPerson;
      const thing = thingOf(isService ? body : { user_id: caller.userId, ...body });
      if (thing === null) return isService ? WHAT : NOT_YOURS;
      const isOwn = thing.is === "user" && thing.id === caller.userId;
      if (!isService && !isOwn) return NOT_YOURS;
      if (store.missing !== null) return refused("unavailable", store.missing);
      if (!(await orUnreachable(exports.isThere(thing)))) {
        return thing.is === "user" ? REFUSALS.userNotFound : REFUSALS.conversationNotFound;
      }
      const askedBy = askerOf(caller);
      const job_id = await orUnreachable(
        jobs.add({
          kind: EXPORT,
          key: `${thing.is} ${"id" in thing ? thing.id : ""} ${askedBy}`,
          args: { thing, namesOutside: isService },
          askedBy,
        }),
      );
      return answered(202, ok({ job_id }));
    },
  };
}

interface Wish {
  user_id?: string;
  conversation_id?: string;
  all?: true;
}

/** Null: it is not exactly one. */
function thingOf({ user_id, conversation_id, all }: Wish): ExportedThing | null {
  const things: ExportedThing[] = [
    ...(user_id === undefined ? [] : [{ is: "user", id: user_id } as const]),
    ...(conversation_id === undefined
      ? []
      : [{ is: "conversation", id: conversation_id } as const]),
    ...(all === undefined ? [] : [{ is: "all" } as const]),
  ];
  return things.length === 1 ? things[0]! : null;
}
