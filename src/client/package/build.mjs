/**
 * Makes `troupe-client` of the client's sources: dist/troupe-client/, a package for npm, and in
 * dist/src/web/sdk what a running Troupe hands out: that package as a tarball, and one ES module
 * for pages without a build. Called by src/build.mjs when everything is compiled.
 *
 * A module of the sources is a module of the package, as ESM in esm/ and as CommonJS in cjs/, so
 * that a bundler leaves out what is not imported and a debugger shows the sources.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { tarball } from "./tar.mjs";
import { writeTypes } from "./types.mjs";

const CLIENT = fileURLToPath(new URL("..", import.meta.url));
const SRC = join(CLIENT, "..");
const FORMATS = { esm: "esm", cjs: "cjs" };
const RELATIVE = /((?:from|import|require\()\s*"\.[^"]*)\.tsx?"/g;

/** `to`: the build under way; `esbuild`: that package. */
export async function makeClientPackage(to, esbuild) {
  const folder = join(to, "troupe-client");
  const about = aboutOf(JSON.parse(readFileSync(join(SRC, "..", "package.json"), "utf8")));
  const entries = Object.values(ENTRIES);
  await writeModules(folder, entries, esbuild);
  await writeTypes(
    to,
    Object.keys(FORMATS).map((format) => join(folder, format)),
    entries,
  );
  write(join(folder, "package.json"), `${JSON.stringify(about, null, 2)}\n`);
  // The modules of the folder are CommonJS, whatever the package says.
  write(join(folder, "cjs", "package.json"), '{ "type": "commonjs" }\n');
  for (const file of ["client/package/README.md", "../LICENSE"]) {
    write(join(folder, file.replace(/.*\//, "")), readFileSync(join(SRC, file)));
  }
  write(join(to, "src/web/sdk/troupe-client.tgz"), tarball(bytesBelow(folder)));
}

/** Entry of the package → its module, from src/. */
const ENTRIES = {
  ".": "client/index.ts",
  "./presence": "client/presence.ts",
  "./actors": "client/actors.ts",
  "./social": "client/social.ts",
  "./search": "client/search.ts",
  "./push": "client/push.ts",
  "./react": "client/react.ts",
  "./ui": "client/ui.ts",
};

/** The package.json of the package: that of the sources, with the server's version. */
function aboutOf({ version, license, dependencies, devDependencies, peerDependencies }) {
  const about = JSON.parse(readFileSync(join(CLIENT, "package.json"), "utf8"));
  const ranges = { ...dependencies, ...devDependencies, ...peerDependencies };
  for (const name of Object.keys(about.dependencies)) about.dependencies[name] = ranges[name];
  const file = (format, module, end) => `./${format}/${module.replace(/\.tsx?$/, end)}`;
  const exported = Object.entries(ENTRIES).map(([name, module]) => {
    const of = (format) => ({
      types: file(format, module, ".d.ts"),
      default: file(format, module, ".js"),
    });
    return [name, { import: of("esm"), require: of("cjs") }];
  });
  const [first] = Object.values(ENTRIES);
  return {
    ...about,
    version,
    license,
    main: file("cjs", first, ".js"),
    module: file("esm", first, ".js"),
    types: file("esm", first, ".d.ts"),
    exports: { ...Object.fromEntries(exported), "./package.json": "./package.json" },
    files: ["esm", "cjs"],
  };
}

async function writeModules(folder, entries, { build, transform }) {
  const { metafile } = await build({
    entryPoints: entries.map((entry) => join(SRC, entry)),
    absWorkingDir: SRC,
    bundle: true,
    packages: "external",
    write: false,
    metafile: true,
    outdir: folder,
    format: "esm",
    jsx: "automatic",
    logLevel: "warning",
  });
  for (const path of Object.keys(metafile.inputs)) {
    const source = readFileSync(join(SRC, path), "utf8");
    for (const [name, format] of Object.entries(FORMATS)) {
      const target = join(folder, name, path.replace(/\.tsx?$/, ".js"));
      const { code, map } = await transform(source, {
        loader: path.endsWith("x") ? "tsx" : "ts",
        jsx: "automatic",
        format,
        target: "es2022",
        sourcemap: true,
        sourcefile: path.replace(/.*\//, ""),
      });
      const end = `//# sourceMappingURL=${target.replace(/.*\//, "")}.map\n`;
      write(target, code.replace(RELATIVE, '$1.js"') + end);
      write(`${target}.map`, map);
    }
  }
}

function write(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Path → bytes of every file below. */
function bytesBelow(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name))
    .map((path) => [relative(folder, path), readFileSync(path)]);
}
