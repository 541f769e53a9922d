/**
 * The job that takes old messages away, with conversations that fail.
 *
 * [RTJ3] Conversations that cannot be moved now hold up no others.
 */
import pino from "pino";
import { expect, it } from "vitest";
import { KEEP_MESSAGES, retentionJobs } from "../../src/jobs/retention.ts";
import { ok, REFUSALS } from "../../src/protocol/errors.ts";
import { asConversationId } from "../../src/protocol/schemas.ts";

const FAIL = 200;
const ALL = 450;

it("[RTJ3] two hundred that fail are passed over, and said to have failed", async () => {
  const due = new Set(Array.from({ length: ALL }, (_, n) => asConversationId(`${n + 1}`)));
  const lines: { event?: string; conversations?: number }[] = [];
  let asks = 0;
  const handlers = retentionJobs({
    store: {
      due: async (_ageMs, limit, except) =>
        [...due].filter((id) => !except.includes(id)).slice(0, limit),
      forget: async () => false,
    },
    gateway: {
      async ask(_kind, id) {
        asks++;
        if (Number(id) <= FAIL) return REFUSALS.unavailable;
        due.delete(asConversationId(id));
        return ok(null);
      },
    },
    log: pino({ level: "warn" }, { write: (line) => void lines.push(JSON.parse(line)) }),
  });
  const job = { id: "1", kind: KEEP_MESSAGES, key: null, args: {}, attempts: 1 };
  const signal = new AbortController().signal;
  const end = await handlers[KEEP_MESSAGES]!(job, { signal, progress: async () => true });
  expect(due.size).toBe(FAIL);
  expect(asks).toBe(ALL);
  expect(end).toEqual({ is: "again", inMs: 10_000 });
  expect(lines).toMatchObject([{ event: "retention_not_moved", conversations: FAIL }]);
});
