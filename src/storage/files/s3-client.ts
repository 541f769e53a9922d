/**
 * The requests to an S3-compatible store that files need. Keys are below the prefix of the
 * configuration and hold letters, digits, "-", "_", "." and "/" only. Buckets are named in the path,
 * which every such store understands.
 *
 * A request that the store does not begin to answer in time rejects. One that fails at once (a
 * connection that was closed meanwhile, a status of 5xx or 429) is tried three times.
 */
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as http,
  type IncomingMessage,
} from "node:http";
import { Agent as HttpsAgent, request as https } from "node:https";
import { pipeline } from "node:stream";
import { AwsV4Signer } from "aws4fetch";
import type { Clock } from "../../base/clock.ts";
import type { S3Store } from "../../config/file-store-keys.ts";
import { type Body, bodyOf } from "./spool.ts";

/** Connections of this process to the store; further requests wait, within their deadline. */
const CONNECTIONS_MAX = 256;
/** Until the answer begins; a body adds the time that it takes at the least rate. */
const ANSWER_MS = 10_000;
const BYTES_PER_MS_MIN = 256;
/** A connection on which nothing moves for so long, because nobody reads, is cut. */
const IDLE_MS = 120_000;
const PAUSES_MS = [100, 400];
/** The length of an answer that is a text. */
const TEXT_BYTES_MAX = 4 * 1024 * 1024;

/** The store has answered that it does not do this. */
export class S3Refusal extends Error {
  readonly status: number;

  constructor(status: number, code: string) {
    super(`the store of files answered ${status}${code === "" ? "" : ` ${code}`}`);
    this.name = "S3Refusal";
    this.status = status;
  }
}

interface Wish {
  method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Null: the bucket itself. */
  key: string | null;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: Body;
}

export class S3Client {
  readonly #store: S3Store;
  readonly #clock: Clock;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #isTls: boolean;
  /** The derived keys of signatures, one a day. */
  readonly #keys = new Map<string, ArrayBuffer>();

  constructor(store: S3Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#isTls = store.endpoint.startsWith("https:");
    const settings = { keepAlive: true, maxSockets: CONNECTIONS_MAX };
    this.#agent = this.#isTls ? new HttpsAgent(settings) : new HttpAgent(settings);
  }

  /** Resolves when the object is stored, to its ETag as the store writes it. */
  async put(key: string, body: Body): Promise<string> {
    return this.#put({ method: "PUT", key, body });
  }

  /** Bytes `from` to `to`, both included; a `to` beyond the end stands for the end. Null: there is no such object. */
  async get(key: string, from: number, to: number): Promise<IncomingMessage | null> {
    const answer = await this.#ask({
      method: "GET",
      key,
      headers: { range: `bytes=${from}-${to}` },
    });
    // A store that ignores the range answers 200 with the whole object.
    if (answer.statusCode === 206 || (answer.statusCode === 200 && from === 0)) return answer;
    if (answer.statusCode === 200) {
      answer.destroy();
      throw new S3Refusal(200, "with the whole object in the place of a range");
    }
    if (answer.statusCode === 404) {
      await textOf(answer);
      return null;
    }
    throw await refusalOf(answer);
  }

  async getText(key: string): Promise<string | null> {
    const answer = await this.#ask({ method: "GET", key });
    if (answer.statusCode === 200) return textOf(answer);
    if (answer.statusCode !== 404) throw await refusalOf(answer);
    await textOf(answer);
    return null;
  }

  /** How many bytes it has; null: there is no such object. */
  async bytesOf(key: string): Promise<number | null> {
    const answer = await this.#ask({ method: "HEAD", key });
    answer.resume();
    if (answer.statusCode === 200) return Number(answer.headers["content-length"]);
    if (answer.statusCode === 404) return null;
    throw new S3Refusal(answer.statusCode ?? 0, "");
  }

  /** Nothing happens where there is none. */
  async remove(key: string): Promise<void> {
    await this.#text({ method: "DELETE", key }, [404]);
  }

  /** The names of all objects below `folder`, which ends with "/", without it. */
  async list(folder: string): Promise<string[]> {
    const prefix = this.#key(folder);
    const names: string[] = [];
    let token: string | null = null;
    do {
      const query: Record<string, string> = { "list-type": "2", prefix };
      if (token !== null) query["continuation-token"] = token;
      const text = await this.#text({ method: "GET", key: null, query });
      for (const [, key = ""] of text.matchAll(/<Key>([^<]*)<\/Key>/g)) {
        names.push(plain(key).slice(prefix.length));
      }
      token =
        valueIn(text, "IsTruncated") === "true" ? valueIn(text, "NextContinuationToken") : null;
    } while (token !== null);
    return names;
  }

  /** Begins an object that comes in parts. The id of that upload. */
  async beginParts(key: string): Promise<string> {
    const text = await this.#text({ method: "POST", key, query: { uploads: "" } });
    const id = valueIn(text, "UploadId");
    if (id === null) throw new Error("the store of files gave no id for an upload in parts");
    return id;
  }

  /** The ETag of the part, whose number counts from 1. */
  async putPart(key: string, uploadId: string, number: number, body: Body): Promise<string> {
    const query = { partNumber: String(number), uploadId };
    return this.#put({ method: "PUT", key, query, body });
  }

  /** Makes the parts one object. False: the store knows no such upload; it may be whole already. */
  async endParts(key: string, uploadId: string, etags: readonly string[]): Promise<boolean> {
    const parts = etags.map(
      (etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${escaped(etag)}</ETag></Part>`,
    );
    const body = bodyOf(
      `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`,
    );
    const answer = await this.#ask({ method: "POST", key, query: { uploadId }, body });
    const text = await textOf(answer);
    // The store answers 200 before it begins, and may say later that it has failed.
    const code = valueIn(text, "Code") ?? "";
    if (answer.statusCode === 200 && !text.includes("<Error>")) return true;
    if (answer.statusCode === 404 || code === "NoSuchUpload") return false;
    throw new S3Refusal(answer.statusCode ?? 0, code);
  }

  /** Nothing happens where there is no such upload, or the store cannot do this. */
  async abortParts(key: string, uploadId: string): Promise<void> {
    await this.#text({ method: "DELETE", key, query: { uploadId } }, [404, 405, 501]);
  }

  close(): void {
    this.#agent.destroy();
  }

  async #put(wish: Wish): Promise<string> {
    const answer = await this.#ask(wish);
    if (answer.statusCode !== 200) throw await refusalOf(answer);
    await textOf(answer);
    return answer.headers.etag ?? "";
  }

  async #text(wish: Wish, alsoFine: readonly number[] = []): Promise<string> {
    const answer = await this.#ask(wish);
    const status = answer.statusCode ?? 0;
    if ((status < 200 || status >= 300) && !alsoFine.includes(status))
      throw await refusalOf(answer);
    return textOf(answer);
  }

  async #ask(wish: Wish): Promise<IncomingMessage> {
    for (const pauseMs of PAUSES_MS) {
      try {
        const answer = await this.#try(wish);
        if (!isPassing(answer.statusCode ?? 0)) return answer;
        answer.resume();
      } catch (error) {
        if (error instanceof TooLate) throw error;
      }
      await new Promise<void>((resolve) => this.#clock.after(pauseMs, resolve));
    }
    return this.#try(wish);
  }

  async #try({ method, key, query = {}, headers = {}, body }: Wish): Promise<IncomingMessage> {
    const { endpoint, bucket, region, accessKeyId, secretAccessKey, sessionToken } = this.#store;
    const url = new URL(`${endpoint}/${bucket}${key === null ? "" : `/${this.#key(key)}`}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const signed = await new AwsV4Signer({
      method,
      url: url.href,
      headers,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken !== null && { sessionToken }),
      service: "s3",
      region,
      cache: this.#keys,
    }).sign();
    const bytes = body?.bytes ?? 0;
    const send = this.#isTls ? https : http;
    return new Promise((resolve, reject) => {
      const sent: ClientRequest = send(signed.url, {
        method,
        agent: this.#agent,
        headers: {
          ...Object.fromEntries(signed.headers),
          ...((method === "PUT" || method === "POST") && { "content-length": bytes }),
        },
      });
      const cancel = this.#clock.after(ANSWER_MS + bytes / BYTES_PER_MS_MIN, () => {
        sent.destroy(new TooLate());
      });
      sent.setTimeout(IDLE_MS, () => sent.destroy(new TooLate()));
      sent.once("response", (answer) => {
        cancel();
        resolve(answer);
      });
      sent.on("error", (error) => {
        cancel();
        reject(error);
      });
      if (body === undefined) sent.end();
      // What goes wrong is an error of the request.
      else pipeline(body.open(), sent, () => undefined);
    });
  }

  #key(key: string): string {
    return `${this.#store.prefix}${key}`;
  }
}

class TooLate extends Error {
  constructor() {
    super("the store of files does not answer");
    this.name = "TooLate";
  }
}

/** It may succeed when it is tried again. */
function isPassing(status: number): boolean {
  return status === 429 || (status >= 500 && status !== 501);
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > TEXT_BYTES_MAX) throw new Error("the store of files answered too much");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function refusalOf(answer: IncomingMessage): Promise<S3Refusal> {
  const code = valueIn(await textOf(answer), "Code") ?? "";
  return new S3Refusal(answer.statusCode ?? 0, code);
}

function valueIn(xml: string, name: string): string | null {
  const [, value] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml) ?? [];
  return value === undefined ? null : plain(value);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#34;": '"',
  "&apos;": "'",
  "&#39;": "'",
  "&amp;": "&",
};

function plain(text: string): string {
  return text.replace(/&(?:lt|gt|quot|apos|amp|#34|#39);/g, (entity) => ENTITIES[entity] ?? entity);
}

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
}
