/** What the SDK costs a page. */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const ENTRY = fileURLToPath(new URL("../../src/client/index.ts", import.meta.url));
const BYTES_MAX = 11_264;

describe("troupe-client", () => {
  it(`[SDK40] connect and online are at most ${BYTES_MAX} bytes, minified and gzipped, without socket.io-client`, async () => {
    const { outputFiles, metafile } = await build({
      // What an application bundles of it, as bundlers do: without the exports it does not use.
      stdin: {
        contents: `export { connect, online } from ${JSON.stringify(ENTRY)}`,
        resolveDir: ".",
      },
      bundle: true,
      minify: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      external: ["socket.io-client"],
    });
    const strangers = Object.keys(metafile.inputs).filter((path) => /node_modules/.test(path));
    expect(strangers, "packages in the bundle").toEqual([]);
    expect(gzipSync(outputFiles[0]!.contents, { level: 9 }).length).toBeLessThanOrEqual(BYTES_MAX);
  });
});
