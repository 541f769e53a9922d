/**
 * The schemas as they are published: plain JSON Schema 2020-12 that refers to named objects by their
 * name and expresses our own formats by keywords that every validator knows. Used by openapi.ts,
 * asyncapi.ts and the reference page.
 */
import type { TSchema } from "typebox";
import { ConversationSummary, Totals } from "./conversation-list.ts";
import { ERROR_STATUS } from "./errors.ts";
import { IMPORT_LINES } from "./import-lines.ts";
import {
  Activity,
  Ban,
  Conversation,
  Cursors,
  ErrorBody,
  Invitation,
  Invite,
  MadeInvite,
  Member,
  Message,
  Receipt,
  Status,
  Tokens,
  Unread,
  User,
} from "./schemas.ts";
import {
  Blocked,
  Comment,
  CommentUpdate,
  Following,
  Liked,
  LikeUpdate,
  Notification,
  NotificationsRead,
  Post,
  PostCounts,
  Suspended,
} from "./social.ts";
import { BODY_MAX, LABEL_MAX, NOTE_MAX, NOTICE_MAX, QUESTION_MAX, TITLE_MAX } from "./text.ts";

/** The lines of an import: `ImportUser`, `ImportMessage` … */
function importSchemas(): Readonly<Record<string, TSchema>> {
  return Object.fromEntries(
    Object.entries(IMPORT_LINES).map(([type, schema]) => [
      `Import${type[0]!.toUpperCase()}${type.slice(1)}`,
      schema,
    ]),
  );
}

/** Objects of the contract that have a name. */
export const NAMED_SCHEMAS: Readonly<Record<string, TSchema>> = {
  User,
  Tokens,
  Post,
  Comment,
  Liked,
  Following,
  Blocked,
  Suspended,
  PostCounts,
  LikeUpdate,
  CommentUpdate,
  Conversation,
  ConversationSummary,
  Totals,
  Member,
  Ban,
  Invite,
  MadeInvite,
  Invitation,
  Cursors,
  Message,
  Receipt,
  Unread,
  Activity,
  Notification,
  NotificationsRead,
  Status,
  ...importSchemas(),
  Error: ErrorBody,
};

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** The parts of JSON Schema that our schemas use. */
export interface SchemaParts {
  type?: string;
  format?: string;
  pattern?: string;
  description?: string;
  const?: Json;
  examples?: Json[];
  anyOf?: TSchema[];
  items?: TSchema;
  properties?: Record<string, TSchema>;
  patternProperties?: Record<string, TSchema>;
  required?: string[];
  additionalProperties?: boolean;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
}

export const partsOf = (schema: TSchema): SchemaParts => schema as SchemaParts;

/** Our formats in terms of standard JSON Schema; its lengths are in code points as well. */
const FORMATS: Readonly<Record<string, JsonObject>> = {
  id: { pattern: "^[1-9][0-9]{0,18}$" },
  time: { format: "date-time" },
  body: { minLength: 1, maxLength: BODY_MAX },
  message_body: { maxLength: BODY_MAX },
  title: { minLength: 1, maxLength: TITLE_MAX },
  question: { minLength: 1, maxLength: QUESTION_MAX },
  image_url: { pattern: "^(https:/)?/", maxLength: 2048 },
  note: { minLength: 1, maxLength: NOTE_MAX },
  notice: { minLength: 1, maxLength: NOTICE_MAX },
  label: { minLength: 1, maxLength: LABEL_MAX },
  draft: { maxLength: BODY_MAX },
  piece: { maxLength: 4096 },
  moment: { format: "date-time" },
  locale: { minLength: 2, maxLength: 64 },
  time_zone: { minLength: 3 },
  // Before it is normalised.
  reaction_key: { minLength: 1, maxLength: 64 },
};

/** By text, for an optional property holds a copy of its schema. */
const NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries(NAMED_SCHEMAS).map(([name, schema]) => [JSON.stringify(schema), name]),
);

export function nameOf(schema: TSchema): string | undefined {
  return NAMES.get(JSON.stringify(schema));
}

/** The schema in plain JSON; objects with a name become references. */
export function published(schema: TSchema): JsonObject {
  const name = nameOf(schema);
  return name === undefined ? plain(schema) : { $ref: `#/components/schemas/${name}` };
}

/** `components.schemas` of both documents. */
export function publishedComponents(): JsonObject {
  const components: JsonObject = {};
  for (const [name, schema] of Object.entries(NAMED_SCHEMAS)) components[name] = plain(schema);
  const error = components["Error"] as { properties: JsonObject };
  error.properties["code"] = { type: "string", enum: Object.keys(ERROR_STATUS) };
  components["ErrorAnswer"] = {
    type: "object",
    required: ["error"],
    properties: { error: { $ref: "#/components/schemas/Error" } },
  };
  return components;
}

function plain(schema: TSchema): JsonObject {
  const { anyOf, items, properties, patternProperties, format, ...rest } = partsOf(schema);
  const out = JSON.parse(JSON.stringify(rest)) as JsonObject;
  if (format !== undefined) Object.assign(out, FORMATS[format] ?? { format });
  if (items !== undefined) out["items"] = published(items);
  if (properties !== undefined) out["properties"] = publishedEach(properties);
  // A record: any key will do.
  if (patternProperties !== undefined) out["additionalProperties"] = true;
  if (anyOf === undefined) return out;
  const literals = anyOf.map((one) => partsOf(one).const);
  if (literals.every((literal) => typeof literal === "string")) {
    return { ...out, type: "string", enum: literals };
  }
  return { ...out, anyOf: anyOf.map(published) };
}

export function publishedEach(properties: Readonly<Record<string, TSchema>>): JsonObject {
  const each: JsonObject = {};
  for (const [name, schema] of Object.entries(properties)) each[name] = published(schema);
  return each;
}
