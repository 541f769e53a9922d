/**
 * What the OpenAPI 3.1.0 and AsyncAPI 3.0.0 specifications require of a document, as far as ours
 * use them: required fields, allowed fields, unique names, and references that lead somewhere.
 */
type Node = Record<string, unknown>;

const isObject = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && !Array.isArray(value);

class Findings {
  readonly problems: string[] = [];
  readonly document: Node;

  constructor(document: Node) {
    this.document = document;
  }

  add(at: string, problem: string): void {
    this.problems.push(`${at}: ${problem}`);
  }

  /** An object with these fields; "!" after a name: required. Extensions (`x-`) are allowed. */
  fields(at: string, value: unknown, names: string): Node {
    if (!isObject(value)) {
      this.add(at, "is not an object");
      return {};
    }
    const words = names.split(" ");
    const allowed = words.map((word) => word.replace("!", ""));
    for (const word of words) {
      if (word.endsWith("!") && !(word.slice(0, -1) in value)) this.add(at, `lacks ${word}`);
    }
    for (const key of Object.keys(value)) {
      if (!allowed.includes(key) && !key.startsWith("x-")) this.add(at, `has unknown ${key}`);
    }
    return value;
  }

  entries(at: string, value: unknown): [string, unknown][] {
    if (value === undefined) return [];
    if (isObject(value)) return Object.entries(value);
    this.add(at, "is not a map");
    return [];
  }

  text(at: string, value: unknown): void {
    if (value !== undefined && (typeof value !== "string" || value === "")) {
      this.add(at, "is not a text");
    }
  }

  /** Every `$ref` of the document leads to something in it. */
  references(value: unknown = this.document, at = "#"): void {
    if (Array.isArray(value)) {
      for (const [i, one] of value.entries()) this.references(one, `${at}/${i}`);
    }
    if (!isObject(value)) return;
    const { $ref } = value;
    if (typeof $ref === "string" && this.resolve($ref) === undefined) {
      this.add(at, `refers to ${$ref}, which is not there`);
    }
    for (const [key, inner] of Object.entries(value)) this.references(inner, `${at}/${key}`);
  }

  resolve(ref: string): unknown {
    if (!ref.startsWith("#/")) return undefined;
    return ref
      .slice(2)
      .split("/")
      .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
      .reduce<unknown>((node, part) => (isObject(node) ? node[part] : undefined), this.document);
  }

  /** JSON Schema: known keywords of known kinds, and required names that are properties. */
  schema(at: string, value: unknown): void {
    if (value === true || value === false) return;
    if (!isObject(value)) {
      this.add(at, "is not a schema");
      return;
    }
    const keywords =
      "$ref type enum const format pattern description examples minimum maximum minLength maxLength minItems maxItems items properties required additionalProperties anyOf oneOf";
    this.fields(at, value, keywords);
    const types = ["string", "integer", "number", "boolean", "object", "array", "null"];
    if (value["type"] !== undefined && !types.includes(value["type"] as string)) {
      this.add(at, `has type ${String(value["type"])}`);
    }
    if (value["pattern"] !== undefined) new RegExp(value["pattern"] as string, "u");
    if (value["items"] !== undefined) this.schema(`${at}/items`, value["items"]);
    if (value["additionalProperties"] !== undefined) {
      this.schema(`${at}/additionalProperties`, value["additionalProperties"]);
    }
    for (const word of ["anyOf", "oneOf"]) {
      const list = value[word];
      if (list === undefined) continue;
      if (!Array.isArray(list) || list.length === 0) this.add(`${at}/${word}`, "is no list");
      else for (const [i, one] of list.entries()) this.schema(`${at}/${word}/${i}`, one);
    }
    const properties = this.entries(`${at}/properties`, value["properties"]);
    for (const [name, one] of properties) this.schema(`${at}/properties/${name}`, one);
    for (const name of (value["required"] as string[] | undefined) ?? []) {
      if (!properties.some(([known]) => known === name)) this.add(at, `requires unknown ${name}`);
    }
  }

  componentNames(components: Node): void {
    for (const [kind, map] of Object.entries(components)) {
      for (const name of Object.keys(map as Node)) {
        if (!/^[\w.-]+$/.test(name)) this.add(`#/components/${kind}`, `has a bad name: ${name}`);
      }
    }
  }
}

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

export function problemsOfOpenApi(document: Node): string[] {
  const find = new Findings(document);
  find.fields(
    "#",
    document,
    "openapi! info! jsonSchemaDialect servers paths webhooks components tags",
  );
  if (!/^3\.1\.\d+$/.test(String(document["openapi"]))) find.add("#/openapi", "is not 3.1");
  const info = "title! version! summary description license contact termsOfService";
  find.fields("#/info", document["info"], info);
  const tags = (document["tags"] as Node[]).map(
    (tag, i) => find.fields(`#/tags/${i}`, tag, "name! description")["name"],
  );
  if (new Set(tags).size !== tags.length) find.add("#/tags", "are not unique");
  const components = find.fields(
    "#/components",
    document["components"],
    "schemas responses parameters examples requestBodies headers securitySchemes",
  );
  find.componentNames(components);
  for (const [name, schema] of find.entries("#/components/schemas", components["schemas"])) {
    find.schema(`#/components/schemas/${name}`, schema);
  }
  const operationIds = new Set<unknown>();
  for (const [path, item] of find.entries("#/paths", document["paths"])) {
    if (!path.startsWith("/")) find.add(`#/paths/${path}`, "does not begin with /");
    for (const [method, operation] of find.entries(path, item)) {
      const at = `${method} ${path}`;
      if (!METHODS.includes(method)) find.add(at, "is no method");
      openApiOperation(find, at, path, operation, tags, operationIds);
    }
  }
  for (const [name, item] of find.entries("#/webhooks", document["webhooks"])) {
    for (const [method, operation] of find.entries(name, item)) {
      if (!METHODS.includes(method)) find.add(`webhook ${name}`, `${method} is no method`);
      openApiWebhook(find, `webhook ${name}`, operation);
    }
  }
  find.references();
  return find.problems;
}

/** A request that the server makes: its body, and the answers that it understands. */
function openApiWebhook(find: Findings, at: string, value: unknown): void {
  const operation = find.fields(at, value, "requestBody! responses! summary description");
  const body = find.fields(at, operation["requestBody"], "content! description required");
  openApiContent(find, `${at} body`, body["content"]);
  const responses = find.entries(at, operation["responses"]);
  if (responses.length === 0) find.add(at, "has no response");
  for (const [status, one] of responses) {
    if (!/^[1-5](?:\d\d|XX)$/.test(status)) find.add(at, `${status} is no status`);
    const response = find.fields(`${at} ${status}`, one, "description! content");
    openApiContent(find, `${at} ${status}`, response["content"]);
  }
}

function openApiOperation(
  find: Findings,
  at: string,
  path: string,
  value: unknown,
  tags: unknown[],
  operationIds: Set<unknown>,
): void {
  const operation = find.fields(
    at,
    value,
    "operationId! responses! tags summary description parameters requestBody security deprecated",
  );
  if (operationIds.has(operation["operationId"])) find.add(at, "has a taken operationId");
  operationIds.add(operation["operationId"]);
  for (const tag of operation["tags"] as unknown[]) {
    if (!tags.includes(tag)) find.add(at, `has unknown tag ${String(tag)}`);
  }
  const inPath = new Set<unknown>();
  for (const [i, one] of ((operation["parameters"] as unknown[]) ?? []).entries()) {
    const where = `${at} parameter ${i}`;
    const parameter = find.fields(
      where,
      one,
      "name! in! schema! description required style explode example examples",
    );
    find.schema(where, parameter["schema"]);
    if (parameter["in"] !== "path") continue;
    inPath.add(parameter["name"]);
    if (parameter["required"] !== true) find.add(where, "is in the path and not required");
  }
  for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
    if (!inPath.delete(name)) find.add(at, `does not say what {${name}} is`);
  }
  if (inPath.size > 0) find.add(at, "has parameters that are not in its path");
  if (operation["requestBody"] !== undefined) {
    const body = find.fields(at, operation["requestBody"], "content! description required");
    openApiContent(find, `${at} body`, body["content"]);
  }
  const responses = find.entries(at, operation["responses"]);
  if (responses.length === 0) find.add(at, "has no response");
  for (const [status, one] of responses) {
    const where = `${at} ${status}`;
    if (!/^[1-5]\d\d$/.test(status)) find.add(where, "is no status");
    const response = find.fields(where, one, "description! headers content links");
    find.text(where, response["description"]);
    openApiContent(find, where, response["content"]);
  }
  for (const requirement of operation["security"] as Node[]) {
    for (const name of Object.keys(requirement)) {
      if (find.resolve(`#/components/securitySchemes/${name}`) === undefined) {
        find.add(at, `wants unknown security ${name}`);
      }
    }
  }
}

function openApiContent(find: Findings, at: string, content: unknown): void {
  for (const [type, one] of find.entries(at, content)) {
    const media = find.fields(`${at} ${type}`, one, "schema example examples encoding");
    if ("example" in media && "examples" in media) find.add(at, "has example and examples");
    find.schema(`${at} ${type}`, media["schema"]);
  }
}

export function problemsOfAsyncApi(document: Node): string[] {
  const find = new Findings(document);
  find.fields(
    "#",
    document,
    "asyncapi! info! id servers defaultContentType channels operations components",
  );
  if (document["asyncapi"] !== "3.0.0") find.add("#/asyncapi", "is not 3.0.0");
  find.fields("#/info", document["info"], "title! version! description license contact tags");
  const components = find.fields(
    "#/components",
    document["components"],
    "schemas messages securitySchemes",
  );
  find.componentNames(components);
  for (const [name, schema] of find.entries("#/components/schemas", components["schemas"])) {
    find.schema(`#/components/schemas/${name}`, schema);
  }
  for (const [name, one] of find.entries("#/components/messages", components["messages"])) {
    const at = `message ${name}`;
    const message = find.fields(
      at,
      one,
      "payload! name title summary description contentType examples",
    );
    find.schema(at, message["payload"]);
    for (const example of (message["examples"] as unknown[]) ?? []) {
      find.fields(`${at} example`, example, "payload! name summary headers");
    }
  }
  for (const [name, one] of find.entries("#/servers", document["servers"])) {
    const server = find.fields(
      `server ${name}`,
      one,
      "host! protocol! protocolVersion pathname description variables security bindings",
    );
    const wanted = [...String(server["host"]).matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    const given = Object.keys((server["variables"] as Node | undefined) ?? {});
    if (wanted.join() !== given.join()) find.add(`server ${name}`, "has other variables");
  }
  for (const [name, one] of find.entries("#/channels", document["channels"])) {
    const names = "address! messages! title summary description servers parameters bindings";
    find.fields(`channel ${name}`, one, names);
  }
  for (const [name, one] of find.entries("#/operations", document["operations"])) {
    asyncApiOperation(find, `operation ${name}`, one);
  }
  find.references();
  return find.problems;
}

function asyncApiOperation(find: Findings, at: string, value: unknown): void {
  const operation = find.fields(at, value, "action! channel! messages title summary reply");
  if (!["send", "receive"].includes(String(operation["action"]))) find.add(at, "has a bad action");
  asyncApiMessages(find, at, operation);
  if (operation["reply"] === undefined) return;
  const reply = find.fields(`${at} reply`, operation["reply"], "address channel messages");
  asyncApiMessages(find, `${at} reply`, reply);
}

/** Messages of an operation must be messages of its channel, not of the components. */
function asyncApiMessages(find: Findings, at: string, node: Node): void {
  const { $ref } = find.fields(`${at} channel`, node["channel"], "$ref!");
  const messages = (node["messages"] as unknown[] | undefined) ?? [];
  if (messages.length === 0) find.add(at, "has no message");
  for (const one of messages) {
    const ref = String(find.fields(`${at} message`, one, "$ref!")["$ref"]);
    if (!ref.startsWith(`${String($ref)}/messages/`)) find.add(at, `${ref} is of another channel`);
  }
}
