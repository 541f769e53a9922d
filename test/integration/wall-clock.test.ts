/**
 * [TIM5] While the wall clock of a real server is set, in both directions, nothing changes but
 *        timestamps: sessions go on and are answered, HTTP is not limited, pings come, and a
 *        client that is gone is offline in time.
 *
 * The server's processes and threads load bench/support/stepped-clock.ts before their own code.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { setStep, steppedClockEnv } from "../../bench/support/stepped-clock.ts";
import { eventually } from "../support/eventually.ts";
import type { Person } from "../support/person.ts";
import type { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const GRACE_MS = 1_000;
/** Slack for two busy cores. */
const SLACK_MS = 2_000;
const PING_WITHIN_MS = 27_000;
const BURST = 20;
const BUILT = new URL("../../dist/bench/support/stepped-clock.js", import.meta.url).href;

const dir = await mkdtemp(join(tmpdir(), "troupe-clock-"));
const file = join(dir, "wall-clock");
// Registered first, so called last: the server reads the file until it has ended.
afterAll(() => rm(dir, { recursive: true, force: true }));
const troupe = troupeForFile({
  // One, so that a budget is spent in one place.
  workers: 1,
  env: {
    PRESENCE_GRACE_MS: String(GRACE_MS),
    RATE_LIMITS: "on",
    RATE_LIMIT_HTTP_USER: `2/s burst ${BURST}`,
    ...steppedClockEnv(file, BUILT),
  },
});

afterEach(() => setStep(file, 0));

/** Resolves with a session that began under the clock as it was set, and whose it is. */
async function steps(ms: number, person: Person): Promise<{ person: Person; session: Session }> {
  setStep(file, ms);
  return eventually("a new session is told the new time", async () => {
    // What was issued before may have expired by the new clock, as any token does.
    const again = await person.signsInAgain();
    const session = await again.connects();
    const { server_time } = session.heard("ready")[0]!;
    if (Math.abs(Date.parse(server_time) - Date.now() - ms) < 500) {
      return { person: again, session };
    }
    await session.disconnects();
    return false;
  });
}

const status = async (person: Person) => (await person.api.get("/api/me")).status;

describe("the wall clock is set", () => {
  it.each([
    ["forward by 1 s", 1_000],
    ["back by 1 s", -1_000],
    ["back by 30 s", -30_000],
    ["forward by 2 h", 2 * 3_600_000],
    ["back by 2 h", -2 * 3_600_000],
    ["forward by 30 days", 30 * 86_400_000],
    ["back by 30 days", -30 * 86_400_000],
  ])("[TIM5] %s: sessions go on, budgets fill, who goes is offline in time", async (_how, ms) => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const room = await ann!.startsDirect(bob!);
    const annIs = await ann!.connects();
    const bobIs = await bob!.connects();
    const answers = await Promise.all(Array.from({ length: 3 * BURST }, () => status(bob!)));
    expect(answers).toContain(429);

    const { person: bobAgain } = await steps(ms, bob!);
    await eventually(
      "bob's budget has filled",
      async () => (await status(bobAgain)) === 200,
      2_000,
    );

    for (let n = 0; n < BURST; n++) await annIs.sends(room.id, `after ${n}`);
    await bobIs.next("message", ({ body }) => body === `after ${BURST - 1}`);
    expect([...annIs.heard("session_ended"), ...bobIs.heard("session_ended")]).toEqual([]);

    const leftMs = performance.now();
    annIs.drops();
    await bobIs.next("user_status", (one) => one.status === "offline", GRACE_MS + SLACK_MS);
    expect(performance.now() - leftMs).toBeGreaterThan(GRACE_MS - 300);
  });

  it("[TIM5] back by 2 h: sessions that begin afterwards are pinged", {
    timeout: 2 * PING_WITHIN_MS,
  }, async () => {
    const [ann] = await troupe().users("ann");
    await ann!.connects();
    const { session } = await steps(-2 * 3_600_000, ann!);
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("no ping in time")), PING_WITHIN_MS);
      session.socket.io.once("ping", () => {
        clearTimeout(late);
        resolve();
      });
    });
  });
});
