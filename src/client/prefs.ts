/**
 * `prefsOf`: the user's own preferences of conversations (muted, pinned, archived, …) and drafts,
 * kept up to date over reconnects; one for a client. The server sends every change to all other
 * sessions of the user; what came while there was no connection is fetched with `sync`.
 *
 * A draft is shown here at once. It is sent at most every 300 ms, the newest one always, and again
 * until the server has it: later where it could not be taken now, and after a reconnect. A draft
 * that is refused for good is gone.
 */
import type { Draft, Prefs, PrefsChange } from "../protocol/prefs.ts";
import { attempt, isOnline, once, onOnline } from "./attached.ts";
import type { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import { isPassing, TroupeError } from "./error.ts";
import type { ClientClock } from "./ports.ts";
import { takeOwnPrefs } from "./steps.ts";
import { createStore, type Readable, select } from "./store.ts";

const DRAFT_EVERY_MS = 300;
const AGAIN_MS = 1_000;
/** The server writes a draft a second after it was sent, and then tells of it. */
const CONFIRMED_WITHIN_MS = 5_000;

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
  /** As the server says, without what waits in `unsaved`. */
  const stored = new Map<string, Prefs>();
  /** Drafts that the server has not confirmed, by conversation. */
  const unsaved = new Map<string, Draft | null>();
  /** Ends the pause after a draft that was sent, by conversation. */
  const pausing = new Map<string, () => void>();

  function show(id: string): void {
    const prefs = stored.get(id);
    const draft = unsaved.get(id);
    const next = new Map(store.get());
    if (prefs !== undefined) next.set(id, withDraft(prefs, draft));
    else if (draft) next.set(id, { conversation_id: id, prefs_rev: 0, draft });
    else next.delete(id);
    store.set(next);
  }

  /** The server has this draft already, and so tells of no change. */
  const isStored = (id: string, draft: Draft | null): boolean =>
    isSame(draft, stored.get(id)?.draft ?? null);

  function take(news: Prefs): void {
    const { conversation_id: id } = news;
    const known = stored.get(id);
    if (known !== undefined && known.prefs_rev > news.prefs_rev) return;
    if (news.removed) stored.delete(id);
    else stored.set(id, news);
    const draft = unsaved.get(id);
    if (news.removed || (draft !== undefined && isStored(id, draft))) unsaved.delete(id);
    show(id);
    client.take(takeOwnPrefs(news));
  }

  function takeLive(news: Prefs): void {
    liveRev = Math.max(liveRev, news.prefs_rev);
    if (isSynced) rev = Math.max(rev, liveRev);
    take(news);
  }

  /** What comes live in this session says nothing of what was missed before it. */
  function begin(): void {
    rounds++;
    isSynced = false;
    liveRev = 0;
  }

  /** Each session has a round of its own, and a round that was cut off ends with its session. */
  async function sync(): Promise<void> {
    begin();
    const round = rounds;
    // The drafts that the session before sent may be lost.
    for (const end of pausing.values()) end();
    pausing.clear();
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
    const end = clock.after(DRAFT_EVERY_MS, () => {
      pausing.delete(id);
      if (unsaved.has(id) && unsaved.get(id) !== draft) save(id);
    });
    pausing.set(id, end);
    void client.ask("set_prefs", { conversation_id: id, draft }).then(
      () => {
        if (unsaved.get(id) !== draft) return;
        if (isStored(id, draft)) settle(id);
        else saveLater(id, draft, CONFIRMED_WITHIN_MS);
      },
      (error: unknown) => refused(id, draft, error),
    );
  }

  /** A newer one goes out after the pause, whatever became of this one. */
  function refused(id: string, draft: Draft | null, error: unknown): void {
    if (!(error instanceof TroupeError)) throw error;
    if (unsaved.get(id) !== draft) return;
    if (isPassing(error)) saveLater(id, draft, Math.max(error.retryAfterMs ?? 0, AGAIN_MS));
    else settle(id);
  }

  /** Unless it is confirmed by then, or another one has taken its place. */
  function saveLater(id: string, draft: Draft | null, delayMs: number): void {
    clock.after(delayMs, () => {
      if (unsaved.get(id) === draft) save(id);
    });
  }

  function settle(id: string): void {
    unsaved.delete(id);
    show(id);
  }

  client.on("ready", begin);
  client.on("prefs_updated", takeLive);
  // What is still to be saved ends with the membership, of which there may be no preferences to tell.
  client.onStep((before, after) => {
    if (unsaved.size === 0 || before.conversations === after.conversations) return;
    for (const id of [...unsaved.keys()]) {
      if (before.conversations.has(id) && !after.conversations.has(id)) settle(id);
    }
  });
  onOnline(client, () => void sync());
  if (isOnline(client)) void sync();

  return {
    all: select(store, (all) => all),
    of: (id) => select(store, (all) => all.get(id) ?? null),
    async set(conversation_id, change) {
      const answer = await client.ask("set_prefs", { conversation_id, ...change });
      const prefs: Prefs = { ...answer, prefs_rev: answer.prefs_rev ?? 0 };
      // 0: none were ever set, and none are now.
      if (prefs.prefs_rev > 0) takeLive(prefs);
      return prefs;
    },
    draft(id, draft) {
      unsaved.set(id, draft);
      show(id);
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
  return textOf(one) === textOf(other);
}

/** The server writes the keys in an order of its own. */
function textOf(draft: Draft | null): string {
  return JSON.stringify(draft && [draft.body, draft.reply_to_seq ?? null, draft.data ?? null]);
}
