/**
 * Builds dist/: the server with tsc and esbuild (bundle.mjs), the web page with esbuild, the guides
 * from Markdown, the client's package, SQL and static files copied. Plain JavaScript, for it runs before anything
 * is compiled.
 *
 *   node src/build.mjs                builds, after another build that is under way
 *   node src/build.mjs --if-stale     returns at once when dist/ is newer than its sources
 *   node src/build.mjs --if-possible  the same, and does nothing where the tools are missing
 *   node src/build.mjs --watch        builds, starts the server, and does both again after a change
 *
 * Invariant: a new dist/ is made aside and its files renamed into place one by one, so nobody
 * reads half a file and a failed build leaves the old one running.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { makeActorPackage } from "./actor/package.mjs";
import { bundleServer } from "./bundle.mjs";
import { makeClientPackage } from "./client/package/build.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = join(ROOT, "dist");
const STAMP = join(DIST, ".stamp");
const LOCK = join(DIST, ".lock");
const ASIDE = `.new-${process.pid}`;
const SOURCES = ["src", "actors", "bench", "tsconfig.json", "package.json", "package-lock.json"];
/** A build ignores the incremental state of checks, which does not know the files that a build writes. */
const FULL = ["--incremental", "false", "--tsBuildInfoFile", "null"];
const LOCK_POLL_MS = 50;
/** A lock directory without its pid file is being made, or its maker died in between. */
const LOCK_NAMELESS_MS = 2000;
/** An editor's "save all" is several changes. */
const SETTLE_MS = 100;

const resolve = createRequire(import.meta.url).resolve;

/** Files below `path`, sorted; hidden ones do not count. */
function filesBelow(path) {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith("."))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const child = join(path, entry.name);
      return entry.isDirectory() ? filesBelow(child) : [child];
    });
}

function digestOfSources() {
  const hash = createHash("sha256");
  for (const file of SOURCES.flatMap((source) => filesBelow(join(ROOT, source)))) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${relative(ROOT, file)}\0${mtimeMs}\0${size}\n`);
  }
  return hash.digest("hex");
}

function isFresh(digest) {
  return existsSync(STAMP) && readFileSync(STAMP, "utf8") === digest;
}

/** The tools that the build needs from devDependencies; null when they are not installed. */
function findTools() {
  try {
    return {
      tsc: join(dirname(resolve("typescript/package.json")), "bin", "tsc"),
      esbuild: resolve("esbuild"),
    };
  } catch (error) {
    if (error.code === "MODULE_NOT_FOUND") return null;
    throw error;
  }
}

async function lock() {
  mkdirSync(DIST, { recursive: true });
  for (;;) {
    try {
      mkdirSync(LOCK);
      writeFileSync(join(LOCK, "pid"), String(process.pid));
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (isLockDead()) {
      // When two processes find the lock dead, one of them renames it and the other waits for the
      // new one.
      const dead = `${LOCK}-dead-${process.pid}`;
      try {
        renameSync(LOCK, dead);
        rmSync(dead, { recursive: true });
      } catch (error) {
        if (error.code !== "ENOENT") throw error;
      }
    } else {
      await delay(LOCK_POLL_MS);
    }
  }
}

function isLockDead() {
  try {
    const pid = readFileSync(join(LOCK, "pid"), "utf8");
    if (pid !== "") {
      process.kill(Number(pid), 0);
      return false;
    }
  } catch (error) {
    if (error.code === "ESRCH") return true;
    if (error.code === "EPERM") return false;
    if (error.code !== "ENOENT") throw error;
  }
  try {
    return Date.now() - statSync(LOCK).mtimeMs > LOCK_NAMELESS_MS;
  } catch (error) {
    if (error.code === "ENOENT") return false;
    throw error;
  }
}

/** The running compilers. A build that receives a signal to stop ends them too. */
const compilers = new Set();

function run(args) {
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
    compilers.add(child);
    child.once("error", failed);
    child.once("exit", (code) => {
      compilers.delete(child);
      done(code === 0);
    });
  });
}

/** Compiles and checks everything into `to`; false when something does not compile. */
async function make(to, tools) {
  const web = join(ROOT, "src", "web");
  const page = join(web, "app", "main.tsx");
  const opsPage = join(web, "ops", "main.ts");
  const guides = [join(web, "docs", "pages.mjs"), to, join(to, "src/web/docs")];
  const server = run([tools.tsc, "-p", "tsconfig.json", "--outDir", to, ...FULL]);
  const checks = [
    server.then((isCompiled) => isCompiled && run(guides)),
    // The client's types, and the check that it needs nothing of Node.
    run([tools.tsc, "-p", "src/client", "--outDir", to, ...FULL]),
    run([tools.tsc, "-p", "src/actor", "--outDir", to, ...FULL]),
  ];
  if (existsSync(page)) {
    checks.push(
      run([tools.tsc, "-p", "src/web", "--noEmit", ...FULL]),
      bundle(page, "app.js", to, tools, PREACT),
    );
    checks.push(bundle(opsPage, "ops/ops.js", to, tools));
    checks.push(bundle(join(web, "docs", "main.ts"), "docs/docs.js", to, tools));
    checks.push(bundle(join(web, "app", "push-worker.ts"), "push-worker.js", to, tools));
  }
  copyBelow(join(ROOT, "src/storage/sql"), join(to, "src/storage/sql"), /\.sql$/);
  copyBelow(join(ROOT, "src/edge/auth"), join(to, "src/edge/auth"), /\.txt$/);
  copyBelow(join(web, "app"), join(to, "src/web"), /\.(html|css|svg|png|ico|webmanifest)$/);
  copyBelow(join(web, "ops"), join(to, "src/web/ops"), /\.(html|css|svg)$/);
  checks.push(bundle(join(ROOT, "src/client/sdk.ts"), "sdk/troupe.js", to, tools));
  const element = join(ROOT, "src/client/ui/element.tsx");
  checks.push(bundle(element, "sdk/troupe-chat.js", to, tools));
  const isCompiled = (await Promise.all(checks)).every(Boolean);
  const esbuild = await import(tools.esbuild);
  const isMade = isCompiled && (await bundleServer(to, esbuild));
  if (isMade) await makeClientPackage(to, esbuild);
  if (isMade) await makeActorPackage(to, esbuild);
  // `npx troupe` runs it as a program; the compiler writes plain files.
  if (isMade) chmodSync(join(to, "src", "cli.js"), 0o755);
  return isMade;
}

/** For the page alone: a visitor loads half as much. Applications bring a React of their own. */
const PREACT = {
  react: "preact/compat",
  "react-dom": "preact/compat",
  "react-dom/client": "preact/compat/client",
  "react/jsx-runtime": "preact/jsx-runtime",
};

async function bundle(page, name, to, tools, alias = {}) {
  const { build } = await import(tools.esbuild);
  try {
    await build({
      entryPoints: [page],
      outfile: join(to, "src/web", name),
      bundle: true,
      minify: true,
      sourcemap: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      jsx: "automatic",
      alias,
      // React's own checks are for those who build with it.
      define: { "process.env.NODE_ENV": '"production"' },
      logLevel: "warning",
      tsconfig: join(ROOT, "src/web/tsconfig.json"),
    });
    return true;
  } catch (error) {
    // esbuild has printed what is wrong.
    if (Array.isArray(error.errors)) return false;
    throw error;
  }
}

function copyBelow(from, to, names) {
  for (const file of filesBelow(from)) {
    if (!names.test(file)) continue;
    const target = join(to, relative(from, file));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(file, target);
  }
}

/** Moves the files of `aside` into dist/, and removes from dist/ what is not among them. */
function moveIntoPlace(aside) {
  const made = new Set();
  for (const file of filesBelow(aside)) {
    const path = relative(aside, file);
    made.add(path);
    mkdirSync(dirname(join(DIST, path)), { recursive: true });
    renameSync(file, join(DIST, path));
  }
  for (const file of filesBelow(DIST)) {
    if (!made.has(relative(DIST, file))) rmSync(file);
  }
}

/** "built", "fresh" or "failed". */
async function build(onlyIfStale) {
  if (onlyIfStale && isFresh(digestOfSources())) return "fresh";
  const tools = findTools();
  if (tools === null) {
    // Installed without devDependencies: what was built before is what there is.
    if (existsSync(join(DIST, "src", "cli.js"))) return "fresh";
    console.error("Troupe is not built, and the tools to build it are missing: run `npm ci`.");
    return "failed";
  }
  await lock();
  const aside = join(DIST, ASIDE);
  try {
    const digest = digestOfSources();
    // The process that held the lock before has just built the same sources.
    if (onlyIfStale && isFresh(digest)) return "fresh";
    console.log("Building Troupe; once after each change …");
    for (const name of readdirSync(DIST)) {
      if (name.startsWith(".new-")) rmSync(join(DIST, name), { recursive: true });
    }
    if (!(await make(aside, tools))) return "failed";
    rmSync(STAMP, { force: true });
    moveIntoPlace(aside);
    writeFileSync(STAMP, digest);
    return "built";
  } finally {
    rmSync(aside, { recursive: true, force: true });
    rmSync(LOCK, { recursive: true, force: true });
  }
}

async function buildAndServe() {
  let server = null;
  let isEnding = false;
  let wake = () => undefined;
  const changed = () => wake();

  const stopServer = async () => {
    if (server === null || server.exitCode !== null || server.signalCode !== null) return;
    const gone = new Promise((done) => server.once("exit", done));
    server.kill("SIGTERM");
    await gone;
  };
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      isEnding = true;
      changed();
    });
  }
  const watchers = SOURCES.filter((source) => existsSync(join(ROOT, source))).map((source) =>
    watch(join(ROOT, source), { recursive: true }, changed),
  );

  while (!isEnding) {
    const nextChange = new Promise((done) => {
      wake = done;
    });
    const outcome = await build(true);
    if (!isEnding && outcome !== "failed" && (outcome === "built" || server === null)) {
      await stopServer();
      // A group of its own: Ctrl-C reaches it once, through this process.
      server = spawn(process.execPath, [join(DIST, "src", "cli.js"), "start"], {
        cwd: ROOT,
        stdio: "inherit",
        detached: true,
      });
    }
    if (!isEnding) await nextChange;
    if (!isEnding) await delay(SETTLE_MS);
  }
  for (const watcher of watchers) watcher.close();
  await stopServer();
}

const args = process.argv.slice(2);
if (args.includes("--watch")) {
  await buildAndServe();
} else {
  for (const [signal, number] of [
    ["SIGINT", 2],
    ["SIGTERM", 15],
  ]) {
    process.once(signal, () => {
      // The next build clears away what this one leaves: its lock names a process that is gone.
      for (const child of compilers) child.kill();
      process.exit(128 + number);
    });
  }
  // npm calls it so after an install, which may be one without devDependencies.
  const isOptional = args.includes("--if-possible");
  if (!isOptional || findTools() !== null) {
    const outcome = await build(isOptional || args.includes("--if-stale"));
    if (outcome === "failed") process.exitCode = 1;
  }
}
