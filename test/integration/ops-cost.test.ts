/**
 * What a look costs: with two thousand sessions it is as small, and takes the primary about as
 * little, as with none. Ratios of one run, so that a slow machine is no failure.
 */
import { afterAll, describe, expect, test } from "vitest";
import type { OpsSummary } from "../../src/protocol/ops.ts";
import { eventually } from "../support/eventually.ts";
import { expectStatus } from "../support/person.ts";
import { RawWebSocket } from "../support/raw.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";

const USERS = 40;
const SESSIONS_EACH = 50;
const AT_ONCE = 40;
const LOOKS = 6;
/** CPU of the primary over all looks that noise of a busy machine alone can cause. */
const FLOOR_MS = 60;

describe("the cost of a look", () => {
  const troupe = troupeForFile();
  const fleet: RawWebSocket[] = [];

  afterAll(() => {
    for (const raw of fleet) raw.end();
  });

  const read = async (operator: Service): Promise<{ summary: OpsSummary; bytes: number }> => {
    const answer = await operator.api.get<OpsSummary>("/api/ops/summary");
    return { summary: expectStatus(answer, 200), bytes: answer.text.length };
  };

  /** CPU that the primary uses for LOOKS summaries, each of them computed again. */
  async function primaryMs(operator: Service): Promise<number> {
    const first = (await read(operator)).summary;
    let last = first;
    for (let n = 0; n < LOOKS; n++) {
      last = await eventually("a new look", async () => {
        const { summary } = await read(operator);
        return summary.at > last.at ? summary : undefined;
      });
    }
    return last.hosts[0]!.vitals!.cpu_ms - first.hosts[0]!.vitals!.cpu_ms;
  }

  test("[OPC1] [OPS2] two thousand sessions make a look neither longer nor dearer", {
    timeout: 120_000,
  }, async () => {
    const operator = await Service.of(troupe(), "ops");
    const before = await read(operator);
    const idleMs = await primaryMs(operator);

    const people = await troupe().users(...Array.from({ length: USERS }, (_, n) => `many${n}`));
    const tokens = people.flatMap(({ token }) =>
      Array.from({ length: SESSIONS_EACH }, () => token),
    );
    const opens = async (): Promise<void> => {
      for (let token = tokens.pop(); token !== undefined; token = tokens.pop()) {
        const raw = await RawWebSocket.signedIn(troupe().port, token);
        raw.ws.on("message", (bytes) => {
          if (bytes.toString() === "2") raw.writes("3");
        });
        fleet.push(raw);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, opens));
    const sessions = USERS * SESSIONS_EACH;
    const after = await eventually("all sessions are counted", async () => {
      const now = await read(operator);
      const counts = now.summary.hosts[0]!.workers.map(({ vitals }) => vitals?.sessions ?? 0);
      return counts.reduce((sum, count) => sum + count) === sessions ? now : undefined;
    });
    const busyMs = await primaryMs(operator);
    console.info(
      `primary CPU of ${LOOKS} looks: ${idleMs} ms with none, ${busyMs} ms with ${sessions}`,
    );
    expect(after.bytes).toBeLessThan(before.bytes * 1.3);
    expect(busyMs).toBeLessThan(3 * idleMs + FLOOR_MS);
  });
});
