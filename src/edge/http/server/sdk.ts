/**
 * The packages of this server, under `/sdk/`, for `npm install` and lockfiles: `troupe-client`, and
 * `troupe-actor`, with which editors know `troupe/actor`.
 *
 * [PKG50] `/sdk/troupe-client.tgz` leads to the package of this very build; so do the others.
 * [PKG51] An address that names a version gives the same bytes for as long as the deployment
 *         lasts, from every host: they are kept in storage when the first host of that version
 *         starts. A build with other bytes of a version that was kept before (a developer's) has
 *         their hash in its name.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ClientPackages } from "../../../ports/client-packages.ts";
import { REFUSALS, refused } from "../../../protocol/errors.ts";
import type { Gates } from "./gates.ts";
import type { Replies } from "./replies.ts";

const NAMES = ["troupe-client", "troupe-actor"] as const;
const KEPT = "/sdk/:file";
const KEPT_NAME = /^(troupe-client|troupe-actor)-\d+\.\d+\.\d+(?:-[\w.-]{1,40})?\.tgz$/;
/** Earlier versions in memory: those that a CI asks for again and again. */
const HELD_MAX = 4;
const HASH_CHARS = 12;

const NO_PACKAGE = refused("not_found", "There is no such version of the package here.").error;

export interface SdkOptions {
  packages: ClientPackages;
  version: string;
  webRoot: string;
  gates: Pick<Gates, "operation">;
  replies: Replies;
  /** Adds the headers that every answer has. */
  head(request: FastifyRequest, reply: FastifyReply): void;
  count(route: string, status: number): void;
}

/** Answers the routes it has added, for the 405 of other methods; none where nothing was built. */
export function serveSdk(app: FastifyInstance, options: SdkOptions): string[] {
  const stores = new Map<string, KeptPackages>();
  const routes: string[] = [];
  const { gates, replies, head, count } = options;
  for (const name of NAMES) {
    const path = join(options.webRoot, "sdk", `${name}.tgz`);
    if (!existsSync(path)) continue;
    const own = { name, version: options.version, bytes: readFileSync(path) };
    const store = new KeptPackages(options.packages, own);
    stores.set(name, store);
    // In storage before anybody asks. Without storage it is tried again by the first who does.
    store.newest().catch(() => undefined);
    const newest = `/sdk/${name}.tgz`;
    routes.push(newest);
    app.get(newest, { onRequest: gates.operation }, (request, reply) => {
      store.newest().then(
        (file) => {
          head(request, reply);
          count(newest, 302);
          reply.code(302).headers({ location: file, "cache-control": "no-cache" }).send();
        },
        () => replies.refuse(request, reply, REFUSALS.unavailable.error),
      );
    });
  }
  if (routes.length === 0) return [];

  app.get<{ Params: { file: string } }>(KEPT, { onRequest: gates.operation }, (request, reply) => {
    const { file } = request.params;
    const store = stores.get(KEPT_NAME.exec(file)?.[1] ?? "");
    if (store === undefined) {
      replies.refuse(request, reply, NO_PACKAGE);
      return;
    }
    store.find(file).then(
      (bytes) => {
        if (bytes === null) {
          replies.refuse(request, reply, NO_PACKAGE);
          return;
        }
        head(request, reply);
        count(KEPT, 200);
        reply
          .headers({
            "content-type": "application/gzip",
            "cache-control": "public, max-age=31536000, immutable",
            "x-content-type-options": "nosniff",
          })
          .send(bytes);
      },
      () => replies.refuse(request, reply, REFUSALS.unavailable.error),
    );
  });
  return [...routes, KEPT];
}

interface BuiltPackage {
  name: string;
  version: string;
  bytes: Buffer;
}

class KeptPackages {
  readonly #packages: ClientPackages;
  readonly #released: string;
  readonly #own: Buffer;
  readonly #held = new Map<string, Buffer>();
  readonly #reads = new Map<string, Promise<Buffer | null>>();
  #newest: Promise<string> | null = null;

  constructor(packages: ClientPackages, { name, version, bytes }: BuiltPackage) {
    this.#packages = packages;
    this.#released = `${name}-${version}`;
    this.#own = bytes;
  }

  /** The file of this build, which is kept then. */
  newest(): Promise<string> {
    this.#newest ??= this.#keepOwn().catch((fault: unknown) => {
      this.#newest = null;
      throw fault;
    });
    return this.#newest;
  }

  async #keepOwn(): Promise<string> {
    const released = `${this.#released}.tgz`;
    if (await this.#keptAs(released)) return released;
    const hash = createHash("sha256").update(this.#own).digest("hex").slice(0, HASH_CHARS);
    const built = `${this.#released}-${hash}.tgz`;
    if (await this.#keptAs(built)) return built;
    throw new Error(`${built} is kept with other bytes.`);
  }

  async #keptAs(name: string): Promise<boolean> {
    return (await this.#packages.keep(name, this.#own)).equals(this.#own);
  }

  /** Those who ask for one at the same time share a read. */
  async find(name: string): Promise<Buffer | null> {
    if ((await this.newest()) === name) return this.#own;
    const held = this.#held.get(name);
    if (held !== undefined) return held;
    const reading =
      this.#reads.get(name) ?? this.#packages.find(name).finally(() => this.#reads.delete(name));
    this.#reads.set(name, reading);
    const bytes = await reading;
    if (bytes !== null) this.#hold(name, bytes);
    return bytes;
  }

  #hold(name: string, bytes: Buffer): void {
    this.#held.set(name, bytes);
    const [oldest] = this.#held.keys();
    if (this.#held.size > HELD_MAX && oldest !== undefined) this.#held.delete(oldest);
  }
}
