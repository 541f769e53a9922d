/**
 * One HTTP request to somebody else: a checked address, one deadline for all of it, no redirect
 * that is followed, and an answer that is read to a bound. Connections are kept for a moment, since
 * the next request to the same place often follows; a kept one that proves dead is replaced once.
 */
import type { LookupAddress } from "node:dns";
import http from "node:http";
import https from "node:https";
import { type Addresses, lookupOf, type Namer } from "./addresses.ts";

export interface OutboundRequest {
  url: string;
  namer: Namer;
  /** By default POST. */
  method?: string;
  headers: Readonly<Record<string, string>>;
  /** Null: none. */
  body: string | Buffer | null;
  /** For all of it: name, connection, request and answer. */
  timeoutMs: number;
  /** More of an answer is not read. */
  answerBytesMax: number;
  signal?: AbortSignal;
}

export interface OutboundAnswer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
  /** The answer was longer than the bound, and `body` is its beginning. */
  isCut: boolean;
}

/** Sends and answers; rejects where there is no whole answer in time, with a reason for people. */
export type Post = (request: OutboundRequest) => Promise<OutboundAnswer>;

const KEPT_MS = 4_000;
const SOCKETS_KEPT_MAX = 64;
const USER_AGENT = "Troupe";

export class Outbound {
  readonly #addresses: Addresses;
  readonly #http = new http.Agent(AGENT);
  readonly #https = new https.Agent(AGENT);

  constructor(addresses: Addresses) {
    this.#addresses = addresses;
  }

  readonly post: Post = async (request) => {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), request.timeoutMs);
    const signals = [late.signal, ...(request.signal ? [request.signal] : [])];
    const signal = AbortSignal.any(signals);
    try {
      const url = new URL(request.url);
      const found = await orAborted(this.#addresses.check(url, request.namer), signal);
      try {
        return await this.#send(url, request, found, signal, true);
      } catch (error) {
        if (!(error instanceof StaleConnection) || signal.aborted) throw error;
        return await this.#send(url, request, found, signal, false);
      }
    } catch (error) {
      if (late.signal.aborted) throw new Error(`no answer within ${request.timeoutMs} ms`);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #send(
    url: URL,
    { method = "POST", headers, body, answerBytesMax, namer }: OutboundRequest,
    found: readonly LookupAddress[],
    signal: AbortSignal,
    isKept: boolean,
  ): Promise<OutboundAnswer> {
    const isTls = url.protocol === "https:";
    const agent = isTls ? this.#https : this.#http;
    return new Promise((resolve, reject) => {
      const request = (isTls ? https : http).request(url, {
        method,
        // A kept connection leads to an address that was checked when it was made, for this name.
        agent: isKept ? agent : false,
        lookup: lookupOf(found),
        signal,
        headers: {
          "user-agent": USER_AGENT,
          ...(body !== null && { "content-type": "application/json" }),
          ...headers,
          ...(body !== null && { "content-length": Buffer.byteLength(body) }),
        },
        ...(namer === "operator" && url.username !== "" && { auth: credentialsIn(url) }),
      });
      request.once("error", (error) => {
        reject(request.reusedSocket && !signal.aborted ? new StaleConnection(error) : error);
      });
      request.once("response", (response) => {
        readTo(response, answerBytesMax).then(({ text, isCut }) => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: text,
            isCut,
          });
        }, reject);
      });
      request.end(body ?? undefined);
    });
  }
}

const AGENT = {
  keepAlive: true,
  keepAliveMsecs: KEPT_MS,
  maxFreeSockets: SOCKETS_KEPT_MAX,
  timeout: KEPT_MS,
};

/** The other side had closed a kept connection; the request may be sent again. */
class StaleConnection extends Error {
  override readonly name = "StaleConnection";
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

function credentialsIn({ username, password }: URL): string {
  return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
}

function readTo(
  response: http.IncomingMessage,
  bytesMax: number,
): Promise<{ text: string; isCut: boolean }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const done = (isCut: boolean) =>
      resolve({ text: Buffer.concat(chunks).subarray(0, bytesMax).toString("utf8"), isCut });
    response.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes <= bytesMax) return;
      done(true);
      response.destroy();
    });
    response.once("end", () => done(false));
    response.once("error", reject);
    response.once("close", () => {
      if (!response.complete) reject(new Error("the answer ended half-way"));
    });
  });
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(new Error("it was given up"));
    if (signal.aborted) return aborted();
    signal.addEventListener("abort", aborted, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}
