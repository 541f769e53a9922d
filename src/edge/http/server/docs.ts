/**
 * The API reference at /docs/api, made once from the routes table and the event schemas, so that
 * it cannot say anything else than what is checked. No outside request, and nothing that is read
 * needs a script.
 */
import type { TSchema } from "typebox";
import { ERROR_STATUS, type ErrorCode } from "../../../protocol/errors.ts";
import {
  CLIENT_EVENT_SUMMARIES,
  ERROR_MEANINGS,
  SERVER_EVENT_SUMMARIES,
} from "../../../protocol/event-summaries.ts";
import {
  CLIENT_EVENTS,
  type ClientEventName,
  SERVER_EVENTS,
  type ServerEventName,
} from "../../../protocol/events.ts";
import { errorExample, exampleOf } from "../../../protocol/examples.ts";
import { type JsonObject, NAMED_SCHEMAS, partsOf } from "../../../protocol/published.ts";
import { type RouteGroup, type RouteSpec, refusalsOf } from "../../../protocol/route-spec.ts";
import { ROUTES } from "../../../protocol/routes.ts";
import { API_REFERENCE, framed } from "./docs-frame.ts";
import {
  colouredExample,
  errorAnchor,
  escaped,
  example,
  fieldRow,
  fieldTable,
  objectAnchor,
  prose,
  rowsOf,
  shapeOf,
  slug,
  table,
} from "./docs-html.ts";
import { INTRODUCTION, LIMITS } from "./docs-text.ts";

interface Group {
  name: string;
  entries: { badge: string; label: string; anchor: string; html: string }[];
}

export function docsPage(): string {
  const groups = [...routeGroups(), clientEvents(), serverEvents(), objects()];
  const sections = groups.map(
    ({ name, entries }) =>
      `<h2 id="${slug(name)}">${escaped(name)}</h2>\n${entries.map(({ html }) => html).join("\n")}`,
  );
  const inside = `${groups.map(contents).join("\n")}
<ul><li><a href="#errors">Errors</a></li><li><a href="#limits">Limits</a></li></ul>`;
  return framed(
    API_REFERENCE,
    inside,
    `${INTRODUCTION}
${sections.join("\n")}
<h2 id="errors">Errors</h2>
${errors()}
<h2 id="limits">Limits</h2>
${table(
  ["what", "limit", "note"],
  LIMITS.map((row) => row.map(prose)),
)}`,
  );
}

function contents({ name, entries }: Group): string {
  const items = entries.map(
    ({ badge, label, anchor }) =>
      `<li><a href="#${anchor}">${badgeOf(badge)}<span class="path">${escaped(label)}</span></a></li>`,
  );
  return `<details open><summary>${escaped(name)}</summary><ul>${items.join("\n")}</ul></details>`;
}

function badgeOf(word: string): string {
  return word === "" ? "" : `<span class="badge ${word}">${word}</span>`;
}

function entry(badge: string, label: string, anchor: string, body: string): string {
  return `<section class="entry" id="${anchor}">
<h3>${badgeOf(badge)}<a class="self" href="#${anchor}"><code>${escaped(label)}</code></a></h3>
${body}
</section>`;
}

function routeGroups(): Group[] {
  const groups = new Map<RouteGroup, Group>();
  for (const spec of Object.values<RouteSpec>(ROUTES)) {
    const anchor = slug(`${spec.method} ${spec.path}`);
    const html = entry(spec.method, spec.path, anchor, routeBody(spec));
    const made = { badge: spec.method, label: spec.path, anchor, html };
    const group = groups.get(spec.group);
    if (group === undefined) groups.set(spec.group, { name: spec.group, entries: [made] });
    else group.entries.push(made);
  }
  return [...groups.values()];
}

function routeBody(spec: RouteSpec): string {
  const parts = [`<p>${prose(spec.summary)}</p>`, `<p class="quiet">${admission(spec)}</p>`];
  for (const [label, schema] of [
    ["Path", spec.params],
    ["Query", spec.query],
    ["Body", spec.body],
  ] as const) {
    if (schema === undefined) continue;
    const required = partsOf(schema).required ?? [];
    const rows =
      label === "Body"
        ? rowsOf(schema, "")
        : Object.entries<TSchema>(schema.properties).map(([name, property]) =>
            fieldRow(name, property, required.includes(name)),
          );
    parts.push(`<h4>${label}</h4>`, fieldTable(rows));
  }
  if (spec.body !== undefined) parts.push(example(exampleOf(spec.body, true), "Example body"));
  for (const [status, answer] of Object.entries(spec.answers)) {
    parts.push(`<h4>Answer <span class="code">${status}</span></h4>`);
    if (answer === null) parts.push('<p class="quiet">No body.</p>');
    else if (typeof answer === "string") parts.push(`<p>${escaped(answer)}</p>`);
    else parts.push(shapeOf(answer), example(exampleOf(answer, false)));
  }
  const codes = refusalsOf(spec);
  if (codes.length > 0) parts.push("<h4>Refuses</h4>", chips(codes));
  return parts.join("\n");
}

function admission({ token, scope, alsoScope }: RouteSpec): string {
  if (!token) return "No token.";
  const scopes = [scope ?? alsoScope ?? []].flat().map((one) => `<code>${one}</code>`);
  const service = `a service token whose scope contains ${scopes.join(" or ")}`;
  if (scope !== undefined) return `Wants ${service}.`;
  return scopes.length === 0 ? "Wants an access token." : `Wants an access token, or ${service}.`;
}

function chips(codes: readonly ErrorCode[]): string {
  const items = codes.map(
    (code) => `<li><a href="#${errorAnchor(code)}">${code} · ${ERROR_STATUS[code]}</a></li>`,
  );
  return `<ul class="chips">${items.join("")}</ul>`;
}

function clientEvents(): Group {
  const names = Object.keys(CLIENT_EVENTS) as ClientEventName[];
  return {
    name: "Events from the client",
    entries: names.map((name) => {
      const { payload, ack } = CLIENT_EVENTS[name];
      const anchor = slug(`emit ${name}`);
      const answer = { ok: true, ...(exampleOf(ack, false) as JsonObject) };
      const html = entry(
        "client",
        name,
        anchor,
        `<p>${prose(CLIENT_EVENT_SUMMARIES[name])}</p>
<h4>Payload</h4>
${shapeOf(payload)}
${example(exampleOf(payload, true), "Example payload")}
<h4>Acknowledgement adds to <span class="code">{ ok: true }</span></h4>
${shapeOf(ack)}
${example(answer, "Example acknowledgement")}`,
      );
      return { badge: "client", label: name, anchor, html };
    }),
  };
}

function serverEvents(): Group {
  const names = Object.keys(SERVER_EVENTS) as ServerEventName[];
  return {
    name: "Events from the server",
    entries: names.map((name) => {
      const payload = SERVER_EVENTS[name];
      const anchor = slug(`on ${name}`);
      const html = entry(
        "server",
        name,
        anchor,
        `<p>${prose(SERVER_EVENT_SUMMARIES[name])}</p>
<h4>Payload</h4>
${shapeOf(payload)}
${example(exampleOf(payload, false))}`,
      );
      return { badge: "server", label: name, anchor, html };
    }),
  };
}

function objects(): Group {
  const entries = Object.entries(NAMED_SCHEMAS).map(([name, schema]) => {
    const anchor = objectAnchor(name);
    const value = name === "Error" ? errorExample("rate_limited") : exampleOf(schema, true);
    const body = `${fieldTable(rowsOf(schema, ""))}\n${example(value)}`;
    return { badge: "", label: name, anchor, html: entry("", name, anchor, body) };
  });
  return { name: "Objects", entries };
}

function errors(): string {
  const rows = (Object.keys(ERROR_STATUS) as ErrorCode[]).map((code) => [
    `<code id="${errorAnchor(code)}">${code}</code>`,
    String(ERROR_STATUS[code]),
    prose(ERROR_MEANINGS[code]),
  ]);
  return `<p>HTTP answers with the status and the error; an acknowledgement is
<code>{ "ok": false, "error": … }</code>, a refused handshake <code>connect_error</code> with the
error as <code>err.data</code>.</p>
<pre tabindex="0">${colouredExample(JSON.stringify({ error: errorExample("rate_limited") }, null, 2))}</pre>
${table(["code", "status", "meaning"], rows)}`;
}
