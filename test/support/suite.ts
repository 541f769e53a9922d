/**
 * One Troupe for a test file. After each test the sessions it opened are closed and, when it
 * failed, what the server said is printed; after the last the server must stop cleanly and no
 * socket may be left open.
 */
import { afterAll, afterEach, beforeAll } from "vitest";
import { startTroupe, type Troupe, type TroupeOptions } from "./cluster.ts";
import { takeBreaches } from "./conformity.ts";
import { eventually } from "./eventually.ts";

export function troupeForFile(options: TroupeOptions = {}): () => Troupe {
  let troupe: Troupe | undefined;

  beforeAll(async () => {
    troupe = await startTroupe(options);
  });

  afterEach(async (context) => {
    await troupe?.closeSessions();
    const breaches = takeBreaches();
    if (context.task.result?.state === "fail" && troupe !== undefined) {
      console.error(troupe.logTail());
    }
    if (breaches.length > 0) throw new Error(`against the contract:\n${breaches.join("\n")}`);
  });

  afterAll(async () => {
    await troupe?.stop();
    await noSocketsLeft();
    const errors = troupe?.errorsLogged() ?? [];
    if (errors.length > 0) throw new Error(`the server logged errors:\n${errors.join("\n")}`);
  });

  return () => {
    if (troupe === undefined) throw new Error("Troupe is started before the first test");
    return troupe;
  };
}

/** Fails when this process still holds TCP connections or listeners. */
export async function noSocketsLeft(): Promise<void> {
  await eventually(
    "all sockets of the test are closed",
    () => !process.getActiveResourcesInfo().some((name) => /^TCP(Socket|Server)Wrap$/.test(name)),
  );
}
