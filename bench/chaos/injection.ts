/** What an injector is given and answers with. */
import type { RedisBox } from "../support/redis-box.ts";
import type { Chance } from "./chance.ts";
import type { Claim } from "./history.ts";
import type { Scene } from "./scene.ts";
import type { World } from "./world.ts";

export interface Injection {
  detail: string;
  heal(): Promise<Claim[]>;
}

export interface Stage {
  world: World;
  scene: Scene;
  chance: Chance;
}

export type Injector = (stage: Stage) => Promise<Injection> | Injection;

export function redisOf({ redis }: World): RedisBox {
  if (redis === null) throw new Error("this world has no Redis");
  return redis;
}

export function claim(sentence: string, holds: boolean, found: unknown): Claim {
  const text = typeof found === "number" ? `${found} ms` : String(found ?? "not in time");
  return { claim: sentence, holds, found: text };
}
