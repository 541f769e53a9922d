/**
 * Uploads that can be resumed, for the OpenAPI document. They follow tus 1.0 and not the table of
 * routes: what they take and answer is in headers.
 */
import type { ErrorCode } from "./errors.ts";
import { refusalResponses } from "./openapi-refusals.ts";
import type { JsonObject } from "./published.ts";

export const TUS_PATH = "/api/files/tus";

const VERSION = "1.0.0";
const ALWAYS: ErrorCode[] = [
  "invalid_payload",
  "unauthorized",
  "token_expired",
  "forbidden",
  "internal",
  "unavailable",
];

const inHeader = (
  name: string,
  description: string,
  type: "string" | "integer",
  example: string | number,
  required = true,
): JsonObject => ({
  name,
  in: "header",
  required,
  description,
  schema: type === "integer" ? { type, minimum: 0 } : { type },
  example,
});

const SPEAKS: JsonObject = {
  name: "Tus-Resumable",
  in: "header",
  required: true,
  description: "The version of tus. Another one is answered 412 with `Tus-Version`.",
  schema: { type: "string", const: VERSION },
  example: VERSION,
};
const OFFSET = inHeader("Upload-Offset", "Where these bytes begin.", "integer", 0);
const ID: JsonObject = {
  name: "id",
  in: "path",
  required: true,
  description: "The upload, which is the id of its file.",
  schema: { type: "string", pattern: "^[1-9][0-9]{0,18}$" },
  example: "42",
};
const BYTES: JsonObject = { "application/offset+octet-stream": { schema: {} } };

const HEADERS = {
  Location: { description: "The path of the upload.", schema: { type: "string" } },
  "Upload-Offset": {
    description: "How many bytes are stored.",
    schema: { type: "integer", minimum: 0 },
  },
  "Upload-Length": {
    description: "How many bytes there will be.",
    schema: { type: "integer", minimum: 1 },
  },
  "Tus-Resumable": { description: "The version of tus.", schema: { type: "string" } },
} satisfies JsonObject;

function done(description: string, ...names: (keyof typeof HEADERS)[]): JsonObject {
  const headers: JsonObject = { "Tus-Resumable": HEADERS["Tus-Resumable"] };
  for (const name of names) headers[name] = HEADERS[name];
  return { description, headers };
}

function operation(
  operationId: string,
  summary: string,
  parameters: JsonObject[],
  answers: JsonObject,
  refusals: ErrorCode[],
): JsonObject {
  return {
    operationId,
    tags: ["Files"],
    summary,
    security: [{ access_token: [] }],
    parameters: [SPEAKS, ...parameters],
    responses: {
      ...answers,
      ...refusalResponses([...ALWAYS, ...refusals]),
      412: { description: "Another version of tus; `Tus-Version` names the one that is spoken." },
    },
  };
}

const LOCKED: JsonObject = { description: "Another request sends bytes of this upload." };

/** The paths of the document. */
export function publishedTus(): JsonObject {
  return {
    [TUS_PATH]: {
      post: {
        ...operation(
          "beginUpload",
          "Begin an upload that can be resumed (tus 1.0), up to FILE_BYTES_MAX; it may bring its first bytes.",
          [
            inHeader("Upload-Length", "How many bytes there will be.", "integer", 5_242_880),
            inHeader(
              "Upload-Metadata",
              "`filename` and `filetype`, each with its value in base64, separated by a comma.",
              "string",
              "filename Y2F0LmpwZw==,filetype aW1hZ2UvanBlZw==",
              false,
            ),
          ],
          { 201: done("Begun.", "Location", "Upload-Offset") },
          ["quota_exceeded", "payload_too_large", "unsupported_media_type", "rate_limited"],
        ),
        requestBody: { required: false, content: BYTES },
      },
    },
    [`${TUS_PATH}/{id}`]: {
      head: operation(
        "getUploadOffset",
        "How far an upload of your own has come.",
        [ID],
        { 200: done("It is there.", "Upload-Offset", "Upload-Length") },
        ["not_found", "gone"],
      ),
      patch: {
        ...operation(
          "addToUpload",
          "Send bytes of an upload, from its offset on. With the last one the file is there.",
          [ID, OFFSET],
          { 204: done("Stored.", "Upload-Offset"), 423: LOCKED },
          ["not_found", "conflict", "gone", "payload_too_large", "unsupported_media_type"],
        ),
        requestBody: { required: true, content: BYTES },
      },
      delete: operation(
        "endUpload",
        "Give an upload of your own up, or delete its file.",
        [ID],
        { 204: done("Done."), 423: LOCKED },
        ["not_found", "gone"],
      ),
    },
  };
}
