/** The published contract: whole, well formed, and true to the tables it is made from. */

import { Compile } from "typebox/compile";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ERROR_STATUS, type ErrorCode } from "../../src/protocol/errors.ts";
import { CLIENT_EVENTS, SERVER_EVENTS } from "../../src/protocol/events.ts";
import { errorExample, exampleOf } from "../../src/protocol/examples.ts";
import { TUS_PATH } from "../../src/protocol/openapi-tus.ts";
import { ACT_OF_ROUTE, rulesOf } from "../../src/protocol/policy.ts";
import { NAMED_SCHEMAS } from "../../src/protocol/published.ts";
import { type RouteSpec, refusalsOf } from "../../src/protocol/route-spec.ts";
import { ROUTES, type RouteName } from "../../src/protocol/routes.ts";
import { type Answer, type HttpApi, startHttpApi } from "../support/http-api.ts";
import { problemsOfAsyncApi, problemsOfOpenApi } from "../support/published-documents.ts";

let http: HttpApi;
let openapi: Answer;
let asyncapi: Answer;
let docs: Answer;
beforeAll(async () => {
  http = await startHttpApi();
  [openapi, asyncapi, docs] = (await Promise.all(
    ["/api/openapi.json", "/api/asyncapi.json", "/docs/api"].map((path) => http.call("GET", path)),
  )) as [Answer, Answer, Answer];
});
afterAll(() => http.stop());

const routes = Object.entries(ROUTES) as [RouteName, RouteSpec][];
const templateOf = (path: string) => path.replace(/:(\w+)/g, "{$1}");

describe("serving", () => {
  test("[DOC1] both documents need no token, may be read by any page, and are kept by ETag", async () => {
    for (const path of ["/api/openapi.json", "/api/asyncapi.json"]) {
      const answer = await http.call("GET", path, { headers: { origin: "https://app.example" } });
      expect([answer.status, answer.headers.get("content-type")]).toEqual([
        200,
        "application/json; charset=utf-8",
      ]);
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
      const etag = answer.headers.get("etag") ?? "";
      expect(etag).toMatch(/^"[\w-]+"$/);
      const again = await http.call("GET", path, { headers: { "if-none-match": etag } });
      expect([again.status, again.text]).toEqual([304, ""]);
    }
    const wrong = await http.call("POST", "/api/openapi.json");
    expect([wrong.status, wrong.body.error.code]).toEqual([405, "method_not_allowed"]);
  });
});

describe("OpenAPI", () => {
  test("[DOC2] is a valid 3.1 document: required fields, references, parameters", () => {
    expect(problemsOfOpenApi(openapi.body)).toEqual([]);
  });

  test("[DOC3] has every route with its parameters, bodies and every status, and no other", () => {
    const operations = Object.entries<Record<string, { operationId: string }>>(openapi.body.paths)
      .filter(([path]) => !path.startsWith(TUS_PATH))
      .flatMap(([path, item]) => Object.keys(item).map((method) => `${method} ${path}`));
    expect(operations.sort()).toEqual(
      routes.map(([, { method, path }]) => `${method.toLowerCase()} ${templateOf(path)}`).sort(),
    );
    for (const [name, spec] of routes) {
      const operation = openapi.body.paths[templateOf(spec.path)][spec.method.toLowerCase()];
      expect(operation.operationId).toBe(name);
      const parameters = (operation.parameters ?? []).map((one: { name: string }) => one.name);
      expect(parameters, name).toEqual([
        ...Object.keys(spec.params?.properties ?? {}),
        ...Object.keys(spec.query?.properties ?? {}),
        ...(rulesOf(ACT_OF_ROUTE[name]).includes("user") ? ["Troupe-Act-As"] : []),
      ]);
      expect("requestBody" in operation, name).toBe(
        spec.body !== undefined || spec.isBytes === true,
      );
      const scopes = [spec.scope ?? []].flat().length;
      const also = spec.alsoScope === undefined ? 0 : 1;
      expect(operation.security.length, name).toBe(spec.token ? Math.max(1, scopes) + also : 0);
      const statuses = new Set([
        ...Object.keys(spec.answers),
        ...refusalsOf(spec).map((code) => String(ERROR_STATUS[code])),
      ]);
      expect(Object.keys(operation.responses).sort(), name).toEqual([...statuses].sort());
    }
  });

  test("[DOC15] has the operations of tus, which are no routes of the table", async () => {
    const found = Object.entries<Record<string, unknown>>(openapi.body.paths)
      .filter(([path]) => path.startsWith(TUS_PATH))
      .flatMap(([path, item]) => Object.keys(item).map((method) => `${method} ${path}`));
    expect(found).toEqual([
      `post ${TUS_PATH}`,
      ...["head", "patch", "delete"].map((method) => `${method} ${TUS_PATH}/{id}`),
    ]);
    for (const one of found) {
      const [method = "", path = ""] = one.split(" ");
      // Without a token: the server has the operation, and refuses as the document says.
      const address = `${http.url}${path.replace("{id}", "42")}`;
      const answer = await fetch(address, { method: method.toUpperCase() });
      await answer.arrayBuffer();
      expect([one, answer.status]).toEqual([one, 401]);
      expect(Object.keys(openapi.body.paths[path][method].responses)).toContain("401");
    }
  });

  test("[DOC4] names the objects of the contract and refers to them", () => {
    const { schemas } = openapi.body.components;
    for (const name of Object.keys(NAMED_SCHEMAS)) {
      expect(schemas[name], name).toMatchObject({ type: "object" });
    }
    const { content } = openapi.body.paths["/api/posts/{id}"].get.responses["200"];
    expect(content["application/json"].schema).toEqual({ $ref: "#/components/schemas/Post" });
    expect(schemas.Error.properties.code.enum).toEqual(Object.keys(ERROR_STATUS));
    expect(schemas.ConversationSummary.properties.last_message.anyOf).toEqual([
      { $ref: "#/components/schemas/Message" },
      { type: "null" },
    ]);
  });

  test("[DOC5] says our formats in words that every validator knows", () => {
    const unknown = [...`${openapi.text}${asyncapi.text}`.matchAll(/"format":"([^"]+)"/g)]
      .map((match) => match[1])
      .filter((format) => format !== "date-time" && format !== "uri");
    expect(unknown).toEqual([]);
    expect(openapi.body.components.schemas.Post.properties.id.pattern).toBe("^[1-9][0-9]{0,18}$");
  });
});

describe("AsyncAPI", () => {
  test("[DOC6] is a valid 3.0 document: required fields, references, replies", () => {
    expect(problemsOfAsyncApi(asyncapi.body)).toEqual([]);
  });

  test("[DOC7] has every event of both directions, and no other", () => {
    const { operations, channels, components } = asyncapi.body;
    expect(Object.keys(operations).sort()).toEqual(
      [
        ...Object.keys(CLIENT_EVENTS).map((name) => `receive_${name}`),
        ...Object.keys(SERVER_EVENTS).map((name) => `send_${name}`),
      ].sort(),
    );
    const messageOf = (ref: string) =>
      components.messages[channels.session.messages[ref.split("/").at(-1)!].$ref.split("/").at(-1)];
    for (const name of Object.keys(CLIENT_EVENTS)) {
      const operation = operations[`receive_${name}`];
      expect(messageOf(operation.messages[0].$ref).name).toBe(name);
      expect(messageOf(operation.reply.messages[0].$ref).name).toBe(`${name}.ack`);
    }
    for (const name of Object.keys(SERVER_EVENTS)) {
      expect(messageOf(operations[`send_${name}`].messages[0].$ref).name).toBe(name);
    }
  });

  test("[DOC8] an acknowledgement is either ok with what it adds or the error object", () => {
    const { payload } = asyncapi.body.components.messages["send_message.ack"];
    expect(payload.oneOf[0]).toEqual({
      type: "object",
      required: ["ok", "message"],
      properties: {
        ok: { type: "boolean", const: true },
        message: { $ref: "#/components/schemas/Message" },
        duplicate: { type: "boolean", const: true },
      },
    });
    expect(payload.oneOf[1].properties.error).toEqual({ $ref: "#/components/schemas/Error" });
  });
});

test("[DOC9] every example is what its schema allows", () => {
  const wrong: string[] = [];
  const check = (what: string, schema: Parameters<typeof exampleOf>[0], isWhole: boolean) => {
    const example = exampleOf(schema, isWhole);
    if (!Compile(schema).Check(example)) wrong.push(`${what}: ${JSON.stringify(example)}`);
  };
  for (const [name, schema] of Object.entries(NAMED_SCHEMAS)) check(name, schema, true);
  for (const [name, spec] of routes) {
    for (const part of [spec.params, spec.query, spec.body]) {
      if (part !== undefined) check(`${name} asked`, part, true);
    }
    for (const [status, answer] of Object.entries(spec.answers)) {
      if (typeof answer === "object" && answer !== null) check(`${name} ${status}`, answer, false);
    }
  }
  for (const [name, { payload, ack }] of Object.entries(CLIENT_EVENTS)) {
    check(name, payload, true);
    check(`${name}.ack`, ack, false);
  }
  for (const [name, payload] of Object.entries(SERVER_EVENTS)) check(name, payload, false);
  expect(wrong).toEqual([]);
  for (const code of Object.keys(ERROR_STATUS) as ErrorCode[]) {
    expect(errorExample(code)).toMatchObject({ code, message: expect.stringMatching(/\S/) });
  }
});

describe("the reference page", () => {
  test("[DOC10] has every route, event, object and error, and every link inside it leads somewhere", () => {
    const anchors = new Set([...docs.text.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]));
    const links = [...docs.text.matchAll(/href="#([^"]+)"/g)].map((match) => match[1]);
    expect(links.filter((link) => !anchors.has(link))).toEqual([]);
    expect(anchors.size).toBe([...docs.text.matchAll(/ id="/g)].length);
    for (const [, { method, path }] of routes) {
      const anchor = `${method} ${path}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
      expect(links, `${method} ${path}`).toContain(anchor);
    }
    for (const [names, prefix] of [
      [Object.keys(CLIENT_EVENTS), "emit-"],
      [Object.keys(SERVER_EVENTS), "on-"],
      [Object.keys(ERROR_STATUS), "error-"],
      [Object.keys(NAMED_SCHEMAS).map((name) => name.toLowerCase()), "object-"],
    ] as const) {
      for (const name of names) expect(anchors).toContain(prefix + name.replaceAll("_", "-"));
    }
  });

  test("[DOC11] runs nothing but the script of the docs, fetches nothing from elsewhere, and follows the reader's light or dark", async () => {
    expect(docs.text).not.toMatch(
      /<script(?! type="module" src="\/docs\/docs\.js"><\/script>)|<style|style=|\son\w+="|(src|href)="(https?:)?\/\//i,
    );
    const policy = docs.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toContain("unsafe");
    const style = await http.call("GET", "/docs.css");
    expect(style.text).toContain("prefers-color-scheme: dark");
    expect(style.text).not.toMatch(/url\(|@import/);
  });
});
