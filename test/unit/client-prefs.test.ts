/** The SDK's preferences and drafts on a client of the test. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Client } from "../../src/client/client.ts";
import { TroupeError } from "../../src/client/error.ts";
import { createPrefs, type OwnPrefs } from "../../src/client/prefs.ts";
import type { ErrorObject } from "../../src/protocol/errors.ts";
import type { Prefs } from "../../src/protocol/prefs.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

let clock: FakeClock;
let asked: { event: string; payload: Record<string, unknown> }[];
/** What `sync` answers, a page a call. */
let pages: Prefs[][];
let listeners: Set<(prefs: Prefs) => void>;
let onReady: () => void;
let onConnection: () => void;
let connection: { is: string };
let refusal: ErrorObject | null;
let own: OwnPrefs;

beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  pages = [];
  refusal = null;
  listeners = new Set();
  connection = { is: "waiting" };
  const client = {
    connection: {
      get: () => connection,
      subscribe: (listener: () => void) => {
        onConnection = listener;
        return () => undefined;
      },
    },
    take: () => undefined,
    onStep: () => () => undefined,
    async ask(event: string, payload: Record<string, unknown>, take?: (answer: object) => void) {
      asked.push({ event, payload });
      if (refusal !== null) throw new TroupeError(refusal);
      if (event === "sync") take?.({ prefs: pages.shift() ?? [] });
      const { conversation_id, ...change } = payload;
      return { conversation_id, prefs_rev: 9, ...change };
    },
    on(name: string, listener: (prefs?: Prefs) => void) {
      if (name === "ready") {
        onReady = listener;
        return;
      }
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  own = createPrefs(client as unknown as Client, clock);
});

afterEach(() => expect(clock.pending).toBe(0));

const comes = (prefs: Omit<Prefs, "conversation_id">, id = "7") => {
  for (const listener of listeners) listener({ conversation_id: id, ...prefs });
};
async function connects(is = "online"): Promise<void> {
  if (is === "online") onReady();
  connection = { is };
  onConnection();
  await settled();
}
const syncedAfter = () =>
  asked.filter(({ event }) => event === "sync").map(({ payload }) => payload["prefs_after_rev"]);
const drafts = () =>
  asked.filter(({ event }) => event === "set_prefs").map(({ payload }) => payload["draft"]);

describe("preferences in the SDK", () => {
  it("[CPF94] each session fetches what it has missed, page by page, and goes on from live ones", async () => {
    pages = [[{ conversation_id: "7", prefs_rev: 2, level: "none" }], []];
    await connects();
    expect(syncedAfter()).toEqual([0, 2]);
    comes({ prefs_rev: 3, pinned_at: "2031-01-02T03:04:05.678Z" });
    comes({ prefs_rev: 2, level: "all" });
    expect(own.of("7").get()).toMatchObject({ prefs_rev: 3 });
    await connects("waiting");
    await connects();
    expect(syncedAfter()).toEqual([0, 2, 3]);
    comes({ prefs_rev: 4, removed: true });
    expect(own.of("7").get()).toBeNull();
  });

  it("[CPF97] what comes live before a session has fetched hides nothing that was missed before", async () => {
    pages = [[{ conversation_id: "7", prefs_rev: 2 }], []];
    await connects();
    await connects("waiting");
    onReady();
    comes({ prefs_rev: 9 }, "8");
    await connects();
    expect(syncedAfter()).toEqual([0, 2, 2]);
  });

  it("[CPF98] a draft that is refused is gone, one that cannot be taken now is sent again", async () => {
    await connects();
    refusal = { code: "unavailable", message: "Not now" };
    own.draft("7", { body: "Hey" });
    await settled();
    refusal = null;
    await clock.advance(1_000);
    expect(drafts()).toHaveLength(2);
    comes({ prefs_rev: 3, draft: { body: "Hey" } });
    refusal = { code: "not_found", message: "Not yours" };
    own.draft("8", { body: "Hello" });
    expect(own.of("8").get()).toMatchObject({ draft: { body: "Hello" } });
    await settled();
    expect(own.of("8").get()).toBeNull();
    // No event confirms a draft that the server has already; another device's shows all the same.
    refusal = null;
    await clock.advance(1_000);
    own.draft("7", { body: "Hey" });
    await settled();
    comes({ prefs_rev: 4, draft: { body: "from elsewhere" } });
    expect(own.of("7").get()).toMatchObject({ draft: { body: "from elsewhere" } });
    await clock.advance(5_000);
  });

  it("[CPF95] what is set is here with its answer", async () => {
    await connects();
    await own.set("7", { muted_until: "forever" });
    expect(own.of("7").get()).toMatchObject({ prefs_rev: 9, muted_until: "forever" });
  });

  it("[CPF96] a draft shows at once, goes out at most every 300 ms, and again until it is confirmed", async () => {
    await connects();
    for (const body of ["H", "He", "Hey"]) own.draft("7", { body });
    expect(own.of("7").get()).toMatchObject({ draft: { body: "Hey" } });
    expect(drafts()).toEqual([{ body: "H" }]);
    await clock.advance(300);
    expect(drafts()).toEqual([{ body: "H" }, { body: "Hey" }]);
    await clock.advance(300);
    comes({ prefs_rev: 10, level: "all", draft: { body: "from elsewhere" } });
    expect(own.of("7").get()).toMatchObject({ level: "all", draft: { body: "Hey" } });
    await connects("waiting");
    await connects();
    expect(drafts()).toHaveLength(3);
    comes({ prefs_rev: 11, level: "all", draft: { body: "Hey" } });
    await clock.advance(300);
    await connects("waiting");
    await connects();
    expect(drafts()).toHaveLength(3);
    own.draft("7", null);
    expect(own.of("7").get()).toEqual({ conversation_id: "7", prefs_rev: 11, level: "all" });
    comes({ prefs_rev: 12, level: "all" });
    await clock.advance(5_000);
    expect(drafts()).toHaveLength(4);
  });
});
