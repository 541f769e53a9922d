/**
 * `POST /api/imports`: the body is the file, which streams from the connection into the store of files
 * and is imported by a job.
 *
 * [IMR1] A body that is too large, empty or cut leaves nothing behind.
 * [IMR2] An import that is answered 202 has all its bytes on the disk.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import type { Clock } from "../../../base/clock.ts";
import { IMPORT, importKey } from "../../../base/import-files.ts";
import type { FileStore } from "../../../ports/files.ts";
import type { JobQueue } from "../../../ports/jobs.ts";
import { type ErrorObject, refused } from "../../../protocol/errors.ts";
import { ACT_OF_ROUTE } from "../../../protocol/policy.ts";
import { ROUTES } from "../../../protocol/routes.ts";
import { askerOf, type Identity } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import type { AuditTrail } from "./audit.ts";
import { answerFault } from "./fallbacks.ts";
import type { Gates } from "./gates.ts";
import type { Replies } from "./replies.ts";
import { allowSlowBody } from "./server.ts";
import { answerAndDrain, isGone, Stopped, written } from "./upload-rules.ts";

const EMPTY = refused("invalid_payload", "The body is empty: it holds the lines to import.").error;
const CUT_OFF = refused("invalid_payload", "The body ended early.").error;
const ENCODED = refused(
  "unsupported_media_type",
  "Compressed bodies are not read; send the lines as they are, or the zip of an export.",
).error;

export interface ImportsOptions {
  bytesMax: number;
  jobs: Pick<JobQueue, "add">;
  store: Pick<FileStore, "missing" | "write" | "remove">;
  gates: Gates;
  replies: Replies;
  audit: AuditTrail;
  clock: Clock;
  log: Logger;
}

export function serveImports(app: FastifyInstance, options: ImportsOptions): void {
  const { bytesMax, jobs, store, gates, replies, audit, clock, log } = options;
  const spec = ROUTES.startImport;
  const tooLarge = refused(
    "payload_too_large",
    `An import has at most ${bytesMax} bytes here (IMPORT_BYTES_MAX): cut the file in two.`,
  ).error;

  function early({ headers }: FastifyRequest): ErrorObject | null {
    if (store.missing !== null) return refused("unavailable", store.missing).error;
    const { "content-encoding": encoding = "identity", "content-length": length } = headers;
    if (encoding !== "identity") return ENCODED;
    if (length === undefined && headers["transfer-encoding"] === undefined) return EMPTY;
    if (length === "0") return EMPTY;
    return Number(length ?? 0) > bytesMax ? tooLarge : null;
  }

  async function* checked(body: IncomingMessage): AsyncIterable<Uint8Array> {
    let bytes = 0;
    try {
      // The connection must not be cut by the end of reading: the refusal is answered on it.
      const chunks: AsyncIterable<Buffer> = body.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) {
        bytes += chunk.length;
        if (bytes > bytesMax) throw new Stopped(tooLarge);
        yield chunk;
      }
    } catch (fault) {
      if (fault instanceof Stopped) throw fault;
      throw new Stopped(CUT_OFF);
    }
  }

  async function take(request: FastifyRequest, caller: Identity): Promise<{ job_id: string }> {
    const name = randomUUID();
    try {
      const bytes = await written(store.write(importKey(name), checked(request.raw)));
      if (bytes === 0) throw new Stopped(EMPTY);
      const asked = { kind: IMPORT, args: { name, bytes }, askedBy: askerOf(caller) };
      return { job_id: await orUnreachable(jobs.add(asked)) };
    } catch (fault) {
      await store.remove(importKey(name)).catch(() => undefined);
      throw fault;
    }
  }

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // The handler reads the body itself.
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null, undefined));
    scope.route({
      method: spec.method,
      url: spec.path,
      onRequest: gates.token(ACT_OF_ROUTE.startImport),
      handler(request, reply) {
        const caller = request.caller as Identity;
        const refusal = early(request);
        if (refusal !== null) {
          refuse(request, reply, refusal);
          return;
        }
        allowSlowBody(request.raw.socket);
        take(request, caller).then(
          async (answer) => {
            const asked = { params: {}, query: {}, body: {}, answer };
            await audit.note(caller, { name: "startImport", path: spec.path, ...asked });
            if (isGone(request)) reply.hijack();
            else replies.send(request, reply, 202, answer);
          },
          (fault: unknown) => {
            if (fault instanceof Stopped) refuse(request, reply, fault.refusal);
            else {
              answerAndDrain(request, reply, clock, () =>
                answerFault(request, reply, fault, replies, log),
              );
            }
          },
        );
      },
    });
  });

  function refuse(request: FastifyRequest, reply: FastifyReply, error: ErrorObject): void {
    answerAndDrain(request, reply, clock, () => replies.refuse(request, reply, error));
  }
}
