/**
 * `POST /api/files`: the body is the file. It streams from the connection into the store, and is
 * refused as soon as it is known that it cannot be taken.
 *
 * [UPL1] If the request has a length, a body that is too large or exceeds the quota is refused before
 *        it is read. A forbidden type is refused at once if it is claimed, and after 4 KiB if the
 *        bytes are of it.
 * [UPL2] An upload that is refused or cut leaves neither bytes nor a row, and its quota is free again.
 * [UPL3] A file that is answered 201 is complete, on the disk and in the table.
 */
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { UNKNOWN } from "../../../base/sniff.ts";
import { isTakenType } from "../../../config/file-keys.ts";
import { COST_OF_ROUTE } from "../../../protocol/costs.ts";
import { type ErrorObject, refused } from "../../../protocol/errors.ts";
import { type FileObject, fileNameOf, SIMPLE_UPLOAD_BYTES_MAX } from "../../../protocol/files.ts";
import { ACT_OF_ROUTE } from "../../../protocol/policy.ts";
import { ROUTES } from "../../../protocol/routes.ts";
import type { Identity } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { createReader } from "../../validation.ts";
import { answerFault } from "./fallbacks.ts";
import { noteDuration } from "./noted-duration.ts";
import { allowSlowBody } from "./server.ts";
import {
  answerAndDrain,
  EMPTY,
  FORBIDDEN_TYPE,
  foundOf,
  Head,
  isGone,
  QUOTA,
  Stopped,
  type UploadsOptions,
  written,
} from "./upload-rules.ts";

const MIB = 1024 * 1024;
const ENCODED = refused(
  "unsupported_media_type",
  "Compressed bodies are not read; send the bytes as they are.",
).error;
const NOT_THE_FILE = refused(
  "unsupported_media_type",
  "The body is the file itself, and not a form.",
).error;
const CUT_OFF = refused("invalid_payload", "The body ended early.").error;
/** Content types that clients send if they do not know the type of the body. */
const NO_CLAIM = new Set(["", UNKNOWN, "application/x-www-form-urlencoded"]);

export function serveUploads(app: FastifyInstance, options: UploadsOptions): void {
  const { config, files, gates, limits, replies, audit, clock, log } = options;
  const spec = ROUTES.uploadFile;
  const readQuery = createReader("query", spec.query);
  const bytesMax = Math.min(config.fileBytesMax, SIMPLE_UPLOAD_BYTES_MAX);
  const tooLarge = refused(
    "payload_too_large",
    `A file that is sent this way has at most ${bytesMax >= MIB ? `${bytesMax / MIB} MiB` : `${bytesMax} bytes`}.`,
  ).error;

  /** Why it is refused before its body is read; null: it is not. */
  function early(request: FastifyRequest, caller: Identity): ErrorObject | null {
    const query = readQuery(request.query);
    if (!query.ok) return query.error;
    if (caller.service === null) {
      const payer = caller.userId;
      const units = COST_OF_ROUTE.uploadFile({ query: {}, body: {}, caller: payer });
      const limited = limits.callCosts(payer, units, request.address);
      if (limited !== null) return limited;
    }
    if (files.store.missing !== null) return refused("unavailable", files.store.missing).error;
    const { "content-encoding": encoding = "identity" } = request.headers;
    if (encoding !== "identity") return ENCODED;
    const claimed = claimedType(request);
    if (claimed.startsWith("multipart/")) return NOT_THE_FILE;
    const length = lengthOf(request);
    if (length === 0) return EMPTY;
    if (length !== null && length > bytesMax) return tooLarge;
    const isTaken = NO_CLAIM.has(claimed) || isTakenType(config.fileTypes, claimed);
    return isTaken ? null : FORBIDDEN_TYPE;
  }

  async function take(request: FastifyRequest, caller: Identity): Promise<FileObject> {
    const { name } = request.query as { name?: string };
    const quota = config.fileQuotaBytes;
    const { table, store, links } = files;
    const id = await orUnreachable(
      table.begin(caller.userId, fileNameOf(name ?? ""), lengthOf(request) ?? 0, quota),
    );
    if (id === null) throw new Stopped(QUOTA);
    const head = new Head((mime) => {
      if (!isTakenType(config.fileTypes, mime)) throw new Stopped(FORBIDDEN_TYPE);
    });
    try {
      const bytes = await written(store.write(id, checked(request.raw, head)));
      if (bytes === 0) throw new Stopped(EMPTY);
      const { mime } = head;
      await noteDuration({ id, bytes, mime }, files, clock);
      const found = foundOf(id, bytes, mime, links, config);
      const file = await orUnreachable(table.complete(id, found, quota));
      if (file === null) throw new Stopped(QUOTA);
      return file.shown;
    } catch (fault) {
      // [UPL2] A row that cannot be removed now goes with the files that were never attached.
      await store.remove(id).catch(() => undefined);
      await table.forget(id).catch(() => undefined);
      throw fault;
    }
  }

  async function* checked(body: IncomingMessage, head: Head): AsyncIterable<Uint8Array> {
    let bytes = 0;
    try {
      // The connection must not be cut by the end of reading: the refusal is answered on it.
      const chunks: AsyncIterable<Buffer> = body.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) {
        bytes += chunk.length;
        if (bytes > bytesMax) throw new Stopped(tooLarge);
        head.add(chunk);
        yield chunk;
      }
    } catch (fault) {
      if (fault instanceof Stopped) throw fault;
      throw new Stopped(CUT_OFF);
    }
    head.end();
  }

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // The handler reads the body itself.
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null, undefined));
    scope.route({
      method: spec.method,
      url: spec.path,
      onRequest: gates.token(ACT_OF_ROUTE.uploadFile),
      handler(request, reply) {
        const caller = request.caller as Identity;
        const refusal = early(request, caller);
        if (refusal !== null) {
          refuse(request, reply, refusal);
          return;
        }
        allowSlowBody(request.raw.socket);
        take(request, caller).then(
          async (file) => {
            if (caller.service !== null) {
              const call = { name: "uploadFile", path: spec.path } as const;
              const asked = { params: {}, query: request.query, body: {}, answer: file };
              await audit.note(caller, { ...call, ...asked });
            }
            if (isGone(request)) reply.hijack();
            else replies.send(request, reply, 201, file);
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

function claimedType(request: FastifyRequest): string {
  const [type = ""] = (request.headers["content-type"] ?? "").split(";");
  return type.trim().toLowerCase();
}

/** Null: the request does not say. */
function lengthOf(request: FastifyRequest): number | null {
  const { "content-length": length, "transfer-encoding": coding } = request.headers;
  if (length === undefined) return coding === undefined ? 0 : null;
  return Number(length);
}
