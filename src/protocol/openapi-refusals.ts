/** Refusals as answers of an operation in the OpenAPI document. */
import { ERROR_STATUS, type ErrorCode } from "./errors.ts";
import { ERROR_MEANINGS } from "./event-summaries.ts";
import type { JsonObject } from "./published.ts";

/** The answers by status, each with the codes that have it. */
export function refusalResponses(all: readonly ErrorCode[]): JsonObject {
  const responses: JsonObject = {};
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of all) {
    const status = ERROR_STATUS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  for (const [status, codes] of [...byStatus].sort(([a], [b]) => a - b)) {
    responses[status] = refusal(status, codes);
  }
  return responses;
}

function refusal(status: number, codes: readonly ErrorCode[]): JsonObject {
  const examples: JsonObject = {};
  for (const code of codes) examples[code] = { $ref: `#/components/examples/${code}` };
  return {
    description: codes.map((code) => `\`${code}\`: ${ERROR_MEANINGS[code]}`).join("\n\n"),
    ...(status === 429
      ? { headers: { "Retry-After": header("Seconds to wait.", "integer") } }
      : {}),
    ...(status === 401 ? { headers: { "WWW-Authenticate": header("`Bearer`.", "string") } } : {}),
    content: {
      "application/json": { schema: { $ref: "#/components/schemas/ErrorAnswer" }, examples },
    },
  };
}

const header = (description: string, type: string) => ({ description, schema: { type } });
