/**
 * Uploads that can be resumed, by tus 1.0 (https://tus.io/protocols/resumable-upload): core,
 * creation, creation-with-upload and termination, at `/api/files/tus`. The number of an upload is
 * the id of its file.
 *
 * Any worker takes any part: all share one store of bytes, and the number of bytes in the store is
 * the offset (upload-hold.ts decides which request may write).
 *
 * [TUS1] An upload that is too large, claims a forbidden type or exceeds the quota is refused at
 *        creation. One whose bytes are of a forbidden type is refused after 4 KiB and deleted.
 * [TUS2] The bytes up to an answered offset are on the disk, so no crash loses them.
 * [TUS3] An upload is complete when its last byte is stored, also where the request that brought it
 *        was cut: then the next request finishes it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { sniff } from "../../../base/sniff.ts";
import { isTakenType } from "../../../config/file-keys.ts";
import type { UploadInParts } from "../../../ports/uploads.ts";
import { COST_OF_ROUTE } from "../../../protocol/costs.ts";
import { type ErrorObject, refused } from "../../../protocol/errors.ts";
import { fileNameOf, SNIFFED_BYTES } from "../../../protocol/files.ts";
import { isId } from "../../../protocol/ids.ts";
import { TUS_PATH } from "../../../protocol/openapi-tus.ts";
import { ACT_OF_ROUTE } from "../../../protocol/policy.ts";
import type { Identity } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import type { Cors } from "./cors.ts";
import { allowPreflight, isPreflight } from "./cors.ts";
import { answerFault } from "./fallbacks.ts";
import { noteDuration } from "./noted-duration.ts";
import { JSON_TYPE } from "./replies.ts";
import { allowSlowBody } from "./server.ts";
import { UploadHold } from "./upload-hold.ts";
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

const VERSION = "1.0.0";
const EXTENSIONS = "creation,creation-with-upload,termination";
const PARTS_TYPE = "application/offset+octet-stream";
const PATH = TUS_PATH;
const ONE = `${PATH}/:id`;
const METADATA_CHARS_MAX = 4_096;

const NO_UPLOAD = refused("not_found", "You have begun no such upload.").error;
const GONE = refused("gone", "This upload was taken back.").error;
const NO_LENGTH = refused("invalid_payload", "Upload-Length says how many bytes will come.").error;
const NO_OFFSET = refused("invalid_payload", "Upload-Offset says where these bytes begin.").error;
const BAD_METADATA = refused(
  "invalid_payload",
  "Upload-Metadata is a comma list of names, each with a value in base64.",
).error;
const WRONG_TYPE = refused("unsupported_media_type", `Send the bytes as ${PARTS_TYPE}.`).error;
const TOO_MANY = refused(
  "payload_too_large",
  "These are more bytes than Upload-Length says.",
).error;
const OTHER_OFFSET = refused("conflict", "The upload has come to another offset.").error;
const HELD = refused("conflict", "Another request sends bytes of this upload.").error;
const OTHER_VERSION = refused("invalid_payload", `Tus-Resumable is ${VERSION} here.`).error;
const NOT_POST = refused("method_not_allowed", "POST is not possible here.").error;
/** Statuses of tus that no code of the contract has. */
const [PRECONDITION_FAILED, LOCKED] = [412, 423];

export interface TusOptions extends UploadsOptions {
  basePath: string;
  /** Adds the headers that every answer has. */
  head: Cors;
  count(route: string, status: number): void;
}

/** The answer to a request: its status and the headers of tus. */
interface Done {
  status: number;
  headers: Record<string, string>;
}

/** A refusal with a status of its own. */
class Refused extends Stopped {
  readonly status: number;

  constructor(error: ErrorObject, status: number) {
    super(error);
    this.status = status;
  }
}

/** Answers the routes it has added, for the 405 of other methods. */
export function serveTus(
  app: FastifyInstance,
  options: TusOptions,
): { method: string; path: string }[] {
  const { config, files, gates, limits, replies, basePath, head, count, clock, log } = options;
  const { table, links, uploads } = files;
  const quota = config.fileQuotaBytes;
  const tooLarge = refused(
    "payload_too_large",
    `A file has at most ${config.fileBytesMax} bytes.`,
  ).error;

  async function create(request: FastifyRequest, caller: Identity): Promise<Done> {
    const { "upload-length": length, "upload-metadata": metadata = "" } = request.headers;
    const bytes = wholeNumber(length);
    if (bytes === null) throw new Stopped(NO_LENGTH);
    const known = metadataOf(String(metadata));
    if (caller.service === null) {
      const payer = caller.userId;
      const units = COST_OF_ROUTE.uploadFile({ query: {}, body: {}, caller: payer });
      const limited = limits.callCosts(payer, units, request.address);
      if (limited !== null) throw new Stopped(limited);
    }
    if (bytes > config.fileBytesMax) throw new Stopped(tooLarge);
    if (bytes === 0) throw new Stopped(EMPTY);
    const claimed = (known.get("filetype") ?? "").split(";")[0]!.trim().toLowerCase();
    if (claimed !== "" && !isTakenType(config.fileTypes, claimed))
      throw new Stopped(FORBIDDEN_TYPE);
    const name = fileNameOf(known.get("filename") ?? known.get("name") ?? "");
    const id = await orUnreachable(uploads.table.begin(caller.userId, name, bytes, quota));
    if (id === null) throw new Stopped(QUOTA);
    const location = `${basePath}${PATH}/${id}`;
    if (request.headers["content-type"] !== PARTS_TYPE) {
      return { status: 201, headers: { location, "upload-offset": "0" } };
    }
    const end = await write(request, id, { bytes, state: "unfinished" }, 0);
    return { status: 201, headers: { location, "upload-offset": String(end) } };
  }

  async function look(_request: FastifyRequest, caller: Identity, id: string): Promise<Done> {
    const upload = await known(caller, id);
    const end =
      upload.state === "whole" ? upload.bytes : await orUnreachable(uploads.store.size(id));
    if (upload.state === "unfinished" && end === upload.bytes) await finish(id, upload);
    const headers = {
      "upload-offset": String(end),
      "upload-length": String(upload.bytes),
      "cache-control": "no-store",
    };
    return { status: 200, headers };
  }

  async function add(request: FastifyRequest, caller: Identity, id: string): Promise<Done> {
    if (request.headers["content-type"] !== PARTS_TYPE) throw new Stopped(WRONG_TYPE);
    const offset = wholeNumber(request.headers["upload-offset"]);
    if (offset === null) throw new Stopped(NO_OFFSET);
    const upload = await known(caller, id);
    if (upload.state === "whole") {
      if (offset !== upload.bytes) throw new Stopped(OTHER_OFFSET);
      return { status: 204, headers: { "upload-offset": String(offset) } };
    }
    const end = await write(request, id, upload, offset);
    return { status: 204, headers: { "upload-offset": String(end) } };
  }

  async function terminate(_: FastifyRequest, caller: Identity, id: string): Promise<Done> {
    const upload = await known(caller, id);
    if (upload.state === "whole") {
      if (await orUnreachable(table.remove(id))) await files.retire(id);
    } else {
      const hold = await held(id);
      try {
        await forget(id);
      } finally {
        await hold.release().catch(() => undefined);
      }
    }
    return { status: 204, headers: {} };
  }

  async function known(caller: Identity, id: string): Promise<UploadInParts> {
    const upload = isId(id) ? await orUnreachable(uploads.table.find(caller.userId, id)) : null;
    if (upload === null) throw new Stopped(NO_UPLOAD);
    if (upload.state === "gone") throw new Stopped(GONE);
    return upload;
  }

  async function held(id: string): Promise<UploadHold> {
    const hold = await orUnreachable(UploadHold.take(uploads.table, id, clock));
    if (hold === null) throw new Refused(HELD, LOCKED);
    return hold;
  }

  /** Takes the bytes of a request; answers how many there are then. */
  async function write(
    request: FastifyRequest,
    id: string,
    upload: UploadInParts,
    offset: number,
  ): Promise<number> {
    allowSlowBody(request.raw.socket);
    const hold = await held(id);
    try {
      if ((await orUnreachable(uploads.store.size(id))) !== offset) throw new Stopped(OTHER_OFFSET);
      hold.keep(() => request.raw.destroy());
      const source = parts(request, upload.bytes - offset, hold, await headAt(id, offset));
      const end = await written(uploads.store.append(id, offset, source));
      if (end === upload.bytes) await finish(id, upload);
      return end;
    } catch (fault) {
      if (fault instanceof Stopped && fault.refusal === FORBIDDEN_TYPE) await forget(id);
      throw fault;
    } finally {
      // Otherwise the lease ends it.
      await hold.release().catch(() => undefined);
    }
  }

  /** [TUS1] The judge of the first bytes, with those stored so far; null: they are judged already. */
  async function headAt(id: string, offset: number): Promise<Head | null> {
    if (offset >= SNIFFED_BYTES) return null;
    const first = new Head(judge);
    if (offset > 0) first.add(await orUnreachable(uploads.store.head(id, offset)));
    return first;
  }

  function judge(mime: string): void {
    if (!isTakenType(config.fileTypes, mime)) throw new Stopped(FORBIDDEN_TYPE);
  }

  /** [TUS3] */
  async function finish(id: string, { bytes }: UploadInParts): Promise<void> {
    const first = await orUnreachable(uploads.store.head(id, SNIFFED_BYTES));
    const mime = sniff(first, bytes <= SNIFFED_BYTES);
    try {
      judge(mime);
    } catch (fault) {
      await forget(id);
      throw fault;
    }
    await orUnreachable(uploads.store.finish(id));
    await noteDuration({ id, bytes, mime }, files, clock);
    const found = foundOf(id, bytes, mime, links, config);
    const file = await orUnreachable(table.complete(id, found, quota));
    if (file !== null || (await orUnreachable(table.file(id))) !== null) return;
    // It was given up meanwhile.
    await forget(id);
    throw new Stopped(GONE);
  }

  /** A file that cannot be removed now goes later, with the files that were never attached. */
  async function forget(id: string): Promise<void> {
    await uploads.store.drop(id).catch(() => undefined);
    await files.store.remove(id).catch(() => undefined);
    await table.forget(id).catch(() => undefined);
  }

  type Handler = (request: FastifyRequest, caller: Identity, id: string) => Promise<Done>;

  function handle(handler: Handler) {
    return (request: FastifyRequest, reply: FastifyReply): void => {
      const { id = "" } = request.params as { id?: string };
      reply.header("tus-resumable", VERSION);
      if (request.headers["tus-resumable"] !== VERSION) {
        reply.header("tus-version", VERSION);
        refuse(request, reply, OTHER_VERSION, PRECONDITION_FAILED);
        return;
      }
      if (files.store.missing !== null) {
        refuse(request, reply, refused("unavailable", files.store.missing).error);
        return;
      }
      handler(request, request.caller as Identity, id).then(
        ({ status, headers }) => {
          if (isGone(request)) {
            reply.hijack();
            return;
          }
          reply.headers(headers);
          replies.send(request, reply, status, null);
        },
        (fault: unknown) => {
          if (fault instanceof Stopped) {
            refuse(request, reply, fault.refusal, fault instanceof Refused ? fault.status : null);
          } else {
            answerAndDrain(request, reply, clock, () =>
              answerFault(request, reply, fault, replies, log),
            );
          }
        },
      );
    };
  }

  function refuse(
    request: FastifyRequest,
    reply: FastifyReply,
    error: ErrorObject,
    status: number | null = null,
  ): void {
    answerAndDrain(request, reply, clock, () => {
      if (status === null) {
        replies.refuse(request, reply, error);
        return;
      }
      count(request.routeOptions.url ?? "unknown", status);
      head(request, reply);
      reply.code(status).header("content-type", JSON_TYPE).send(JSON.stringify({ error }));
    });
  }

  const overridden: Handler = (request, caller, id) => {
    switch (String(request.headers["x-http-method-override"] ?? "").toUpperCase()) {
      case "PATCH":
        return add(request, caller, id);
      case "DELETE":
        return terminate(request, caller, id);
      case "HEAD":
        return look(request, caller, id);
      default:
        return Promise.reject(new Stopped(NOT_POST));
    }
  };

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // The handler reads the body itself.
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null, undefined));
    const onRequest = gates.token(ACT_OF_ROUTE.uploadFile);
    const routes = [
      ["POST", PATH, create],
      ["POST", ONE, overridden],
      ["HEAD", ONE, look],
      ["PATCH", ONE, add],
      ["DELETE", ONE, terminate],
    ] as const;
    for (const [method, url, handler] of routes) {
      scope.route({ method, url, onRequest, handler: handle(handler) });
    }
    for (const url of [PATH, ONE]) {
      scope.options(url, { onRequest: gates.file }, (request, reply) => {
        if (isPreflight(request)) allowPreflight(request, reply);
        reply.headers({
          "tus-resumable": VERSION,
          "tus-version": VERSION,
          "tus-extension": EXTENSIONS,
          "tus-max-size": String(config.fileBytesMax),
        });
        replies.send(request, reply, 204, null);
      });
    }
  });
  return [
    { method: "POST", path: PATH },
    ...["HEAD", "PATCH", "DELETE"].map((method) => ({ method, path: ONE })),
  ];
}

const CUT = { done: true, value: undefined } as const;

/** The bytes of a request, as far as it comes: a cut ends them, and what came before is kept. */
async function* parts(
  { raw }: FastifyRequest,
  most: number,
  hold: UploadHold,
  first: Head | null,
): AsyncIterable<Uint8Array> {
  let bytes = 0;
  // The connection must not be cut by the end of reading: a refusal is answered on it.
  const chunks = raw.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await chunks.next().catch(() => CUT);
      if (next.done === true || !hold.isHeld) return;
      bytes += next.value.length;
      if (bytes > most) throw new Stopped(TOO_MANY);
      first?.add(next.value);
      hold.count(next.value.length);
      yield next.value;
    }
  } finally {
    await chunks.return?.().catch(() => undefined);
  }
}

/** Null: it is none. */
function wholeNumber(text: string | string[] | undefined): number | null {
  return typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function metadataOf(text: string): Map<string, string> {
  const found = new Map<string, string>();
  if (text.length > METADATA_CHARS_MAX) throw new Stopped(BAD_METADATA);
  for (const pair of text.split(",")) {
    const [name = "", value = "", ...more] = pair.trim().split(/ +/);
    if (name === "" && text.trim() === "") continue;
    const isRight = name !== "" && more.length === 0 && /^[\w+/-]*={0,2}$/.test(value);
    if (!isRight) throw new Stopped(BAD_METADATA);
    found.set(name, Buffer.from(value, "base64").toString("utf8"));
  }
  return found;
}
