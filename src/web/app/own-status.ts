/** What the page shows of its user: as they have chosen, and away after five minutes out of sight. */
import type { Client } from "../../client/index.ts";
import { presenceOf, type ShownStatus } from "../../client/presence.ts";
import { createStore, type Store } from "./store.ts";

const AWAY_AFTER_MS = 5 * 60_000;

export interface OwnStatus {
  chosen: Store<ShownStatus>;
  choose(status: ShownStatus): void;
  stop(): void;
}

export function createOwnStatus(client: Client): OwnStatus {
  const { show } = presenceOf(client);
  const chosen = createStore<ShownStatus>("online");
  let timer: ReturnType<typeof setTimeout> | undefined;

  const look = (): void => {
    clearTimeout(timer);
    if (document.visibilityState === "visible") show(chosen.get());
    else {
      timer = setTimeout(() => {
        if (chosen.get() === "online") show("away");
      }, AWAY_AFTER_MS);
    }
  };
  document.addEventListener("visibilitychange", look);
  if (document.visibilityState !== "visible") look();

  return {
    chosen,
    choose(status) {
      chosen.update(() => status);
      show(status);
    },
    stop() {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    },
  };
}
