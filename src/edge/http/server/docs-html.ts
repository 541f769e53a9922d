/** Pieces of HTML for the reference page: escaping, anchors, and schemas as tables. */
import type { TSchema } from "typebox";
import type { Json } from "../../../protocol/published.ts";
import { nameOf, partsOf } from "../../../protocol/published.ts";

export function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** Our sentences: what stands between back-ticks is code. */
export function prose(text: string): string {
  return escaped(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}

/**
 * The parts of an example that are coloured, in JSON, JavaScript and calls of curl. Addresses come
 * first and stay whole, because the server puts its own in their place.
 */
const PARTS =
  /(?<address>https?:\/\/[^\s"']+)|(?<attr>"(?:\\.|[^"\\\n])*"(?=\s*:))|(?<string>"(?:\\.|[^"\\\n])*"|'[^'\n]*')|(?<literal>\b(?:true|false|null)\b)|(?<number>-?\b\d+(?:\.\d+)?\b)|(?<keyword>\b(?:async|await|const|from|if|import)\b)/g;

/** The reference's code as HTML, in the classes of the guides' code (src/web/docs/coloured.mjs). */
export function colouredExample(code: string): string {
  let html = "";
  let done = 0;
  for (const match of code.matchAll(PARTS)) {
    const kind = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined)?.[0];
    const text = escaped(match[0]);
    html += escaped(code.slice(done, match.index));
    html += kind === "address" ? text : `<span class="code-${kind}">${text}</span>`;
    done = match.index + match[0].length;
  }
  return html + escaped(code.slice(done));
}

export function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

export const objectAnchor = (name: string) => `object-${slug(name)}`;
export const errorAnchor = (code: string) => `error-${slug(code)}`;

export function table(heads: readonly string[], rows: readonly string[][]): string {
  const head = heads.map((text) => `<th>${escaped(text)}</th>`).join("");
  const body = rows
    .map((cells) => {
      const line = cells.map((cell, i) => `<td${i === 1 ? ' class="type"' : ""}>${cell}</td>`);
      return `<tr>${line.join("")}</tr>`;
    })
    .join("\n");
  return `<div class="table"><table><tr>${head}</tr>\n${body}</table></div>`;
}

export function example(value: Json, label = "Example"): string {
  const code = colouredExample(JSON.stringify(value, null, 2));
  return `<details class="example"><summary>${escaped(label)}</summary><pre tabindex="0">${code}</pre></details>`;
}

/**
 * A schema for a reader: a link where it is an object with a name, else its properties as rows;
 * objects without a name inside it are rows with dotted names.
 */
export function shapeOf(schema: TSchema): string {
  if (nameOf(schema) !== undefined) return `<p>${typeOf(schema)}</p>`;
  const rows = rowsOf(schema, "");
  return rows.length === 0 ? '<p class="quiet">Nothing.</p>' : fieldTable(rows);
}

export function fieldTable(rows: readonly string[][]): string {
  return table(["name", "type", "meaning"], rows);
}

/** Rows of an object's own properties, whether it has a name or not. */
export function rowsOf(schema: TSchema, prefix: string): string[][] {
  const { properties = {}, required = [] } = partsOf(schema);
  return Object.entries(properties).flatMap(([name, property]) => {
    const field = `${prefix}${name}`;
    const row = fieldRow(field, property, required.includes(name));
    const inner = innerOf(property);
    return inner === null ? [row] : [row, ...rowsOf(inner.schema, `${field}${inner.suffix}.`)];
  });
}

export function fieldRow(name: string, schema: TSchema, isRequired: boolean): string[] {
  const optional = isRequired ? "" : ' <span class="optional">optional</span>';
  return [`<code>${escaped(name)}</code>${optional}`, typeOf(schema), noteOf(schema)];
}

/** The object without a name that a property is, or is a list of. */
function innerOf(schema: TSchema): { schema: TSchema; suffix: string } | null {
  const { type, items, properties } = partsOf(schema);
  if (nameOf(schema) !== undefined) return null;
  if (type === "array" && items !== undefined) {
    const inner = innerOf(items);
    return inner === null ? null : { schema: inner.schema, suffix: `[]${inner.suffix}` };
  }
  return properties === undefined ? null : { schema, suffix: "" };
}

/** Our formats in a reader's words. */
const FORMAT_NAMES: Readonly<Record<string, string>> = {
  id: "id",
  time: "time",
  body: "string",
  title: "string",
  notice: "string",
};

function typeOf(schema: TSchema): string {
  const name = nameOf(schema);
  if (name !== undefined) return `<a href="#${objectAnchor(name)}">${escaped(name)}</a>`;
  const parts = partsOf(schema);
  if (parts.const !== undefined) return `<code>${escaped(JSON.stringify(parts.const))}</code>`;
  if (parts.anyOf !== undefined) return parts.anyOf.map(typeOf).join(" or ");
  if (parts.type === "array" && parts.items !== undefined) return `list of ${typeOf(parts.items)}`;
  if (parts.format !== undefined) return FORMAT_NAMES[parts.format] ?? parts.format;
  return parts.type ?? "any JSON";
}

/** The descriptions of the value and of the items of a list, and the limits of its size. */
function noteOf(schema: TSchema): string {
  const parts = partsOf(schema);
  const ofItems = parts.items === undefined ? undefined : partsOf(parts.items).description;
  const inner = parts.anyOf?.map((one) => partsOf(one).description).find((note) => note);
  const notes = [parts.description ?? inner ?? ofItems, sizeOf(schema)];
  return notes
    .filter((note): note is string => note !== undefined && note !== "")
    .map(prose)
    .join(" ");
}

function sizeOf(schema: TSchema): string {
  const { minItems, maxItems, minimum, maximum, description, maxLength } = partsOf(schema);
  if (maxItems !== undefined) return `${minItems ?? 0}–${maxItems} of them.`;
  if (description !== undefined) return "";
  if (maxLength !== undefined) return `At most ${maxLength} characters.`;
  if (minimum === undefined) return "";
  const most = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? "" : ` to ${maximum}`;
  return most === "" ? `From ${minimum}.` : `${minimum}${most}.`;
}
