/**
 * [FUZ5] The readers of every route and event under fuzz, without a service around them: what the
 * schemas call valid is taken, nothing is thrown, and no value takes long to judge. fast-check
 * prints the seed.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createReader } from "../../src/edge/validation.ts";
import { CLIENT_EVENTS, type ClientEventName } from "../../src/protocol/events.ts";
import type { RouteSpec } from "../../src/protocol/route-spec.ts";
import { ROUTES, type RouteName } from "../../src/protocol/routes.ts";
import { fuzzOf, textOf, validOf } from "../support/fuzz-values.ts";

const IDS = ["1", "2", "42", "9223372036854775807"];
const RUNS = 25;
/** Cores may be busy with other tests. */
const TIMEOUT_MS = 30_000;
/** Far above what any takes here, far below what would hold up a worker. */
const JUDGED_WITHIN_MS = 1_000;

const readers = [
  ...(Object.keys(CLIENT_EVENTS) as ClientEventName[]).map(
    (name) => [name, "payload", CLIENT_EVENTS[name].payload] as const,
  ),
  ...(Object.keys(ROUTES) as RouteName[]).flatMap((name) => {
    const { body }: RouteSpec = ROUTES[name];
    return body === undefined ? [] : [[name, "body", body] as const];
  }),
];

describe("readers", { timeout: TIMEOUT_MS }, () => {
  it.each(readers)("[FUZ5] %s takes what is valid", (_name, source, schema) => {
    const read = createReader(source, schema);
    fc.assert(
      fc.property(validOf(schema, IDS), (value) => {
        const answer = read(JSON.parse(JSON.stringify(value)));
        expect(answer).toMatchObject({ ok: true });
      }),
      { numRuns: RUNS },
    );
  });

  it.each(readers)(
    "[FUZ5] %s judges everything else, soon and without a throw",
    (_name, source, schema) => {
      const read = createReader(source, schema);
      fc.assert(
        fc.property(
          fuzzOf(schema, IDS).chain((value) => textOf(value)),
          (text) => {
            let value: unknown;
            try {
              value = JSON.parse(text.toString());
            } catch (error) {
              // Refused before a reader sees it.
              expect(error).toBeInstanceOf(SyntaxError);
              return;
            }
            const startedMs = performance.now();
            const answer = read(value);
            expect(performance.now() - startedMs).toBeLessThan(JUDGED_WITHIN_MS);
            if (answer.ok) return;
            expect(answer.error.code).toBe("invalid_payload");
            expect(JSON.stringify(answer.error).length).toBeLessThan(8192);
          },
        ),
        { numRuns: RUNS },
      );
    },
  );
});
