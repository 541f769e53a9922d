/**
 * Makes modules that Node runs of the application's files, TypeScript or not, without a build step
 * of the application's: one bundle a file, with the helpers that several files import in common
 * parts, so that these exist once. Packages are not bundled; they are imported from where the
 * application's files would find them.
 *
 * [EXT1] `troupe/actor` is this server's, whether or not the folder has a `node_modules`.
 * [EXT2] `import.meta.url`, `__dirname` and `__filename` are those of the application's file.
 */
import { readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { BuildFailure, Message, OnResolveArgs, Plugin } from "esbuild";
import type { Bundle } from "../config/extensions.ts";
import type { Source } from "./files.ts";

/** In dist/, this module is src/extensions/bundle.js. */
const ACTOR_API = new URL("../actor/api.js", import.meta.url).href;
/** Packages that use `require` find one. */
const BANNER = `import { createRequire as __troupeRequire } from "node:module"; const require = __troupeRequire(import.meta.url);`;
const PLACES = {
  "import.meta.url": "__troupeUrl",
  __filename: "__troupeFile",
  __dirname: "__troupeDir",
};
const PROBLEMS_MAX = 10;

export async function bundle(
  dir: string,
  sources: readonly Source[],
  outDir: string,
): Promise<Bundle[] | { problems: string[] }> {
  const { build } = await import("esbuild");
  try {
    await build({
      absWorkingDir: dir,
      entryPoints: sources.map(({ file }) => `./${file}`),
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node20",
      outdir: outDir,
      outExtension: { ".js": ".mjs" },
      sourcemap: "linked",
      sourcesContent: false,
      banner: { js: BANNER },
      define: PLACES,
      logLevel: "silent",
      plugins: [placing, resolving],
    });
  } catch (error) {
    const { errors } = error as Partial<BuildFailure>;
    if (!Array.isArray(errors)) throw error;
    return { problems: errors.slice(0, PROBLEMS_MAX).map(sentence) };
  }
  return sources.map(({ file, kind }) => ({
    file,
    kind,
    url: pathToFileURL(join(outDir, file.replace(/\.[tj]s$/, ".mjs"))).href,
  }));
}

function sentence({ text, location }: Message): string {
  if (location === null) return text;
  return `${location.file}:${location.line}:${location.column + 1}: ${text}`;
}

/** [EXT2] Put before a file's first line, so that the numbers of its lines stay. */
const placing: Plugin = {
  name: "troupe-placing",
  setup({ onLoad }) {
    onLoad({ filter: /\.[cm]?[tj]sx?$/ }, async ({ path }) => {
      const places = [pathToFileURL(path).href, path, dirname(path)].map((text) =>
        JSON.stringify(text),
      );
      const names = Object.values(PLACES).map((name, n) => `${name} = ${places[n]}`);
      const extension = /([tj]sx?)$/.exec(path)?.[1] as "ts" | "tsx" | "js" | "jsx";
      const text = await readFile(path, "utf8");
      return { contents: `const ${names.join(", ")};${text}`, loader: extension };
    });
  },
};

const OWN = Symbol("asked by this plugin");

const resolving: Plugin = {
  name: "troupe-resolving",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^troupe\/actor$/ }, ({ kind }) => ({
      path: kind.startsWith("require") ? fileURLToPath(ACTOR_API) : ACTOR_API,
      external: true,
    }));
    onResolve({ filter: /^[^./]/ }, async (asked: OnResolveArgs) => {
      const { path, kind, importer, resolveDir, pluginData } = asked;
      if (pluginData === OWN || kind === "entry-point") return undefined;
      if (isBuiltin(path)) return { path, external: true };
      const found = await resolve(path, { kind, importer, resolveDir, pluginData: OWN });
      if (found.errors.length > 0) return { errors: found.errors };
      return {
        path: kind.startsWith("require") ? found.path : pathToFileURL(found.path).href,
        external: true,
      };
    });
  },
};
