/**
 * Plain HTTP as a client without a library: every call takes a connection of its own, so that
 * one after the other reaches different workers.
 */
import http from "node:http";
import https from "node:https";
import type { ErrorObject } from "../../src/protocol/errors.ts";
import { seeAnswer } from "./conformity.ts";

const DEADLINE_MS = 15_000;

export interface Answer<T = ErrorAnswer> {
  status: number;
  /** Parsed where it is JSON, else the text; null when empty. */
  body: T;
  text: string;
  headers: http.IncomingHttpHeaders;
}

/** What a refused call answers; the default type, so that other answers are named by the test. */
export interface ErrorAnswer {
  error: ErrorObject;
}

export interface RequestOptions {
  headers?: Record<string, string>;
  /** Sent as it is, instead of JSON. */
  raw?: string | Buffer;
  agent?: http.Agent;
  /** The loopback address to call from, where it matters who asks. */
  from?: string;
}

export class Api {
  readonly #url: string;
  readonly #token: () => string | null;
  readonly #ca: string | undefined;

  /** `ca`: the certificate to trust where `url` is https. */
  constructor(url: string, token: () => string | null, ca?: string) {
    this.#url = url;
    this.#token = token;
    this.#ca = ca;
  }

  get<T = ErrorAnswer>(path: string, options?: RequestOptions): Promise<Answer<T>> {
    return this.request("GET", path, undefined, options);
  }
  post<T = ErrorAnswer>(
    path: string,
    body?: unknown,
    options?: RequestOptions,
  ): Promise<Answer<T>> {
    return this.request("POST", path, body, options);
  }
  put<T = ErrorAnswer>(path: string, body?: unknown, options?: RequestOptions): Promise<Answer<T>> {
    return this.request("PUT", path, body, options);
  }
  patch<T = ErrorAnswer>(
    path: string,
    body?: unknown,
    options?: RequestOptions,
  ): Promise<Answer<T>> {
    return this.request("PATCH", path, body, options);
  }
  delete<T = ErrorAnswer>(
    path: string,
    body?: unknown,
    options?: RequestOptions,
  ): Promise<Answer<T>> {
    return this.request("DELETE", path, body, options);
  }

  request<T = ErrorAnswer>(
    method: string,
    path: string,
    body?: unknown,
    options: RequestOptions = {},
  ): Promise<Answer<T>> {
    const headers: Record<string, string> = {};
    const token = this.#token();
    if (token !== null) headers["authorization"] = `Bearer ${token}`;
    const bytes = options.raw ?? (body === undefined ? undefined : JSON.stringify(body));
    if (bytes !== undefined) {
      headers["content-type"] = "application/json";
      headers["content-length"] = String(Buffer.byteLength(bytes));
    }
    for (const [name, value] of Object.entries(options.headers ?? {})) headers[name] = value;
    return new Promise((resolve, reject) => {
      const url = new URL(path, this.#url);
      const { agent = false, from: localAddress } = options;
      const request = (url.protocol === "https:" ? https : http).request(
        url,
        { method, headers, agent, localAddress, timeout: DEADLINE_MS, ca: this.#ca },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString("utf8");
            const contentType = response.headers["content-type"];
            const status = response.statusCode ?? 0;
            const answer = parsed(text, contentType);
            seeAnswer({ method, path, status, contentType, body: answer });
            resolve({ status, body: answer as T, text, headers: response.headers });
          });
        },
      );
      request.on("timeout", () =>
        request.destroy(new Error(`${method} ${path}: no answer in ${DEADLINE_MS} ms`)),
      );
      request.on("error", reject);
      request.end(bytes);
    });
  }
}

function parsed(text: string, contentType = ""): unknown {
  if (text === "") return null;
  return contentType.startsWith("application/json") ? JSON.parse(text) : text;
}
