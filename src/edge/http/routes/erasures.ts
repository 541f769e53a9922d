/** Users who are erased, by their service or by themselves; and how far such long work is. */
import type { Logger } from "pino";
import type { ErasureMode, ErasureStore } from "../../../ports/erasures.ts";
import type { JobError, JobQueue } from "../../../ports/jobs.ts";
import { ok, type Result, refused } from "../../../protocol/errors.ts";
import type { UserId } from "../../../protocol/ids.ts";
import { asUserId } from "../../../protocol/schemas.ts";
import type { Auth, Revocations } from "../../auth/auth.ts";
import { askerOf, type Identity } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, type Handlers } from "../server/call.ts";
import type { AskActors } from "./conversations.ts";

type Route = "eraseUser" | "eraseMe" | "getJob";

const NO_JOB = refused("not_found", "No such job is known, or it is not yours.");

export interface ErasureDeps {
  erasures: Pick<ErasureStore, "begin">;
  jobs: Pick<JobQueue, "job">;
  auth: Pick<Auth, "confirmPassword">;
  revocations: Pick<Revocations, "suspend" | "cut">;
  gateway: AskActors;
  log: Logger;
}

export function erasureRoutes({
  erasures,
  jobs,
  auth,
  revocations,
  gateway,
  log,
}: ErasureDeps): Handlers<Route> {
  async function erase(
    user: UserId,
    mode: ErasureMode,
    caller: Identity,
  ): Promise<Result<{ job_id: string }>> {
    const begun = await orUnreachable(erasures.begin(user, mode, askerOf(caller)));
    if (!begun.ok) return begun;
    const { jobId, cutMs } = begun.value;
    revocations.suspend(user, true);
    revocations.cut(user, cutMs);
    log.info({ event: "erasure_begun", user_id: user, messages: mode, job_id: jobId });
    // Watchers of the user are sent the user without a name.
    void gateway.ask("user", user, "profile_changed", {});
    return ok({ job_id: jobId });
  }

  return {
    async eraseUser({ params, query, caller }) {
      return answered(202, await erase(asUserId(params.id), query.messages, caller));
    },

    async eraseMe({ caller, body, address, userAgent }) {
      const client = { address, userAgent };
      const confirmed = await auth.confirmPassword(caller.userId, body.password, client);
      if (!confirmed.ok) return confirmed;
      return answered(202, await erase(caller.userId, body.messages, caller));
    },

    async getJob({ params, caller }) {
      const found = await orUnreachable(jobs.job(params.id));
      if (found === null || found.asked_by === null) return NO_JOB;
      const isAdmin = caller.service !== null && caller.scope.includes("admin");
      if (!isAdmin && found.asked_by !== askerOf(caller)) return NO_JOB;
      const { id, kind, state, progress, result, error } = found;
      return answered(
        200,
        ok({
          id,
          kind,
          state,
          progress: progress ?? {},
          ...(result !== null && { result }),
          ...(error !== null && { error: shownError(error) }),
        }),
      );
    },
  };
}

const shownError = ({ code, message, details }: JobError) =>
  ({ code, message, ...(details !== undefined && { details }) }) as never;
