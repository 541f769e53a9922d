/**
 * Push services on loopback, as the providers have them: Web Push, which decrypts what it is sent,
 * FCM with the server that gives access tokens, and APNs over HTTP/2. Each checks who asks.
 */
import { createECDH, createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { importJWK, type JWTPayload, jwtVerify } from "jose";
import type { PushPayload } from "../../src/protocol/push.ts";

type Headers = Readonly<Record<string, string | string[] | undefined>>;

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

const TAKEN: Answer = { status: 200 };

const listening = (server: http.Server | http2.Http2Server) =>
  new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });

function bytesOf(stream: AsyncIterable<unknown>): Promise<Buffer> {
  return (async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  })();
}

interface Ece {
  decrypt(body: Buffer, options: object): Buffer;
}

export interface BrowserPush {
  payload: PushPayload;
  headers: Headers;
  /** What the server has signed, with the key that it names. */
  claims: JWTPayload;
  publicKey: string;
}

/** A browser's push service, with one subscription. */
export class BrowserService {
  readonly received: BrowserPush[] = [];
  answer: Answer = { status: 201 };
  readonly #server: http.Server;
  readonly #port: number;
  readonly #ece: Ece;
  readonly #key = createECDH("prime256v1");
  readonly #auth = randomBytes(16);

  private constructor(server: http.Server, port: number, ece: Ece) {
    this.#server = server;
    this.#port = port;
    this.#ece = ece;
    this.#key.generateKeys();
  }

  static async start(): Promise<BrowserService> {
    // It has no types.
    const name: string = "http_ece";
    const { default: ece } = (await import(name)) as { default: Ece };
    const server = http.createServer();
    const service = new BrowserService(server, await listening(server), ece);
    server.on("request", (request, response) => void service.#take(request, response));
    return service;
  }

  subscription(id: string) {
    return {
      endpoint: `http://127.0.0.1:${this.#port}/send/${id}`,
      expirationTime: null,
      keys: {
        p256dh: this.#key.getPublicKey("base64url"),
        auth: this.#auth.toString("base64url"),
      },
    };
  }

  async #take(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const body = await bytesOf(request);
    const { authorization = "" } = request.headers;
    const [, token = "", publicKey = ""] = /^vapid t=([^,]+), ?k=(.+)$/.exec(authorization) ?? [];
    const point = Buffer.from(publicKey, "base64url");
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) =>
      half.toString("base64url"),
    );
    const key = await importJWK({ kty: "EC", crv: "P-256", x: x!, y: y! }, "ES256");
    const audience = `http://127.0.0.1:${this.#port}`;
    const { payload: claims } = await jwtVerify(token, key, { audience });
    const text = this.#ece.decrypt(body, {
      version: "aes128gcm",
      privateKey: this.#key,
      authSecret: this.#auth.toString("base64url"),
    });
    const payload = JSON.parse(text.toString("utf8")) as PushPayload;
    this.received.push({ payload, headers: request.headers, claims, publicKey });
    response.writeHead(this.answer.status, this.answer.headers).end(this.answer.body);
  }

  stop(): Promise<void> {
    return stopped(this.#server);
  }
}

export interface FcmMessage {
  token: string;
  data: Record<string, string>;
  notification?: { title: string; body?: string };
  android: { collapse_key: string };
}

/** FCM with the account of one project. */
export class FcmService {
  readonly received: FcmMessage[] = [];
  tokensGiven = 0;
  answer: (message: FcmMessage) => Answer = () => ({ status: 200, body: "{}" });
  readonly #server: http.Server;
  readonly #port: number;
  readonly #keys = generateKeyPairSync("rsa", { modulusLength: 2048 });

  private constructor(server: http.Server, port: number) {
    this.#server = server;
    this.#port = port;
  }

  static async start(): Promise<FcmService> {
    const server = http.createServer();
    const service = new FcmService(server, await listening(server));
    server.on("request", (request, response) => void service.#take(request, response));
    return service;
  }

  get env(): Record<string, string> {
    const url = `http://127.0.0.1:${this.#port}`;
    const credentials = {
      type: "service_account",
      project_id: "a-project",
      client_email: "push@a-project.example",
      private_key: this.#keys.privateKey.export({ type: "pkcs8", format: "pem" }),
      token_uri: `${url}/token`,
    };
    return { FCM_URL: url, FCM_CREDENTIALS: JSON.stringify(credentials) };
  }

  async #take(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const body = (await bytesOf(request)).toString("utf8");
    const { status, headers, body: said } = await this.#answerTo(request, body);
    response.writeHead(status, headers).end(said);
  }

  async #answerTo(request: http.IncomingMessage, body: string): Promise<Answer> {
    if (request.url === "/token") {
      const assertion = new URLSearchParams(body).get("assertion") ?? "";
      await jwtVerify(
        assertion,
        createPublicKey(this.#keys.publicKey.export({ type: "spki", format: "pem" })),
        {
          issuer: "push@a-project.example",
          audience: `http://127.0.0.1:${this.#port}/token`,
        },
      );
      this.tokensGiven++;
      const given = { access_token: `access-${this.tokensGiven}`, expires_in: 3600 };
      return { status: 200, body: JSON.stringify(given) };
    }
    if (request.url !== "/v1/projects/a-project/messages:send") return { status: 404 };
    if (request.headers.authorization !== `Bearer access-${this.tokensGiven}`)
      return { status: 401 };
    const { message } = JSON.parse(body) as { message: FcmMessage };
    this.received.push(message);
    return this.answer(message);
  }

  stop(): Promise<void> {
    return stopped(this.#server);
  }
}

export interface AppleNote {
  device: string;
  headers: Headers;
  body: { aps: { alert?: { title: string; body?: string }; badge: number } } & PushPayload;
}

/** APNs, over HTTP/2 without TLS. */
export class AppleService {
  readonly received: AppleNote[] = [];
  answer: (note: AppleNote) => Answer = () => TAKEN;
  readonly #server: http2.Http2Server;
  readonly #port: number;
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  readonly #keys = generateKeyPairSync("ec", { namedCurve: "P-256" });

  private constructor(server: http2.Http2Server, port: number) {
    this.#server = server;
    this.#port = port;
  }

  static async start(): Promise<AppleService> {
    const server = http2.createServer();
    const service = new AppleService(server, await listening(server));
    server.on("session", (session) => {
      service.#sessions.add(session);
      session.on("close", () => service.#sessions.delete(session));
    });
    server.on("stream", (stream, headers) => void service.#take(stream, headers));
    return service;
  }

  get env(): Record<string, string> {
    return {
      APNS_URL: `http://127.0.0.1:${this.#port}`,
      APNS_KEY: this.#keys.privateKey.export({ type: "pkcs8", format: "pem" }) as string,
      APNS_KEY_ID: "ABCDE12345",
      APNS_TEAM_ID: "TEAM123456",
      APNS_TOPIC: "com.example.chat",
    };
  }

  async #take(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): Promise<void> {
    const body = (await bytesOf(stream)).toString("utf8");
    const token = /^bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? "";
    const { protectedHeader } = await jwtVerify(token, this.#keys.publicKey, {
      issuer: "TEAM123456",
    });
    if (protectedHeader.kid !== "ABCDE12345") throw new Error("signed with another key");
    const device = /^\/3\/device\/(.+)$/.exec(headers[":path"] ?? "")?.[1] ?? "";
    const note = { device, headers, body: JSON.parse(body) as AppleNote["body"] };
    this.received.push(note);
    const answer = this.answer(note);
    stream.respond({ ":status": answer.status, ...answer.headers });
    stream.end(answer.body);
  }

  /** As a server that restarts. */
  cuts(): void {
    for (const session of this.#sessions) session.destroy();
  }

  async stop(): Promise<void> {
    this.cuts();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function stopped(server: http.Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
