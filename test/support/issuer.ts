/**
 * An outside token issuer: a real HTTP server that publishes its keys, and can take keys in and
 * out of use, answer nonsense and go away. Counts how often it is asked.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";

export const ISSUER_NAME = "https://issuer.example";

export interface IssuerKey {
  kid: string;
  alg: string;
  privateKey: CryptoKey;
  publicJwk: JWK;
}

export async function issuerKey(kid: string, alg = "ES256"): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg } };
}

export function signedBy(
  key: IssuerKey,
  claims: JWTPayload & Record<string, unknown>,
  typ = "JWT",
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ })
    .setIssuer(ISSUER_NAME)
    .setAudience("troupe")
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(key.privateKey);
}

export class Issuer {
  published: JWK[];
  /** Answered instead of the keys. */
  instead: { status: number; body: string } | null = null;
  asked = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(keys: JWK[]) {
    this.published = keys;
    this.#server = createServer((_request, response) => {
      this.asked++;
      response.setHeader("content-type", "application/json");
      if (this.instead !== null) response.writeHead(this.instead.status).end(this.instead.body);
      else response.end(JSON.stringify({ keys: this.published }));
    });
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  static async publishing(...keys: IssuerKey[]): Promise<Issuer> {
    const issuer = new Issuer(keys.map(({ publicJwk }) => publicJwk));
    await new Promise<void>((resolve) => issuer.#server.listen(0, "127.0.0.1", resolve));
    return issuer;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/keys`;
  }

  /** What a Troupe that trusts it is started with. */
  get env(): Record<string, string> {
    return { JWT_JWKS_URL: this.url, JWT_ISSUER: ISSUER_NAME };
  }

  async goesAway(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
