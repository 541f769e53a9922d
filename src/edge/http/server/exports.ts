/**
 * `GET /api/exports/:id`: the archive that a job has made, as it is read from the store.
 *
 * [EXD1] Only who asked for an export reads it, and within its day.
 */
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import type { Clock } from "../../../base/clock.ts";
import { EXPORT, exportKey } from "../../../base/export-files.ts";
import type { FileStore } from "../../../ports/files.ts";
import type { JobQueue } from "../../../ports/jobs.ts";
import { refused } from "../../../protocol/errors.ts";
import { ACT_OF_ROUTE } from "../../../protocol/policy.ts";
import { ROUTES } from "../../../protocol/routes.ts";
import { epochMsOf } from "../../../protocol/time.ts";
import { askerOf, type Identity } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { createReader } from "../../validation.ts";
import { answerFault } from "./fallbacks.ts";
import type { Gates } from "./gates.ts";
import type { Replies } from "./replies.ts";

const NO_EXPORT = refused(
  "not_found",
  "There is no such export, its day is over, or it is not yours.",
).error;

export interface ExportsOptions {
  jobs: Pick<JobQueue, "job">;
  store: Pick<FileStore, "read">;
  gates: Gates;
  replies: Replies;
  /** Adds the headers that every answer has. */
  head(request: FastifyRequest, reply: FastifyReply): void;
  count(route: string, status: number): void;
  clock: Clock;
  log: Logger;
}

export function serveExports(app: FastifyInstance, options: ExportsOptions): void {
  const { jobs, store, gates, replies, head, count, clock, log } = options;
  const spec = ROUTES.getExport;
  const readParams = createReader("path", spec.params);

  async function serve(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const params = readParams(request.params);
    if (!params.ok) {
      replies.refuse(request, reply, params.error);
      return;
    }
    const { id } = request.params as { id: string };
    const job = await orUnreachable(jobs.job(id));
    const isTheirs = job?.asked_by === askerOf(request.caller as Identity);
    // [EXD1]
    if (job?.kind !== EXPORT || !isTheirs || job.state !== "done") {
      replies.refuse(request, reply, NO_EXPORT);
      return;
    }
    const { bytes, expires_at } = job.result as { bytes: number; expires_at: string };
    const isOver = Date.parse(expires_at) <= epochMsOf(clock.wallMs());
    const found = isOver ? null : await orUnreachable(store.read(exportKey(id), 0, bytes - 1));
    if (found === null) {
      replies.refuse(request, reply, NO_EXPORT);
      return;
    }
    head(request, reply);
    count(spec.path, 200);
    reply
      .code(200)
      .headers({
        "content-type": "application/zip",
        "content-length": String(bytes),
        "content-disposition": `attachment; filename="export-${id}.zip"`,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
      })
      .send(found instanceof Readable ? found : Readable.from(found));
  }

  app.route({
    method: spec.method,
    url: spec.path,
    exposeHeadRoute: false,
    onRequest: gates.token(ACT_OF_ROUTE.getExport),
    handler(request, reply) {
      serve(request, reply).catch((fault: unknown) =>
        answerFault(request, reply, fault, replies, log),
      );
    },
  });
}
