/** [STA20] The shipped systemd unit forbids AF_NETLINK: the start lists no addresses, and serves. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { startTroupe } from "../support/cluster.ts";
import { pythonWith } from "../support/python.ts";

const WITHOUT_NETLINK = fileURLToPath(
  new URL("../support/fixtures/without-netlink.py", import.meta.url),
);
const python = pythonWith(["ctypes"], "the start under a unit's restrictions");

test.skipIf(python === null)("[STA20] Troupe starts under the unit's restrictions", async () => {
  const troupe = await startTroupe({
    workers: 1,
    command: [python!, WITHOUT_NETLINK, process.execPath, "dist/src/cli.js", "start"],
  });
  try {
    expect((await troupe.http.get("/readyz")).status).toBe(200);
    expect(troupe.stdout).toContain("Troupe is ready");
    expect(troupe.errorsLogged()).toEqual([]);
  } finally {
    await troupe.stop();
  }
});
