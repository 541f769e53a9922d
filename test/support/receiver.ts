/** A receiver of webhooks on loopback, which answers as a test wants and notes what it was sent. */
import { createHmac } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { OutsideEvent } from "../../src/protocol/outside-events.ts";

export interface Received {
  id: string;
  timestamp: number;
  signatures: string[];
  body: string;
  /** One event, or those of a batch. */
  events: OutsideEvent[];
  atMs: number;
}

export type Answers = (
  received: Received,
  response: http.ServerResponse,
  request: http.IncomingMessage,
) => void;

export class Receiver {
  readonly received: Received[] = [];
  answers: Answers = (_, response) => response.writeHead(204).end();
  readonly #port: number;
  #server: http.Server;

  private constructor(server: http.Server, port: number) {
    this.#server = server;
    this.#port = port;
  }

  static async start(): Promise<Receiver> {
    const server = http.createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const receiver = new Receiver(server, (server.address() as AddressInfo).port);
    server.on("request", (request, response) => receiver.#take(request, response));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`;
  }

  get events(): OutsideEvent[] {
    return this.received.flatMap(({ events }) => events);
  }

  /** As a process that is killed: its port refuses connections. */
  async dies(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async comesBack(): Promise<void> {
    this.#server = http.createServer((request, response) => this.#take(request, response));
    await new Promise<void>((resolve) => this.#server.listen(this.#port, "127.0.0.1", resolve));
  }

  #take(request: http.IncomingMessage, response: http.ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      const parsed = JSON.parse(body) as OutsideEvent | { events: OutsideEvent[] };
      const received: Received = {
        id: String(request.headers["webhook-id"]),
        timestamp: Number(request.headers["webhook-timestamp"]),
        signatures: String(request.headers["webhook-signature"]).split(" "),
        body,
        events: "events" in parsed ? parsed.events : [parsed],
        atMs: performance.now(),
      };
      this.received.push(received);
      this.answers(received, response, request);
    });
  }
}

/** The signature that a receiver works out by itself. */
export function signatureOf({ id, timestamp, body }: Received, secret: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const mac = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return `v1,${mac}`;
}
