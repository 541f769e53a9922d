/**
 * The demo page, the guides and their assets, read into memory once from what the build made,
 * and the published contract. Served with an ETag and asked again each time, so that a deploy shows
 * at once; nothing inline, nothing from elsewhere.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join, sep } from "node:path";
import type { FastifyInstance } from "fastify";
import type { WorkerConfig } from "../../../config/config.ts";
import type { AppKind } from "../../../protocol/app-actors.ts";
import type { AppKinds } from "../../../protocol/app-kinds.ts";
import type { SecurityHeaders } from "../../transport/security-headers.ts";
import type { Cors } from "./cors.ts";
import { contractDocuments } from "./documents.ts";

export interface Page {
  path: string;
  type: string;
  bytes: Buffer;
  etag: string;
  /** Whether pages of other origins may read it. */
  isShared: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
};

const HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy":
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
    "object-src 'none'; form-action 'self'; " +
    "base-uri 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
} as const;

/** What the pages say of the deployment that serves them. */
export interface Deployment {
  /** The address of this server on its own machine. */
  localUrl: string;
  /** Accounts are an outside issuer's: there is no password to sign in with. */
  hasOutsideAccounts: boolean;
  /** The prefix under which a proxy publishes the pages; "" for none. */
  basePath: string;
  /** Kinds of the application's own actors, for the published contract. */
  kinds?: readonly AppKind[];
}

type Deployed = "tlsCert" | "port" | "basePath" | "jwtJwksUrl";

export function deploymentOf(config: Pick<WorkerConfig, Deployed>, kinds: AppKinds): Deployment {
  const { tlsCert, port, basePath, jwtJwksUrl } = config;
  return {
    localUrl: `${tlsCert === null ? "http" : "https"}://localhost:${port}${basePath}`,
    basePath,
    hasOutsideAccounts: jwtJwksUrl !== null,
    get kinds() {
      return kinds.list;
    },
  };
}

/** An address on this server in a page's HTML. */
const LOCAL_LINK = /\b(href|src)="\/(?!\/)/g;
/** What the guides are written with, and what their snippets are tested with. */
const WRITTEN_URL = "http://localhost:3000";

/** What readers of the guides search in; it shows passages of them. */
const SEARCH_INDEX = "/docs/search.json";

/** All pages; of `webRoot` nothing where the build has not made it. */
export function loadPages(webRoot: string, deployment: Deployment): Page[] {
  const pages = documentPages(deployment);
  const files = existsSync(webRoot)
    ? readdirSync(webRoot, { recursive: true, withFileTypes: true })
    : [];
  for (const file of files) {
    const type = TYPES[extname(file.name)];
    if (!file.isFile() || type === undefined) continue;
    const name = join(file.parentPath, file.name);
    const path = name.slice(webRoot.replace(/[\\/]$/, "").length).replaceAll(sep, "/");
    const bytes =
      path.endsWith(".html") || path === SEARCH_INDEX
        ? Buffer.from(told(path, readFileSync(name, "utf8"), deployment))
        : readFileSync(name);
    // "/index.html" is at "/", "/ops/index.html" at "/ops", "/docs/deploy.html" at "/docs/deploy".
    const address = path.replace(/(\/index)?\.html$/, "");
    pages.push(page(address === "" ? "/" : address, type, bytes, path.startsWith("/sdk/")));
  }
  return pages;
}

function documentPages(deployment: Deployment): Page[] {
  return contractDocuments(deployment.kinds ?? []).map(({ path, type, text, isShared }) =>
    page(path, type, Buffer.from(told(path, text, deployment)), isShared),
  );
}

/** Replaces the published documents: the application has other kinds of actors now. */
export function renewDocuments(pages: readonly Page[], deployment: Deployment): void {
  for (const made of documentPages(deployment)) {
    const served = pages.find(({ path }) => path === made.path);
    if (served !== undefined) Object.assign(served, made);
  }
}

export function servePages(
  app: FastifyInstance,
  pages: readonly Page[],
  cors: Cors,
  transport: SecurityHeaders,
  count: (route: string, status: number) => void,
): void {
  for (const page of pages) {
    const { path } = page;
    app.get(path, (request, reply) => {
      const { type, bytes, etag, isShared } = page;
      if (isShared) cors(request, reply);
      transport(request.raw, (name, value) => void reply.header(name, value));
      reply.headers(HEADERS).header("etag", etag);
      const isHeld = request.headers["if-none-match"]?.includes(etag) === true;
      count(path, isHeld ? 304 : 200);
      if (isHeld) reply.code(304).send();
      else reply.header("content-type", type).send(bytes);
    });
  }
}

function told(path: string, text: string, deployment: Deployment): string {
  const { basePath, localUrl, hasOutsideAccounts } = deployment;
  if (path === "/api/openapi.json") {
    return text.replace('"servers":[{"url":"/"}]', `"servers":[{"url":"${basePath || "/"}"}]`);
  }
  if (path === "/api/asyncapi.json") {
    return text.replaceAll('"/socket.io"', `"${basePath}/socket.io"`);
  }
  const linked = basePath === "" ? text : text.replaceAll(LOCAL_LINK, `$1="${basePath}/`);
  if (path.startsWith("/docs")) return linked.replaceAll(WRITTEN_URL, localUrl);
  if (path !== "/index.html" || !hasOutsideAccounts) return linked;
  return linked.replace("<html ", '<html data-accounts="outside" ');
}

function page(path: string, type: string, bytes: Buffer, isShared: boolean): Page {
  const hash = createHash("sha256").update(bytes).digest("base64url").slice(0, 22);
  return { path, type, bytes, etag: `"${hash}"`, isShared };
}
