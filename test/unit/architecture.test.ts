/**
 * The layout's import table (ARCHITECTURE.md), enforced: which folder may import which, and
 * the house rules that a program can see: extensions, no cycles, module length.
 */
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LINES_MAX = 500;

interface Import {
  specifier: string;
  /** Path from the repository's root for our own modules, else the package's name. */
  target: string;
  ours: boolean;
  /** `import type`: gone at run time. */
  isType: boolean;
}

interface Module {
  path: string;
  imports: Import[];
  lines: number;
}

/** What everybody on the server may use: clocks, the log, configuration, and the ports' types. */
const SHARED = /^src\/(base|config|ports)\//;
const PROTOCOL = /^src\/protocol\//;
const NODE = /^node:/;
const PACKAGE = /^[^/:]+$|^@[^/]+\/[^/]+$/;

/** The rooms of the edge that may use the rooms before them, in this order. */
const EDGE_ROOMS = [
  "limits",
  "auth",
  "moderation",
  "transport",
  "session",
  "live",
  "commands",
  "namespaces",
];
/** Small modules at the root of the edge that every room may use. */
const EDGE_SHARED = /^src\/edge\/(validation|storage-reachable|actor-calls)\.ts$/;

/** What reaches an edge from the runtime is handed in by worker.ts; the edge knows the types. */
const RUNTIME_TYPES = [/^src\/runtime\/(control|exchange|frames|view)\.ts$/];
const NEVER_IN_EDGE = [/^actors\//, /^src\/(relay|storage|primary)\//, /^pg$/, /^ioredis$/];
const RUNTIME_CODE = /^src\/runtime\/(gateway|shards|shard-index|slices)\.ts$/;
const EDGE_BASE = [PROTOCOL, SHARED, NODE, EDGE_SHARED, RUNTIME_CODE, PACKAGE];

interface Rule {
  of: RegExp;
  may: RegExp[];
  mayType?: RegExp[];
  never: RegExp[];
}

function edgeRoom(name: string, ...others: RegExp[]): Rule {
  const below = EDGE_ROOMS.slice(0, EDGE_ROOMS.indexOf(name) + 1);
  return {
    of: new RegExp(`^src/edge/${name}/`),
    may: [...EDGE_BASE, new RegExp(`^src/edge/(${below.join("|")})/`), ...others],
    mayType: RUNTIME_TYPES,
    never: NEVER_IN_EDGE,
  };
}

/** What each folder may import; the first pattern that matches a module's path applies. */
const TABLE: Rule[] = [
  {
    of: /^src\/protocol\//,
    may: [PROTOCOL, /^typebox$/],
    never: [NODE, /^socket\.io/],
  },
  { of: /^actors\//, may: [PROTOCOL, /^actors\//], never: [NODE] },
  {
    of: /^src\/base\//,
    may: [PROTOCOL, NODE, PACKAGE, /^src\/base\//],
    never: [/^socket\.io/, /^pg$/, /^ioredis$/],
  },
  {
    of: /^src\/config\//,
    may: [PROTOCOL, NODE, /^src\/(base|config)\//],
    never: [],
  },
  {
    of: /^src\/ports\//,
    may: [PROTOCOL, /^src\/(base|config|ports)\//, /^src\/runtime\/view\.ts$/],
    mayType: RUNTIME_TYPES,
    never: [NODE],
  },
  {
    of: /^src\/ops\//,
    may: [PROTOCOL, SHARED, NODE, /^src\/ops\//, PACKAGE],
    never: [/^socket\.io/, /^pg$/, /^ioredis$/],
  },
  {
    of: /^src\/runtime\//,
    may: [
      PROTOCOL,
      SHARED,
      NODE,
      /^src\/(runtime|ops)\//,
      /^actors\/(index|behaviour|ports)\.ts$/,
      /^comlink$/,
    ],
    never: [/^src\/(edge|storage|relay|primary)\//, /^socket\.io/, /^pg$/, /^ioredis$/],
  },
  {
    of: /^src\/storage\//,
    may: [
      PROTOCOL,
      SHARED,
      NODE,
      /^src\/storage\//,
      /^actors\/([a-z]+-)?ports\.ts$/,
      /^pg$/,
      /^pg-copy-streams$/,
      /^aws4fetch$/,
      /postgres/,
    ],
    never: [/^src\/(edge|relay|runtime|primary)\//, /^socket\.io/],
  },
  {
    of: /^src\/relay\//,
    may: [
      PROTOCOL,
      SHARED,
      NODE,
      /^src\/relay\//,
      /^src\/runtime\/(frames|view)\.ts$/,
      /^ioredis$/,
    ],
    never: [/^src\/(edge|storage|primary)\//, /^socket\.io/, /^pg$/],
  },
  // Namespaces know the types with which an application defines them.
  ...EDGE_ROOMS.map((name) => edgeRoom(name, ...(name === "namespaces" ? [/^src\/actor\//] : []))),
  // What an application's files are written with: the server is not in it.
  {
    of: /^src\/actor\//,
    may: [PROTOCOL, /^socket\.io$/, /^typebox/, /^src\/actor\//],
    never: [NODE],
  },
  {
    of: /^src\/extensions\//,
    may: [PROTOCOL, SHARED, NODE, PACKAGE, /^src\/(extensions|actor)\//],
    never: [/^actors\//, /^src\/(edge|storage|relay|runtime|primary)\//, /^pg$/],
  },
  // HTTP uses authentication and limits as commands do; of the sockets' rooms only transport.
  {
    of: /^src\/edge\/http\/server\//,
    may: [...EDGE_BASE, /^src\/edge\/(http\/server|auth|limits|transport)\//],
    mayType: RUNTIME_TYPES,
    never: NEVER_IN_EDGE,
  },
  {
    of: /^src\/edge\/(http|ops)\//,
    may: [
      ...EDGE_BASE,
      /^src\/edge\/(http|auth|limits|moderation|transport|ops|session)\//,
      /^src\/ops\//,
    ],
    mayType: RUNTIME_TYPES,
    never: NEVER_IN_EDGE,
  },
  // The edge's own assemblers know all of its rooms.
  {
    of: /^src\/edge\/[^/]+\.ts$/,
    may: [...EDGE_BASE, /^src\/(edge|ops)\//],
    mayType: RUNTIME_TYPES,
    never: NEVER_IN_EDGE,
  },
  // What this server connects to by itself; handed to those who need it by the entry files.
  {
    of: /^src\/outbound\//,
    may: [PROTOCOL, SHARED, NODE, PACKAGE, /^src\/outbound\//],
    never: [/^socket\.io/, /^pg$/, /^ioredis$/],
  },
  // Decodes what strangers upload, in processes of its own.
  {
    of: /^src\/images\//,
    may: [PROTOCOL, SHARED, NODE, /^src\/images\//],
    never: [/^socket\.io/, /^pg$/, /^ioredis$/],
  },
  {
    of: /^src\/jobs\//,
    may: [PROTOCOL, SHARED, NODE, PACKAGE, /^src\/(jobs|outbound)\//],
    never: [/^actors\//, /^src\/(edge|storage|relay|primary|runtime)\//, /^pg$/, /^ioredis$/],
  },
  {
    of: /^src\/primary\//,
    may: [PROTOCOL, SHARED, NODE, /^src\/(primary|runtime|ops)\//, PACKAGE],
    never: [/^actors\//, /^src\/(edge|storage|relay)\//, /^pg$/, /^ioredis$/],
  },
  { of: /^src\/client\/react\.ts$/, may: [PROTOCOL, /^src\/client\//, /^react$/], never: [NODE] },
  // The kit of React components; nothing else of the client knows it.
  {
    of: /^src\/client\/ui(\/|\.ts$)/,
    may: [PROTOCOL, /^src\/client\//, /^react$/, /^react-dom$/, /^virtua$/],
    never: [NODE],
  },
  { of: /^src\/client\//, may: [PROTOCOL, /^src\/client\//, /^socket\.io-client$/], never: [NODE] },
  {
    of: /^src\/web\//,
    may: [PROTOCOL, /^src\/(client|web)\//, /^socket\.io-client$/, /^react(-dom)?$/],
    never: [NODE],
  },
  // Figures only: the command line, the doctor and the bench use them.
  { of: /^src\/capacity\//, may: [/^src\/capacity\//], never: [NODE] },
  {
    of: /^src\/commands\/doctor\//,
    may: [PROTOCOL, SHARED, NODE, /^src\/(commands\/doctor|storage)\//, /^pg$/, /^ioredis$/],
    never: [/^actors\//, /^src\/(edge|primary|relay|runtime)\//],
  },
  // What the command line does with a whole database, which it opens as a start does.
  {
    of: /^src\/commands\/database\//,
    may: [
      PROTOCOL,
      SHARED,
      NODE,
      /^src\/(commands|storage)\//,
      /^src\/primary\/data-dir\.ts$/,
      /^pg$/,
    ],
    never: [/^actors\//, /^src\/(edge|relay|runtime)\//],
  },
  // The demo is a guest from outside: it knows the published contract only.
  {
    of: /^src\/commands\/demo\//,
    may: [PROTOCOL, SHARED, NODE, /^src\/(client|commands\/demo)\//, /^ws$/],
    never: [/^actors\//, /^src\/(edge|primary|relay|runtime|storage)\//],
  },
  {
    of: /^src\/commands\//,
    may: [PROTOCOL, SHARED, NODE, /^src\/(commands|capacity)\//, PACKAGE],
    never: [/^actors\//, /^src\/(edge|primary|relay|runtime)\//],
  },
  // Counts what the server's own parts do: it assembles them as the entry files do.
  { of: /^bench\/scale\//, may: [/./], never: [/^src\/client\//] },
  // A thousand hosts do not fit on a machine: their leases are measured by themselves.
  {
    of: /^bench\/limits\/leases\.ts$/,
    may: [NODE, PACKAGE, /^bench\/support\//, /^src\/relay\//],
    never: [/^actors\//, /^src\/(edge|primary|runtime)\//],
  },
  // The bench measures from outside; of the server it uses what a client and an operator may know.
  {
    of: /^bench\//,
    may: [
      PROTOCOL,
      SHARED,
      NODE,
      PACKAGE,
      /^bench\//,
      /^src\/(client|commands)\//,
      // The database that a run starts for itself.
      /^src\/storage\/(embedded\/embedded|postgres\/migrate)\.ts$/,
    ],
    never: [/^actors\//, /^src\/(edge|primary|relay|runtime)\//],
  },
  // The entry files assemble the rest.
  { of: /^src\/(main|worker|thread|cli)\.ts$/, may: [/./], never: [] },
];

/** Nothing but the entry files stands at the root of src/. */
const ENTRY_FILES = /^src\/(main|worker|thread|cli)\.ts$/;

const modules = ["src", "actors", "bench"].flatMap((folder) => modulesUnder(folder));

describe("the import table", () => {
  it("[ARC1] the walk finds the modules it is to judge", () => {
    expect(modules.map((module) => module.path)).toContain("src/protocol/schemas.ts");
    expect(modules.flatMap((module) => module.imports).length).toBeGreaterThan(100);
  });

  it("[ARC2] a folder imports only what the table allows", () => {
    const broken = modules.flatMap((module) => {
      const rule = TABLE.find((row) => row.of.test(module.path));
      if (rule === undefined) return [`${module.path}: no rule for its folder`];
      return module.imports
        .filter(
          ({ target, isType }) =>
            rule.never.some((pattern) => pattern.test(target)) ||
            !rule.may
              .concat(isType ? (rule.mayType ?? []) : [])
              .some((pattern) => pattern.test(target)),
        )
        .map(({ specifier }) => `${module.path} imports ${specifier}`);
    });
    expect(broken).toEqual([]);
  });

  it("[ARC3] only the entry files stand at the root of src", () => {
    const loose = modules
      .map((module) => module.path)
      .filter((path) => /^src\/[^/]+\.ts$/.test(path) && !ENTRY_FILES.test(path));
    expect(loose).toEqual([]);
  });

  it("[ARC4] our own modules are imported by relative path with their .ts extension", () => {
    const broken = modules.flatMap((module) =>
      module.imports
        .filter(({ ours, specifier }) => ours && !/\.tsx?$/.test(specifier))
        .map(({ specifier }) => `${module.path} imports ${specifier}`),
    );
    expect(broken).toEqual([]);
  });

  it("[ARC5] node's own modules are imported as node:", () => {
    const broken = modules.flatMap((module) =>
      module.imports
        .filter(({ target }) => builtinModules.includes(target))
        .map(({ specifier }) => `${module.path} imports ${specifier}`),
    );
    expect(broken).toEqual([]);
  });

  it("[ARC6] no modules import each other in a circle, type imports included", () => {
    expect(cycles()).toEqual([]);
  });

  it(`[ARC7] no module is longer than ${LINES_MAX} lines`, () => {
    const long = modules.filter((module) => module.lines > LINES_MAX);
    expect(long.map((module) => `${module.path}: ${module.lines}`)).toEqual([]);
  });

  it("[ARC8] no barrels but actors/index.ts and src/client/index.ts, no default exports", () => {
    const indexes = modules
      .map((module) => module.path)
      .filter((path) => /\/index\.ts$/.test(path));
    expect(indexes.filter((path) => !/^(actors|src\/client)\/index\.ts$/.test(path))).toEqual([]);
    const defaults = modules.filter((module) => /^export default\b/m.test(textOf(module.path)));
    expect(defaults.map((module) => module.path)).toEqual([]);
  });
});

function modulesUnder(folder: string): Module[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".d.ts"))
    .map((name) => join(folder, name).replaceAll("\\", "/"))
    .map((path) => {
      const text = textOf(path);
      return { path, imports: importsOf(path, text), lines: text.split("\n").length - 1 };
    });
}

function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

function importsOf(path: string, source: string): Import[] {
  const text = source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const found = [
    ...text.matchAll(
      /^\s*(?:import|export)\b(\s+type\b(?!\s*,))?[^;"']*?\bfrom\s*["']([^"']+)["']/gm,
    ),
    ...text.matchAll(/^\s*import()\s*["']([^"']+)["']/gm),
    ...text.matchAll(/\bimport()\(\s*["']([^"']+)["']/g),
  ];
  return found.map(([, type, name]) => {
    const specifier = name!;
    const ours = specifier.startsWith(".");
    const target = ours
      ? relative(ROOT, resolve(ROOT, dirname(path), specifier)).replaceAll("\\", "/")
      : packageOf(specifier);
    return { specifier, target, ours, isType: type !== undefined && type !== "" };
  });
}

/** "typebox/compile" → "typebox"; node's own keep their full name. */
function packageOf(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier;
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0]!;
}

function cycles(): string[] {
  const importsByPath = new Map(modules.map((module) => [module.path, module.imports]));
  const state = new Map<string, "open" | "done">();
  const found: string[] = [];
  const visit = (path: string, trail: string[]): void => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      found.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      return;
    }
    state.set(path, "open");
    for (const { target, ours } of importsByPath.get(path) ?? []) {
      if (ours) visit(target, [...trail, path]);
    }
    state.set(path, "done");
  };
  for (const { path } of modules) visit(path, []);
  return found;
}
