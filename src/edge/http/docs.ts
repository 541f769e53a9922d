/**
 * The API reference at /docs, made once from the routes table and the event schemas, so that
 * it cannot say anything else than what is checked. No script, no outside request.
 */
import type { TSchema } from "typebox";
import { ERROR_STATUS } from "../../protocol/errors.ts";
import { CLIENT_EVENTS, SERVER_EVENTS } from "../../protocol/events.ts";
import type { RouteGroup, RouteSpec } from "../../protocol/route-spec.ts";
import { ROUTES } from "../../protocol/routes.ts";

export const DOCS_STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
h3 { margin: 1.75rem 0 0.25rem; font-size: 1rem; }
h3 code { font-weight: 600; }
p { margin: 0.25rem 0; }
pre { margin: 0.25rem 0; padding: 0.5rem 0.75rem; overflow-x: auto; white-space: pre-wrap;
  background: color-mix(in srgb, currentColor 8%, transparent); border-radius: 4px; }
table { border-collapse: collapse; }
td, th { padding: 0.15rem 1rem 0.15rem 0; text-align: left; }
.label { opacity: 0.7; font-size: 0.875rem; }
`;

export function docsPage(): string {
  const parts: string[] = [];
  for (const group of groupsOf(Object.values(ROUTES))) {
    parts.push(`<h2 id="${slug(group.name)}">${escaped(group.name)}</h2>`);
    for (const route of group.routes) parts.push(routeSection(route));
  }
  parts.push('<h2 id="client-events">Events from the client</h2>');
  for (const [name, { payload, ack }] of Object.entries(CLIENT_EVENTS)) {
    parts.push(heading(name), labelled("payload", payload), labelled("acknowledgement adds", ack));
  }
  parts.push('<h2 id="server-events">Events from the server</h2>');
  for (const [name, payload] of Object.entries(SERVER_EVENTS)) {
    parts.push(heading(name), labelled("payload", payload));
  }
  parts.push('<h2 id="errors">Errors</h2>', errorsTable());
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Troupe API reference</title>
<link rel="stylesheet" href="/docs.css">
</head>
<body>
<h1>Troupe API reference</h1>
<p>JSON over HTTP, and Socket.IO at <code>/socket.io</code>. Ids are decimal strings, times ISO
8601 UTC with milliseconds. Routes marked with a token want
<code>Authorization: Bearer &lt;access token&gt;</code>. Unknown keys in a request are refused;
clients must ignore unknown keys in what they receive.</p>
${parts.join("\n")}
</body>
</html>
`;
}

function groupsOf(routes: readonly RouteSpec[]): { name: RouteGroup; routes: RouteSpec[] }[] {
  const groups = new Map<RouteGroup, RouteSpec[]>();
  for (const route of routes) {
    const group = groups.get(route.group);
    if (group === undefined) groups.set(route.group, [route]);
    else group.push(route);
  }
  return [...groups].map(([name, members]) => ({ name, routes: members }));
}

function routeSection(route: RouteSpec): string {
  const lines = [heading(`${route.method} ${route.path}`), `<p>${escaped(route.summary)}</p>`];
  lines.push(`<p class="label">${route.token ? "Wants a token." : "No token."}</p>`);
  if (route.query !== undefined) lines.push(labelled("query", route.query));
  if (route.body !== undefined) lines.push(labelled("body", route.body));
  for (const [status, answer] of Object.entries(route.answers)) {
    if (answer === null) lines.push(`<p class="label">${status}, no body</p>`);
    else if (typeof answer === "string") {
      lines.push(`<p class="label">${status}, ${escaped(answer)}</p>`);
    } else lines.push(labelled(status, answer));
  }
  if (route.refusals.length > 0) {
    lines.push(`<p class="label">Refuses: ${route.refusals.join(", ")}.</p>`);
  }
  return lines.join("\n");
}

function errorsTable(): string {
  const rows = Object.entries(ERROR_STATUS).map(
    ([code, status]) => `<tr><td><code>${code}</code></td><td>${status}</td></tr>`,
  );
  return `<pre>{ "error": { "code", "message", "details"?, "retry_after_ms"? } }</pre>
<table><tr><th>code</th><th>HTTP status</th></tr>${rows.join("")}</table>`;
}

function heading(text: string): string {
  return `<h3 id="${slug(text)}"><code>${escaped(text)}</code></h3>`;
}

function labelled(label: string, schema: TSchema): string {
  return `<p class="label">${escaped(label)}</p><pre>${escaped(shape(schema))}</pre>`;
}

/** The parts of JSON Schema that our schemas use. */
interface Shape {
  type?: string;
  format?: string;
  const?: unknown;
  anyOf?: TSchema[];
  items?: TSchema;
  properties?: Record<string, TSchema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
  maxItems?: number;
}

/** A schema the way a person writes it. */
function shape(schema: TSchema, indent = ""): string {
  const it = schema as Shape;
  if (it.const !== undefined) return JSON.stringify(it.const);
  if (it.anyOf !== undefined) return it.anyOf.map((one) => shape(one, indent)).join(" | ");
  if (it.type === "array" && it.items !== undefined) {
    const most = it.maxItems === undefined ? "" : ` (at most ${it.maxItems})`;
    return `[ ${shape(it.items, indent)} … ]${most}`;
  }
  if (it.type === "object" && it.properties !== undefined) {
    const names = Object.entries(it.properties);
    if (names.length === 0) return "{}";
    const inner = `${indent}  `;
    const lines = names.map(([name, property]) => {
      const optional = it.required?.includes(name) === true ? "" : "?";
      return `${inner}${name}${optional}: ${shape(property, inner)}`;
    });
    return `{\n${lines.join("\n")}\n${indent}}`;
  }
  if (it.format !== undefined) return it.format;
  return it.type ?? "any";
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
