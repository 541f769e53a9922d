/**
 * Serves the bytes of files at their signed addresses. Anybody with the address may read, as long as
 * it is valid and the file exists.
 *
 * [DWN1] Pictures, audio and video that browsers show safely are shown in place. Everything else, HTML
 *        and SVG among it, is saved, and cannot run anything where a browser shows it all the same.
 * [DWN2] A file never changes, so its id is its ETag; a range of it is answered as such.
 * [DWN4] A request for a file that is not ready waits until it is. Only a scanner, which has an
 *        address of its own, is served the file before.
 * [DWN3] Names are sent as ASCII, and names with other characters also as in RFC 8187.
 */
import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import type { Clock } from "../../../base/clock.ts";
import { UNKNOWN } from "../../../base/sniff.ts";
import type { Files, StoredFile } from "../../../ports/files.ts";
import { refused } from "../../../protocol/errors.ts";
import type { FileObject } from "../../../protocol/files.ts";
import { isId } from "../../../protocol/ids.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answerFault } from "./fallbacks.ts";
import type { Gate } from "./gates.ts";
import type { Replies } from "./replies.ts";

const PATH = "/files/:id/:token";
const NO_FILE = refused("not_found", "There is no such file, or its address has expired.").error;
const NOT_READY = refused("unavailable", "This file is being made ready. Try again.").error;
/** Between two looks at a file that is not ready: 6.3 s together. */
const LOOKS_MS = [100, 200, 400, 800, 1_600, 3_200];
/** Readers that wait at once. */
const WAITING_MAX = 100;
const PATH_ID = /^(\d+)([st]?)$/;
const SHOWN = new Set([
  "image/png",
  "image/jpeg",
  "image/gif",
  "image/webp",
  "image/avif",
  "image/bmp",
  "audio/mpeg",
  "audio/mp4",
  "audio/aac",
  "audio/ogg",
  "audio/webm",
  "audio/wav",
  "audio/flac",
  "video/mp4",
  "video/webm",
  "video/ogg",
  "video/quicktime",
]);

export interface DownloadsOptions {
  files: Files;
  gate: Gate;
  replies: Replies;
  /** Adds the headers that every answer has. */
  head(request: FastifyRequest, reply: FastifyReply): void;
  count(route: string, status: number): void;
  clock: Clock;
  log: Logger;
}

/** Answers the routes it has added, for the 405 of other methods. */
export function serveDownloads(app: FastifyInstance, options: DownloadsOptions): string[] {
  const { files, gate, replies, head, count, clock, log } = options;
  let waiting = 0;

  async function serve(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { id: name, token } = request.params as { id: string; token: string };
    const [, id = "", part = ""] = PATH_ID.exec(name) ?? [];
    const isSigned = isId(id) && files.links.goodForS(name, token) > 0;
    const isShown =
      isSigned &&
      (!files.links.isPicture(token) || (await orUnreachable(files.table.isPicture(id))));
    const goodForS = isShown ? files.links.goodForS(name, token) : 0;
    const isScan = part === "s";
    const file = goodForS > 0 ? await settled(id, request, isScan) : null;
    if (file?.shown.state === "processing" && !isScan) {
      replies.refuse(request, reply, NOT_READY);
      return;
    }
    const shown = file === null ? null : part === "t" ? thumbnail(file) : file.shown;
    if (shown === null || shown.state === "refused") {
      replies.refuse(request, reply, NO_FILE);
      return;
    }
    const etag = `"${name}"`;
    head(request, reply);
    reply.headers({
      etag,
      "cache-control": `private, max-age=${goodForS}`,
      "accept-ranges": "bytes",
      ...dressOf(isScan ? { ...shown, mime: UNKNOWN } : shown),
    });
    if (isHeld(request.headers["if-none-match"], etag)) {
      answer(reply, 304);
      return;
    }
    const wish = request.headers["if-range"];
    const range =
      wish === undefined || wish === etag ? rangeOf(request.headers.range, shown.bytes) : null;
    if (range === "beyond") {
      reply.header("content-range", `bytes */${shown.bytes}`);
      answer(reply, 416);
      return;
    }
    const [from, to] = range ?? [0, shown.bytes - 1];
    if (range !== null) reply.header("content-range", `bytes ${from}-${to}/${shown.bytes}`);
    reply.header("content-length", String(to - from + 1));
    reply.header(
      "content-type",
      shown.mime === "text/plain" ? "text/plain; charset=utf-8" : shown.mime,
    );
    const status = range === null ? 200 : 206;
    if (request.method === "HEAD") {
      // With no payload at all fastify would say that the length is 0.
      count(PATH, status);
      reply.code(status).send(Readable.from([]));
      return;
    }
    const bytes = await orUnreachable(files.store.read(isScan ? id : name, from, to));
    if (bytes === null) {
      for (const name of ["content-length", "content-range", "etag", "content-disposition"]) {
        reply.removeHeader(name);
      }
      replies.refuse(request, reply, NO_FILE);
      return;
    }
    count(PATH, status);
    reply.code(status).send(bytes instanceof Readable ? bytes : Readable.from(bytes));
  }

  /** [DWN4] Null: there is no such file. */
  async function settled(
    id: string,
    { raw }: FastifyRequest,
    isScan: boolean,
  ): Promise<StoredFile | null> {
    const first = await orUnreachable(files.table.file(id));
    const isReady = first?.shown.state !== "processing";
    if (isReady || isScan || waiting >= WAITING_MAX) return first;
    waiting++;
    try {
      let file: StoredFile | null = first;
      for (const ms of LOOKS_MS) {
        await new Promise<void>((resolve) => clock.after(ms, resolve));
        if (raw.destroyed) break;
        file = await orUnreachable(files.table.file(id));
        if (file?.shown.state !== "processing") break;
      }
      return file;
    } finally {
      waiting--;
    }
  }

  function answer(reply: FastifyReply, status: number): void {
    count(PATH, status);
    reply.code(status).send();
  }

  app.get(PATH, { onRequest: gate }, (request, reply) => {
    serve(request, reply).catch((fault: unknown) =>
      answerFault(request, reply, fault, replies, log),
    );
  });
  return [PATH];
}

/** The thumbnail as a file; null: there is none. */
function thumbnail({ shown, thumbBytes: bytes }: StoredFile): FileObject | null {
  return bytes === 0 ? null : { ...shown, bytes, mime: "image/webp", name: `${shown.name}.webp` };
}

/** [DWN1] [DWN3] */
function dressOf({ mime, name }: FileObject): Record<string, string> {
  const nosniff = { "x-content-type-options": "nosniff" };
  if (SHOWN.has(mime)) {
    // A picture opened by itself loads nothing, and its own page must be able to show it.
    return {
      ...nosniff,
      "content-disposition": disposition("inline", name),
      "content-security-policy":
        "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; sandbox",
      "cross-origin-resource-policy": "cross-origin",
    };
  }
  return {
    ...nosniff,
    "content-disposition": disposition("attachment", name),
    "content-security-policy": "sandbox",
    "cross-origin-resource-policy": "cross-origin",
  };
}

/** RFC 6266: a quoted ASCII name for all, and the name itself where it is another. */
export function disposition(type: "inline" | "attachment", name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]/gu, "_").replace(/["\\%]/g, "_");
  if (ascii === name) return `${type}; filename="${name}"`;
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${type}; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}

function isHeld(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((one) => ["*", etag].includes(one.trim().replace(/^W\//, "")));
}

/**
 * [DWN2] The first and last byte; null for the whole file, as for more than one range (RFC 9110,
 * 14.2: a server may ignore them).
 */
export function rangeOf(
  header: string | undefined,
  bytes: number,
): [number, number] | "beyond" | null {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return null;
  if (first === "") {
    const length = Math.min(Number(last), bytes);
    return length === 0 ? "beyond" : [bytes - length, bytes - 1];
  }
  const from = Number(first);
  const to = last === "" ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (last !== "" && Number(last) < from) return null;
  return from >= bytes ? "beyond" : [from, to];
}
