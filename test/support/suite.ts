/**
 * One Troupe for a test file: its own, or the shared one (shared-troupe.ts). After each test the
 * sessions it opened are closed and, when it failed, what the server said is printed. After the
 * last the file's own server must stop cleanly, no socket may be left open, and the server must
 * not have logged an error since the file began.
 */
import { afterAll, afterEach, beforeAll } from "vitest";
import { startTroupe, type Troupe, type TroupeOptions } from "./cluster.ts";
import { takeBreaches } from "./conformity.ts";
import { eventually } from "./eventually.ts";
import { sharedTroupe } from "./shared-troupe.ts";

/** `shared`: the run's server instead of one of its own; shared-troupe.ts says which files may. */
type FileOptions = (TroupeOptions & { shared?: false }) | { shared: true };

export function troupeForFile(options: FileOptions = {}): () => Troupe {
  let troupe: Troupe | undefined;

  beforeAll(async () => {
    troupe = options.shared ? await sharedTroupe() : await startTroupe(options);
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
    if (!options.shared) await troupe?.stop();
    await troupe?.closeSessions();
    await noSocketsLeft();
    const errors = troupe?.errorsLogged() ?? [];
    if (errors.length > 0) {
      const others = options.shared ? ", which other files use at the same time," : "";
      throw new Error(`the server${others} logged errors:\n${errors.join("\n")}`);
    }
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
