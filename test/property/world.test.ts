import { expect, test } from "vitest";
import { World } from "../support/actor-world.ts";

test("[WLD1] a message reaches the others and its sender is answered", async () => {
  const world = new World(1);
  for (let n = 0; n < 3; n++) world.addWorker();
  await world.passes(50);
  const [ann, bob] = await world.users(2);
  const room = await world.group([ann!, bob!]);
  const a = await world.connected(ann!, world.alive[0]);
  const b = await world.connected(bob!, world.alive[1]);
  const answer = a.sends(room, "c1", "hi");
  await world.passes(200);
  expect((await answer).ok).toBe(true);
  expect(b.conversation(room).messages.get(1)?.body).toBe("hi");
  expect(a.names("message")).toEqual([]);
  await world.close();
  expect([...a.complaints, ...b.complaints]).toEqual([]);
});
