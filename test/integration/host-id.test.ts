import { expect, test } from "vitest";
import { startTroupe } from "../support/cluster.ts";

/** The host's id, of which the first part is its name and the second one this run. */
async function idOfRun(env: Record<string, string>): Promise<[name: string, run: string]> {
  const troupe = await startTroupe({ workers: 1, env });
  const worker = /"event":"worker_online","worker":"([^".]+)\./.exec(troupe.stdout + troupe.stderr);
  await troupe.stop();
  const [name, run] = worker?.[1]?.split("-") ?? [];
  if (name === undefined || run === undefined) throw new Error("no worker said its id");
  return [name, run];
}

test("[PLC9] a host of one HOST_ID has one name, and each start an id of its own", async () => {
  const first = await idOfRun({ HOST_ID: "chat-1" });
  const second = await idOfRun({ HOST_ID: "chat-1" });
  const other = await idOfRun({ HOST_ID: "chat-2" });
  expect(second[0]).toBe(first[0]);
  expect(second[1]).not.toBe(first[1]);
  expect(other[0]).not.toBe(first[0]);
});
