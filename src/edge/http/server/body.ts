/**
 * Request bodies: JSON in UTF-8, at most 64 KiB. A problem with a body becomes a value, so that it
 * is answered like every other refusal and the connection stays open. The rest of a body that is too
 * large is read and dropped, up to a bound: closing at once would reset the connection before the
 * client has read the answer.
 */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { type ErrorObject, refused } from "../../../protocol/errors.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Where it is not BODY_BYTES_MAX. */
    bodyBytesMax?: number;
  }
}

/** The contract's bound, where a route has no other. */
export const BODY_BYTES_MAX = 64 * 1024;
/** Past this the client is not one that made a mistake. */
const DROPPED_BYTES_MAX = 8 * 1024 * 1024;

/** Stands in `request.body` for a body that cannot be used. */
export class BadBody {
  readonly error: ErrorObject;
  /** The rest is unread: the connection cannot be used again. */
  readonly unread: boolean;

  constructor(error: ErrorObject, unread = false) {
    this.error = error;
    this.unread = unread;
  }
}

const tooLarge = (bytesMax: number) =>
  refused("payload_too_large", `The body is larger than ${bytesMax / 1024} KiB.`).error;
const NOT_JSON = refused("invalid_payload", "The body is not valid JSON.").error;
const NOT_UTF8 = refused("invalid_payload", "The body is not valid UTF-8.").error;
const CUT_OFF = refused("invalid_payload", "The body ended early.").error;
const ENCODED = refused(
  "unsupported_media_type",
  "Compressed bodies are not read; send plain JSON.",
).error;

/** A fastify content type parser; undefined for an empty body. */
export function readJson(
  request: FastifyRequest,
  payload: IncomingMessage,
  done: (error: Error | null, body?: unknown) => void,
): void {
  const bytesMax = request.routeOptions.config.bodyBytesMax ?? BODY_BYTES_MAX;
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isDone = false;

  function finish(body: unknown): void {
    if (isDone) return;
    isDone = true;
    done(null, body);
  }

  payload.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= bytesMax) chunks.push(chunk);
    else if (bytes > DROPPED_BYTES_MAX) {
      payload.pause();
      finish(new BadBody(tooLarge(bytesMax), true));
    } else chunks.length = 0;
  });
  payload.on("end", () => {
    const encoding = request.headers["content-encoding"];
    if (bytes > bytesMax) finish(new BadBody(tooLarge(bytesMax)));
    else if (encoding !== undefined && encoding !== "identity") finish(new BadBody(ENCODED));
    else finish(parsed(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
  });
  payload.on("error", () => finish(new BadBody(CUT_OFF, true)));
}

function parsed(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) return new BadBody(NOT_UTF8);
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return new BadBody(NOT_JSON);
    throw error;
  }
}
