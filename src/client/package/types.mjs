/**
 * The declarations of `troupe-client`. The compiler writes those of the client itself. The
 * contract's are declared by TypeBox schemas, which an application must not need, so this module
 * writes them from the schemas as plain interfaces.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";

const IMPORT = /\b(?:from|import\()\s*"(\.[^"]*?)\.tsx?"/g;

/** `from`: the build with the compiler's declarations; `to`: the folders of the package. */
export async function writeTypes(from, to, entries) {
  const left = entries.map((entry) => join(from, "src", entry.replace(/\.tsx?$/, ".d.ts")));
  const done = new Map();
  const names = await namesOfSchemas(from, ["schemas", "social"]);
  while (left.length > 0) {
    const file = left.pop();
    if (done.has(file)) continue;
    const compiled = readFileSync(file, "utf8");
    const text = /from "typebox"/.test(compiled)
      ? await plain(compiled, file, names)
      : compiled.replace(/^\/\/# sourceMappingURL.*$/m, "");
    done.set(file, text);
    for (const [, path] of text.matchAll(IMPORT)) {
      const next = join(dirname(file), `${path}.d.ts`);
      if (!existsSync(next)) throw new Error(`${file} imports ${path}, which has no declarations.`);
      left.push(next);
    }
  }
  for (const [file, text] of done) {
    const written = text.replace(IMPORT, (found) => found.replace(/\.tsx?"$/, '.js"'));
    for (const folder of to) {
      const target = join(folder, relative(join(from, "src"), file));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, written);
    }
  }
}

/** Which schema is which exported type: { name, module } by schema. */
async function namesOfSchemas(from, modules) {
  const names = new Map();
  for (const module of modules) {
    const exported = await load(join(from, "src/protocol", `${module}.js`));
    for (const [name, schema] of Object.entries(exported)) {
      // Named are objects and choices; an id or a count is read more easily as what it is.
      if (["Object", "Union"].includes(schema?.["~kind"])) names.set(schema, { name, module });
    }
  }
  return names;
}

const load = (path) => import(pathToFileURL(path).href);

/** One module of the contract without its schemas. */
async function plain(compiled, file, names) {
  const module = basename(file, ".d.ts");
  const values = await load(file.replace(/\.d\.ts$/, ".js"));
  const writer = new Writer(names, module);
  const statements = statementsOf(compiled);
  const comments = new Map();
  const written = [];
  const isWritten = new Set();
  if (module === "events") written.push(eventsText(values, writer));
  if (module === "routes") written.push(routesText(values.ROUTES, writer));
  else {
    for (const { comment, text } of statements) {
      const [, schema] = /^export declare const (\w+):/.exec(text) ?? [];
      if (schema !== undefined) comments.set(schema, comment);
      if (/^(import |export \{\}|(export )?declare (const|function) )/.test(text)) continue;
      const [, name] = /^export type (\w+) = Static<typeof \1>;$/.exec(text) ?? [];
      if (name !== undefined) {
        isWritten.add(name);
        written.push(`${comments.get(name) ?? ""}${writer.declaration(name, values[name])}`);
      } else if (!/\b(Static<|typeof )/.test(text)) written.push(comment + text);
      else if (module !== "events") throw new Error(`${file}: ${text} cannot be written.`);
    }
  }
  // Others name them, though the sources need no type of theirs.
  for (const { name, module: of } of names.values()) {
    if (of === module && !isWritten.has(name)) {
      written.push(writer.declaration(name, values[name]));
    }
  }
  const body = written.join("\n");
  return `${importsOf(body, statements, names, module)}${body}\nexport {};\n`;
}

/** The compiler writes each statement at the beginning of a line and indents its parts. */
function statementsOf(compiled) {
  const starts = /^(?=(?:export|import|declare|type|interface|\/\*\*))/m;
  const parts = compiled
    .replace(/^\/\/# sourceMappingURL.*$/m, "")
    .split(starts)
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const statements = [];
  let comment = "";
  for (const part of parts) {
    if (part.startsWith("/*")) comment = `${part}\n`;
    else {
      statements.push({ comment, text: part });
      comment = "";
    }
  }
  return statements;
}

/** Imports of the types that `body` names and another module has. */
function importsOf(body, statements, names, own) {
  const from = new Map();
  for (const { name, module } of names.values()) {
    if (module !== own) from.set(name, `./${module}.ts`);
  }
  for (const { text } of statements) {
    const [, list, path] = /^import type \{([^}]*)\} from "(\.[^"]*)"/.exec(text) ?? [];
    for (const name of list?.split(",") ?? []) from.set(name.trim(), path);
  }
  const used = new Map();
  for (const [name, path] of from) {
    const isUsed = new RegExp(`(?<![."\\w])${name}\\b(?!\\??:)`).test(body);
    if (isUsed) used.set(path, [...(used.get(path) ?? []), name]);
  }
  const lines = [...used].map(
    ([path, list]) => `import type { ${list.join(", ")} } from "${path}";\n`,
  );
  return lines.join("");
}

function eventsText({ CLIENT_EVENTS, SERVER_EVENTS }, writer) {
  const client = Object.entries(CLIENT_EVENTS);
  return [
    writer.table(
      "ClientPayloads",
      client.map(([name, { payload }]) => [name, payload]),
    ),
    writer.table(
      "ClientAcks",
      client.map(([name, { ack }]) => [name, ack]),
    ),
    writer.table("ServerPayloads", Object.entries(SERVER_EVENTS)),
    "export type ClientEventName = keyof ClientPayloads;",
    "export type ServerEventName = keyof ServerPayloads;",
  ].join("\n");
}

/** The routes of the API, with what `api.ts` reads of them. */
function routesText(routes, writer) {
  const api = Object.entries(routes).filter(([, { path }]) => path.startsWith("/api/"));
  const lines = [
    "/** Names and addresses of the calls; a type only. */",
    "export declare const ROUTES: {",
  ];
  for (const [name, { method, path, summary }] of api) {
    lines.push(`  /** ${summary} */`);
    lines.push(`  readonly ${name}: { readonly method: "${method}"; readonly path: "${path}" };`);
  }
  lines.push("};", "export type RouteName = keyof typeof ROUTES;");
  for (const [table, part] of [
    ["Params", "params"],
    ["Queries", "query"],
    ["Bodies", "body"],
  ]) {
    lines.push(
      writer.table(
        table,
        api.map(([name, spec]) => [name, spec[part] ?? null]),
      ),
    );
  }
  lines.push("interface Answers {");
  for (const [name, { answers }] of api) {
    const each = Object.entries(answers).map(([status, body]) => {
      const text =
        body === null ? "null" : typeof body === "string" ? "string" : writer.text(body, "  ");
      return `{ status: ${status}; body: ${text} }`;
    });
    lines.push(`  ${name}: ${each.join(" | ")};`);
  }
  lines.push("}");
  for (const [name, table] of [
    ["RouteParams", "Params"],
    ["RouteQuery", "Queries"],
    ["RouteBody", "Bodies"],
    ["RouteAnswer", "Answers"],
  ]) {
    lines.push(`export type ${name}<R extends RouteName> = ${table}[R];`);
  }
  return lines.join("\n");
}

const PLAIN_KEY = /^[A-Za-z_$][\w$]*$/;
const keyOf = (key) => (PLAIN_KEY.test(key) ? key : JSON.stringify(key));

/** Schemas as TypeScript. */
class Writer {
  #names;

  constructor(names) {
    this.#names = names;
  }

  declaration(name, schema) {
    const body = this.#body(schema, "");
    const isInterface = schema["~kind"] === "Object" && body.startsWith("{");
    return isInterface ? `export interface ${name} ${body}` : `export type ${name} = ${body};`;
  }

  /** null: an empty object. */
  table(name, entries) {
    const rows = entries.map(([key, schema]) => {
      const text = schema === null ? "Record<never, never>" : this.text(schema, "  ");
      return `  ${keyOf(key)}: ${text};`;
    });
    return `export interface ${name} {\n${rows.join("\n")}\n}`;
  }

  text(schema, indent) {
    return this.#names.get(schema)?.name ?? this.#body(schema, indent);
  }

  #body(schema, indent) {
    const kind = schema["~kind"];
    switch (kind) {
      case "Object":
        return this.#object(schema, indent);
      case "Array": {
        const item = this.text(schema.items, indent);
        return /[|&]/.test(item) && !item.startsWith("{") ? `(${item})[]` : `${item}[]`;
      }
      case "Tuple":
        return `[${schema.items.map((one) => this.text(one, indent)).join(", ")}]`;
      case "Union":
        return schema.anyOf.map((one) => this.text(one, indent)).join(" | ");
      case "Intersect":
        return schema.allOf.map((one) => this.text(one, indent)).join(" & ");
      case "Literal":
        return JSON.stringify(schema.const);
      case "Record": {
        const [value] = Object.values(schema.patternProperties);
        return `Record<string, ${this.text(value, indent)}>`;
      }
      case "String":
        return "string";
      case "Integer":
      case "Number":
        return "number";
      case "Boolean":
        return "boolean";
      case "Null":
        return "null";
      case "Unknown":
      case "Any":
        return "unknown";
      case "Never":
        return "never";
      default:
        // A schema made by hand, as JSON Schema: its text form says no more than that.
        if (schema.type === "object") return "Record<string, unknown>";
        if (schema.type === "string") return "string";
        throw new Error(`types.mjs cannot write a schema of kind ${kind}.`);
    }
  }

  #object({ properties, additionalProperties }, indent) {
    const keys = Object.entries(properties);
    // The application's own object, unless the contract refuses every key.
    if (keys.length === 0) {
      return additionalProperties === false ? "Record<never, never>" : "Record<string, unknown>";
    }
    const inner = `${indent}  `;
    const rows = keys.flatMap(([key, value]) => {
      const comment = value.description?.replaceAll("*/", "* /");
      const mark = value["~optional"] ? "?" : "";
      return [
        ...(comment ? [`${inner}/** ${comment} */`] : []),
        `${inner}${keyOf(key)}${mark}: ${this.text(value, inner)};`,
      ];
    });
    return `{\n${rows.join("\n")}\n${indent}}`;
  }
}
