/** An application for the browser that esbuild bundles and a server of its own origin serves. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";
import { afterAll, beforeAll } from "vitest";

/**
 * Serves `page` at every path but /app.js, which is the bundled module `file` of this folder. Answers
 * how to learn the origin, which is known once the tests begin.
 */
export function browserAppForFile(file: string, page: string, options: BuildOptions): () => string {
  let host: Server;

  beforeAll(async () => {
    const built = await build({
      entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
      bundle: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      jsx: "automatic",
      ...options,
      write: false,
    });
    const script = built.outputFiles[0]!.text;
    host = createServer((request, response) => {
      const isScript = request.url === "/app.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? script : page);
    }).listen(0, "127.0.0.1");
    await once(host, "listening");
  });

  afterAll(async () => {
    host.closeAllConnections();
    host.close();
    await once(host, "close");
  });

  return () => `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
}
