/** The rules that both ways of uploading share: the refusals, and the checks for them. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import type { Clock } from "../../../base/clock.ts";
import { sniff, UNKNOWN } from "../../../base/sniff.ts";
import type { FilesConfig } from "../../../config/file-keys.ts";
import type { Files, SniffedFile } from "../../../ports/files.ts";
import { type ErrorObject, refused } from "../../../protocol/errors.ts";
import { isPrepared, kindOf, SNIFFED_BYTES } from "../../../protocol/files.ts";
import type { EdgeLimits } from "../../limits/limits.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import type { AuditTrail } from "./audit.ts";
import type { Gates } from "./gates.ts";
import type { Replies } from "./replies.ts";

export const EMPTY = refused(
  "invalid_payload",
  "The body is empty: it holds the bytes of the file.",
).error;
export const FORBIDDEN_TYPE = refused(
  "unsupported_media_type",
  "Files of this type are not taken here.",
).error;
export const QUOTA = refused("quota_exceeded", "Your files take all the room that you have.").error;

export interface UploadsOptions {
  config: FilesConfig;
  files: Files;
  gates: Gates;
  limits: EdgeLimits;
  replies: Replies;
  audit: AuditTrail;
  clock: Clock;
  log: Logger;
}

/** Stops the reading of a body that is refused. */
export class Stopped extends Error {
  readonly refusal: ErrorObject;

  constructor(refusal: ErrorObject) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** The first bytes of a file, until it is known what it is. */
export class Head {
  readonly #judge: (mime: string) => void;
  #bytes: Buffer = Buffer.alloc(0);
  #mime: string | null = null;

  /** `judge` throws where it is not to be read on. */
  constructor(judge: (mime: string) => void) {
    this.#judge = judge;
  }

  get mime(): string {
    return this.#mime ?? UNKNOWN;
  }

  add(chunk: Buffer): void {
    if (this.#mime !== null) return;
    this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(0, SNIFFED_BYTES)]);
    if (this.#bytes.length >= SNIFFED_BYTES) this.#look(false);
  }

  end(): void {
    if (this.#mime === null) this.#look(true);
  }

  #look(isAll: boolean): void {
    this.#mime = sniff(this.#bytes.subarray(0, SNIFFED_BYTES), isAll);
    this.#bytes = Buffer.alloc(0);
    this.#judge(this.#mime);
  }
}

/** The connection was cut meanwhile: nobody is left to answer, and the request has no socket. */
export function isGone({ raw }: FastifyRequest): boolean {
  return raw.socket === null || raw.socket.destroyed;
}

/** A store that cannot write is out of reach, as storage is. */
export async function written(work: Promise<number>): Promise<number> {
  try {
    return await work;
  } catch (fault) {
    if (fault instanceof Stopped) throw fault;
    return orUnreachable(Promise.reject(fault));
  }
}

/** The rest of a refused body is read for so long at most. */
const DRAIN_MS = 5_000;
/** A connection that ends with the answer is answered when its body has come, or so much later. */
const PATIENCE_MS = 2_000;

/**
 * Reads and drops the rest of a refused body, and answers. Closing the connection while its client
 * still sends would reset it, and the client would never see the answer.
 */
export function answerAndDrain(
  request: FastifyRequest,
  reply: FastifyReply,
  clock: Clock,
  answer: () => void,
): void {
  const { raw } = request;
  let isAnswered = false;
  const once = () => {
    if (isAnswered) return;
    isAnswered = true;
    if (isGone(request)) reply.hijack();
    else answer();
  };
  if (raw.complete || isGone(request)) {
    once();
    return;
  }
  raw.resume();
  const cancelEnd = clock.after(DRAIN_MS, () => raw.destroy());
  const isClosing = raw.headers.connection?.toLowerCase() === "close";
  const cancelWait = isClosing ? clock.after(PATIENCE_MS, once) : () => undefined;
  const ended = () => {
    cancelEnd();
    cancelWait();
    once();
  };
  raw.once("end", ended).once("close", ended);
  if (!isClosing) once();
}

/** The row of a file whose bytes are complete. */
export function foundOf(
  id: string,
  bytes: number,
  mime: string,
  links: Files["links"],
  { fileHookUrl }: FilesConfig,
): SniffedFile {
  const state = isPrepared(mime) || fileHookUrl !== null ? "processing" : "ready";
  return { bytes, mime, kind: kindOf(mime), state, mark: links.mark(id) };
}
