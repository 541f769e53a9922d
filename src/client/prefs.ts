/**
 * `prefsOf`: the user's own preferences of conversations (muted, pinned, archived, …) and drafts,
 * kept up to date over reconnects; one for a client. The server sends every change to all other
 * sessions of the user; what came while there was no connection is fetched with `sync`.
 *
 * A draft is shown here at once. It is sent at most every 300 ms, the newest one always, and again
 * after a reconnect until the server has it.
 */
import type { Draft, Prefs, PrefsChange } from "../protocol/prefs.ts";
import { attempt, isOnline, once, onOnline } from "./attached.ts";
import type { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import type { ClientClock } from "./ports.ts";
import { takeOwnPrefs } from "./steps.ts";
import { createStore, type Readable, select } from "./store.ts";

const DRAFT_EVERY_MS = 300;

export interface OwnPrefs {
  /** By conversation, those that were ever set. */
  all: Readable<ReadonlyMap<string, Prefs>>;
  /** Null: none were ever set, or they are not known yet. */
  of(conversationId: string): Readable<Prefs | null>;
  /** A preference that `change` does not name stays. Rejects with a TroupeError where it is refused. */
  set(conversationId: string, change: Omit<PrefsChange, "draft">): Promise<Prefs>;
  /** What is being written there; null when it was sent or given up. */
  draft(conversationId: string, draft: Draft | null): void;
}

export function createPrefs(client: Client, clock: ClientClock): OwnPrefs {
  const store = createStore<ReadonlyMap<string, Prefs>>(new Map(), (error) => console.error(error));
  /** Everything up to it is here. */
  let rev = 0;
  /** The newest that came in this session; counts once what was before it is here. */
  let liveRev = 0;
  let isSynced = false;
  let rounds = 0;
  /** Drafts that the server has not confirmed, by conversation. */
  const unsaved = new Map<string, Draft | null>();
  const pausing = new Set<string>();

  const put = (id: string, prefs: Prefs): void => {
    const next = new Map(store.get());
    if (prefs.removed) next.delete(id);
    else next.set(id, prefs);
    store.set(next);
  };

  function take(news: Prefs): void {
    const { conversation_id: id } = news;
    const known = store.get().get(id);
    if (known !== undefined && known.prefs_rev > news.prefs_rev) return;
    const draft = unsaved.get(id);
    if (news.removed || (draft !== undefined && isSame(draft, news.draft ?? null))) {
      unsaved.delete(id);
    }
    put(id, withDraft(news, unsaved.get(id)));
    client.take(takeOwnPrefs(news));
  }

  function takeLive(news: Prefs): void {
    liveRev = Math.max(liveRev, news.prefs_rev);
    if (isSynced) rev = Math.max(rev, liveRev);
    take(news);
  }

  /** Each session has a round of its own, and a round that was cut off ends with its session. */
  async function sync(): Promise<void> {
    const round = ++rounds;
    isSynced = false;
    liveRev = 0;
    for (const id of unsaved.keys()) save(id);
    for (let hasMore = true; hasMore; ) {
      const payload = { conversations: [], complete: false, prefs_after_rev: rev };
      const isAnswered = await attempt(
        client.ask("sync", payload, ({ prefs = [] }) => {
          if (round !== rounds) return;
          for (const one of prefs) {
            take(one);
            rev = Math.max(rev, one.prefs_rev);
          }
          hasMore = prefs.length > 0;
        }),
      );
      if (round !== rounds) return;
      if (!isAnswered) {
        if (isOnline(client)) clock.after(DRAFT_EVERY_MS, () => void again(round));
        return;
      }
    }
    isSynced = true;
    rev = Math.max(rev, liveRev);
  }

  async function again(round: number): Promise<void> {
    if (round === rounds && isOnline(client)) await sync();
  }

  /** Sends the newest draft; what is written meanwhile waits for the pause. */
  function save(id: string): void {
    const draft = unsaved.get(id);
    if (draft === undefined || pausing.has(id) || !isOnline(client)) return;
    pausing.add(id);
    void attempt(client.ask("set_prefs", { conversation_id: id, draft }));
    clock.after(DRAFT_EVERY_MS, () => {
      pausing.delete(id);
      if (unsaved.has(id) && unsaved.get(id) !== draft) save(id);
    });
  }

  client.on("prefs_updated", takeLive);
  onOnline(client, () => void sync());
  if (isOnline(client)) void sync();

  return {
    all: select(store, (all) => all),
    of: (id) => select(store, (all) => all.get(id) ?? null),
    async set(conversation_id, change) {
      const answer = await client.ask("set_prefs", { conversation_id, ...change });
      const prefs: Prefs = { ...answer, prefs_rev: answer.prefs_rev ?? 0 };
      takeLive(prefs);
      return prefs;
    },
    draft(id, draft) {
      unsaved.set(id, draft);
      const known = store.get().get(id) ?? { conversation_id: id, prefs_rev: 0 };
      put(id, withDraft(known, draft));
      save(id);
    },
  };
}

export const prefsOf = once((client) => createPrefs(client, systemClock));

/** `draft`: undefined is the one that the preferences have. */
function withDraft(prefs: Prefs, draft: Draft | null | undefined): Prefs {
  if (draft === undefined) return prefs;
  const { draft: _, ...rest } = prefs;
  return draft === null ? rest : { ...rest, draft };
}

function isSame(one: Draft | null, other: Draft | null): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
