/** Long-polling sessions are sent why they end, however they end. */
import { afterEach, describe, expect, it } from "vitest";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { within } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import type { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const DRAINS = 10;
const SESSIONS = 4;
const ENDS_WITHIN_MS = 15_000;
const POLLING = { transports: ["polling"] } as { transports: ["polling"] };

const endOf = (session: Session) => session.next("session_ended", undefined, ENDS_WITHIN_MS);

describe("a drain", () => {
  let draining: Troupe | null = null;
  afterEach(async () => {
    await draining?.discard();
  });

  it(`[EDG1] each of ${SESSIONS} sessions is sent server_draining and session_ended, ${DRAINS} times in a row`, {
    timeout: 240_000,
  }, async () => {
    for (const _ of upTo(DRAINS)) {
      draining = await startTroupe({ workers: 2 });
      const ann = await draining.user("ann");
      const sessions = await Promise.all(upTo(SESSIONS).map(() => ann.connects(POLLING)));
      draining.signal("SIGTERM");
      for (const session of sessions) {
        expect(await session.next("server_draining")).toMatchObject({
          reconnect_in_ms: expect.any(Number),
        });
        expect(await endOf(session)).toMatchObject({ code: "server_draining", reconnect: true });
      }
      const exit = await within("it exits", draining.exited, 15_000);
      expect(exit).toEqual({ code: 0, signal: null });
      await draining.discard();
    }
  });
});

describe("other ends", () => {
  const troupe = troupeForFile({ workers: 1, env: { ACCESS_TOKEN_TTL_S: "8" } });

  it("[EDG2] a logout, and the end of the token", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const [loggedOut, expired] = [await ann!.connects(POLLING), await bob!.connects(POLLING)];
    const body = { refresh_token: ann!.login.refresh_token };
    expect((await ann!.api.post("/api/auth/logout", body)).status).toBe(204);
    expect(await endOf(loggedOut)).toMatchObject({ code: "logged_out", reconnect: false });
    expect((await endOf(expired)).code).toBe("token_expired");
    await loggedOut.untilDisconnected();
    await expired.untilDisconnected();
  });
});
