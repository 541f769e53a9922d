/** A user's export is begun here; server/exports.ts serves what came of it. */
import { EXPORT_USER } from "../../../base/export-files.ts";
import type { Queries } from "../../../ports/edge.ts";
import type { FileStore } from "../../../ports/files.ts";
import type { JobQueue } from "../../../ports/jobs.ts";
import { ok, REFUSALS, refused } from "../../../protocol/errors.ts";
import { RULES } from "../../../protocol/policy.ts";
import { asUserId } from "../../../protocol/schemas.ts";
import { SERVICE_USER } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, badField, type Handlers } from "../server/call.ts";
import { askerOf } from "./erasures.ts";

const WHOSE = badField("body", "user_id", "says whose export a service wants");
const NOT_YOURS = refused("forbidden", "You may export nobody but yourself.");

export interface ExportDeps {
  jobs: Pick<JobQueue, "add">;
  queries: Pick<Queries, "user">;
  store: Pick<FileStore, "missing">;
}

export function exportRoutes({ jobs, queries, store }: ExportDeps): Handlers<"startExport"> {
  return {
    async startExport({ caller, body }) {
      const isService = caller.userId === SERVICE_USER;
      // It shows logins, which are the user's own.
      if (!isService && caller.service !== null) return RULES.inPerson;
      const named = body.user_id ?? (isService ? undefined : caller.userId);
      if (named === undefined) return WHOSE;
      if (!isService && named !== caller.userId) return NOT_YOURS;
      if (store.missing !== null) return refused("unavailable", store.missing);
      const user = await orUnreachable(queries.user(asUserId(named)));
      if (user === null || user.erased === true) return REFUSALS.userNotFound;
      const askedBy = askerOf(caller);
      const job_id = await orUnreachable(
        jobs.add({
          kind: EXPORT_USER,
          key: `${named} ${askedBy}`,
          args: { user: named, namesOutside: isService },
          askedBy,
        }),
      );
      return answered(202, ok({ job_id }));
    },
  };
}
