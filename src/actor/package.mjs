/**
 * Makes the package with which an editor and a test know `troupe/actor` where no server is installed:
 * dist/src/web/sdk/troupe-actor.tgz, which a running Troupe hands out. It is called `troupe`, as the
 * server's own package is, and holds `troupe/actor` and `troupe/actor/test` only. Called by
 * src/build.mjs when everything is compiled.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { tarball } from "../client/package/tar.mjs";

const SRC = fileURLToPath(new URL("..", import.meta.url));
const ENTRIES = { "./actor": "actor/api", "./actor/test": "actor/test" };
const IMPORT = /\b(?:from|import\()\s*"(\.[^"]*?)\.[jt]s"/g;

/** `to`: the build under way; `esbuild`: that package. */
export async function makeActorPackage(to, { build }) {
  const files = new Map();
  const { outputFiles } = await build({
    entryPoints: Object.values(ENTRIES).map((entry) => join(to, "src", `${entry}.js`)),
    outbase: join(to, "src"),
    outdir: to,
    bundle: true,
    splitting: true,
    packages: "external",
    format: "esm",
    platform: "neutral",
    target: "es2022",
    write: false,
    logLevel: "warning",
  });
  for (const { path, contents } of outputFiles) files.set(relative(to, path), contents);
  for (const entry of Object.values(ENTRIES)) addTypes(join(to, "src"), `${entry}.d.ts`, files);
  const own = JSON.parse(readFileSync(join(SRC, "..", "package.json"), "utf8"));
  files.set("package.json", Buffer.from(`${JSON.stringify(aboutOf(own), null, 2)}\n`));
  files.set("LICENSE", readFileSync(join(SRC, "..", "LICENSE")));
  writeFileSync(join(to, "src/web/sdk/troupe-actor.tgz"), tarball(files));
}

/** A module's declarations, and those of the modules that they name. */
function addTypes(from, path, files) {
  if (files.has(path)) return;
  const file = join(from, path);
  if (!existsSync(file)) throw new Error(`${path} is named by declarations, and has none.`);
  const text = readFileSync(file, "utf8").replace(/^\/\/# sourceMappingURL.*$/m, "");
  files.set(path, Buffer.from(text.replace(IMPORT, (found) => found.replace(/\.ts"$/, '.js"'))));
  for (const [, named] of text.matchAll(IMPORT)) {
    addTypes(from, join(dirname(path), `${named}.d.ts`), files);
  }
}

function aboutOf({ version, license, dependencies }) {
  const { typebox, "socket.io": socketIo } = dependencies;
  const exported = Object.entries(ENTRIES).map(([name, entry]) => [
    name,
    { types: `./${entry}.d.ts`, default: `./${entry}.js` },
  ]);
  return {
    name: "troupe",
    version,
    description: "What actors, hooks and namespaces of a Troupe server are written with.",
    license,
    type: "module",
    engines: { node: ">=20.19" },
    exports: { ...Object.fromEntries(exported), "./package.json": "./package.json" },
    dependencies: { "socket.io": socketIo, typebox },
  };
}
