/**
 * METRICS_PORT: a port that answers `GET /metrics` and nothing else, so that the metrics of a host
 * need not be reachable where its clients are. Made and closed by the host.
 *
 * [MET10] Where METRICS_TOKEN is set, a call without it is `unauthorized`, here and on PORT.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isRightToken } from "../base/bearer.ts";
import { StartRefusal } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { hostMetricsText, METRICS_CONTENT_TYPE } from "../base/metrics.ts";
import { ERROR_STATUS, type ErrorObject, refused } from "../protocol/errors.ts";
import type { HostMetrics } from "../runtime/control.ts";
import { listenTrouble } from "./listen-trouble.ts";

/** A scraper keeps one or two connections; more than this is a mistake or an attack. */
const CONNECTIONS_MAX = 64;
const REQUEST_MS = 10_000;

const NO_TOKEN = refused("unauthorized", "Send METRICS_TOKEN: Authorization: Bearer ….").error;
const ELSEWHERE = refused("not_found", "This port has /metrics only.").error;
const UNAVAILABLE = refused("unavailable", "The metrics could not be gathered.").error;

export interface MetricsDoorOptions {
  host: string;
  port: number;
  /** Null: none is wanted. */
  token: string | null;
  metrics(): Promise<HostMetrics>;
  log: Log;
}

export class MetricsDoor {
  readonly #options: MetricsDoorOptions;
  readonly #server: Server;

  constructor(options: MetricsDoorOptions) {
    this.#options = options;
    this.#server = createServer(
      { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Rejects with a StartRefusal when it cannot listen. */
  async listen(): Promise<number> {
    const { host, port, log } = this.#options;
    const server = this.#server;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ port, host }, () => {
          server.off("error", reject);
          resolve();
        });
      });
    } catch (error) {
      throw new StartRefusal(listenTrouble(error, port, host, "METRICS_PORT"), { cause: error });
    }
    server.on("error", (error) => log.error({ event: "metrics_port_failed", error }));
    return (server.address() as AddressInfo | null)?.port ?? port;
  }

  close(): void {
    if (this.#server.listening) this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const { token, metrics, log } = this.#options;
    if (request.url?.split("?", 1)[0] !== "/metrics" || !isRead(request.method)) {
      refuse(response, ELSEWHERE);
      return;
    }
    if (token !== null && !isRightToken(request.headers.authorization, token)) {
      refuse(response, NO_TOKEN);
      return;
    }
    metrics()
      .then(({ registries }) => hostMetricsText(registries))
      .then(
        (text) => response.writeHead(200, { "content-type": METRICS_CONTENT_TYPE }).end(text),
        (error: unknown) => {
          log.warn({ event: "host_metrics_failed", err: error });
          refuse(response, UNAVAILABLE);
        },
      );
  }
}

const isRead = (method: string | undefined) => method === "GET" || method === "HEAD";

function refuse(response: ServerResponse, error: ErrorObject): void {
  response
    .writeHead(ERROR_STATUS[error.code], { "content-type": "application/json; charset=utf-8" })
    .end(JSON.stringify({ error }));
}
