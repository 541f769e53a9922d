/**
 * Brings the state up to date: it reads the list of conversations once, asks `sync` after every
 * connect until nothing is left, joins opened conversations (`join_conversation`), and asks `sync`
 * again when an event was missed. Never rejects; failed calls are tried again while the session lives.
 */
import type { ClientAck, ClientPayload, ServerPayload } from "../protocol/events.ts";
import type { Receipt } from "../protocol/schemas.ts";
import type { Api, CallAnswer } from "./api.ts";
import { backOffMs } from "./back-off.ts";
import { isPassing, TroupeError } from "./error.ts";
import type { Ask } from "./link.ts";
import type { ClientPorts } from "./ports.ts";
import type { Held, State } from "./state.ts";
import {
  type Step,
  takeJoin,
  takeLatest,
  takeLeft,
  takeListed,
  takeSync,
  takeUnread,
} from "./steps.ts";

/** The contract's limit on the conversations that one `sync` may name. */
const CONVERSATIONS_MAX = 500;
const LIST_PAGE = 100;
/** A server that always has more would keep the client busy for ever. */
const ROUNDS_MAX = 1_000;
/** An event that is late by this much is missing. */
const GAP_PATIENCE_MS = 1_000;
const RECEIPTS_MAX = 10_000;

export interface Sync {
  /** After `ready`. Resolves when all is here, or `isCurrent` is false. */
  catchUp(unread: ServerPayload<"ready">["unread"], isCurrent: () => boolean): Promise<void>;
  /** A receipt arrived: it is kept for the answers that are still on their way. */
  noteReceipt(receipt: Receipt): void;
  /** A later rev of the conversation is known: fetches the missing changes soon, or all of it. */
  check(conversationId: string): void;
  /** As `check`, but without joining it, which would count as an act of the user. */
  fetch(conversationId: string): void;
  /** Its newest page, everyone's cursors and who types; resolves when here or refused. */
  join(conversationId: string): Promise<void>;
  /** Reads what a channel has left out. */
  mend(skipped: ServerPayload<"skipped">): void;
}

export interface SyncOptions {
  ports: ClientPorts;
  ask: Ask;
  api: Api;
  get(): State;
  update(step: Step): void;
}

export function createSync({ ports, ask, api, get, update }: SyncOptions): Sync {
  const { clock, random } = ports;
  /** Receipts that arrive while an answer is on its way; they may be newer than the answer. */
  let receipts: Receipt[] = [];
  let asking = 0;
  let isCatchingUp = false;
  let isGapDue = false;
  /** There is a conversation that was not in the list. */
  let isListStale = false;
  let cancelPause = (): void => undefined;
  let failures = 0;
  /** Whether the list was read to its end, so that additions of `sync` keep it complete. */
  let isWhole = false;
  /** Conversations that were named by events while catching up. */
  const mentioned = new Set<string>();
  const joining = new Map<string, Promise<void>>();
  const reading = new Map<string, Promise<void>>();

  /** Passes the answer to `take`, with the receipts that arrived meanwhile. */
  async function collectingReceipts<T, R>(
    asked: (take: (answer: T) => void) => Promise<R>,
    take: (answer: T, heard: readonly Receipt[]) => void,
  ): Promise<R> {
    const from = receipts.length;
    asking++;
    try {
      return await asked((answer) => take(answer, receipts.slice(from)));
    } finally {
      if (--asking === 0) receipts = [];
    }
  }

  async function readList(): Promise<boolean> {
    let cursor: string | null = null;
    try {
      do {
        const query = {
          filter: "all" as const,
          limit: LIST_PAGE,
          ...(cursor === null ? {} : { cursor }),
        };
        await collectingReceipts(
          async (take: (page: CallAnswer<"GET /api/conversations">) => void) =>
            take(await api("GET /api/conversations", query)),
          ({ items, next_cursor }, heard) => {
            cursor = next_cursor;
            update(takeListed(items, heard));
          },
        );
      } while (cursor !== null && get().conversations.size < CONVERSATIONS_MAX);
      isWhole = cursor === null;
      return true;
    } catch (error) {
      // Refused or out of reach: asked again.
      if (error instanceof TroupeError) return false;
      throw error;
    }
  }

  /** One round over `held`; null: it failed, else whether there is more. */
  async function round(held: readonly Held[], complete: boolean): Promise<boolean | null> {
    let isMore = false;
    for (let from = 0; from < (held.length || Number(complete)); from += CONVERSATIONS_MAX) {
      const payload: ClientPayload<"sync"> = {
        conversations: held.slice(from, from + CONVERSATIONS_MAX).map(({ conversation, rev }) => ({
          conversation_id: conversation.id,
          after_rev: rev,
        })),
        complete,
      };
      const answer = await collectingReceipts(
        (take: (answer: ClientAck<"sync">) => void) => ask("sync", payload, take),
        (answer, heard) => {
          update(takeSync(answer, heard));
          isMore ||= answer.has_more || answer.conversations.some((entry) => entry.has_more);
        },
      );
      if (!answer.ok) return null;
    }
    return isMore;
  }

  async function rounds(pick: () => readonly Held[], complete: () => boolean): Promise<boolean> {
    for (let n = 0; n < ROUNDS_MAX; n++) {
      const isMore = await round(pick(), complete());
      if (!isMore) return isMore !== null;
    }
    return true;
  }

  const all = (): Held[] => [...get().conversations.values()];
  const behind = (): Held[] => all().filter(({ rev, latestRev }) => rev < latestRev);
  const isComplete = (): boolean => isWhole && get().conversations.size <= CONVERSATIONS_MAX;

  async function attempt(): Promise<boolean> {
    // Beyond what `sync` completes, what is new stands at the top of the list.
    if ((!get().isListed || !isComplete()) && !(await readList())) return false;
    return rounds(all, isComplete);
  }

  async function fillGaps(): Promise<void> {
    isGapDue = false;
    if (isCatchingUp) return;
    isListStale &&= !(await readList());
    failures = isListStale || !(await rounds(behind, () => false)) ? failures + 1 : 0;
    fillLater(backOffMs(failures, random()));
  }

  function fillLater(delayMs = 0): void {
    if (isListStale || behind().length > 0) scheduleGap(delayMs);
  }

  function scheduleGap(extraMs = 0): void {
    if (isGapDue) return;
    isGapDue = true;
    clock.after(GAP_PATIENCE_MS + extraMs, () => void fillGaps());
  }

  async function joinOnce(conversationId: string): Promise<void> {
    const held = get().conversations.get(conversationId);
    const isFresh = !held?.isLoaded;
    const after = isFresh ? {} : { after_rev: held.rev };
    const payload = { conversation_id: conversationId, limit: isFresh ? 50 : 100, ...after };
    const answer = await collectingReceipts(
      (take: (answer: ClientAck<"join_conversation">) => void) =>
        ask("join_conversation", payload, take),
      (answer, heard) => update(takeJoin(answer, isFresh, heard)),
    );
    if (answer.ok) check(conversationId);
    else if (!isPassing(answer.error)) {
      // A session that watches as many channels as it may is still a member of this one.
      if (answer.error.code !== "conflict") update(takeLeft(conversationId));
    } else if (get().connection.is === "online") {
      // After the next reconnect it is asked for anyway, where it is still wanted.
      const delayMs = answer.error.retry_after_ms ?? backOffMs(2, random());
      clock.after(delayMs, () => void join(conversationId));
    }
  }

  function check(conversationId: string): void {
    if (isCatchingUp) mentioned.add(conversationId);
    else lookAt(conversationId);
  }

  function lookAt(conversationId: string): void {
    const { conversations } = get();
    const held = conversations.get(conversationId);
    if (held && isShowable(held)) fillLater();
    // Somebody has begun it, or taken this user into it. Where not all conversations are live, to
    // join it would count as the user's own act and put another out of those that are.
    else if (isWhole && conversations.size < CONVERSATIONS_MAX) void join(conversationId);
    else void once(reading, conversationId, readOnce);
  }

  function fetch(conversationId: string): void {
    const held = get().conversations.get(conversationId);
    isListStale ||= !held || !isShowable(held);
    if (!isCatchingUp) fillLater();
  }

  /** Reads what `joinOnce` reads, except the list of typing users. */
  async function readOnce(id: string): Promise<void> {
    try {
      await collectingReceipts(
        async (take: (answer: ClientAck<"join_conversation">) => void) => {
          const conversation = await api("GET /api/conversations/:id", { id });
          const page = await api("GET /api/conversations/:id/messages", { id, limit: 50 });
          take({ ...page, conversation, messages: page.items, typing: [] });
        },
        (answer, heard) => update(takeJoin(answer, true, heard)),
      );
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      if (!isPassing(error)) update(takeLeft(id));
      // The list brings the missing conversations.
      else fetch(id);
      return;
    }
    check(id);
  }

  const join = (conversationId: string): Promise<void> => once(joining, conversationId, joinOnce);

  function once(
    underWay: Map<string, Promise<void>>,
    conversationId: string,
    read: (id: string) => Promise<void>,
  ): Promise<void> {
    const before = underWay.get(conversationId);
    if (before) return before;
    const done = read(conversationId).finally(() => {
      if (underWay.get(conversationId) === done) underWay.delete(conversationId);
    });
    underWay.set(conversationId, done);
    return done;
  }

  return {
    async catchUp(unread, isCurrent) {
      isCatchingUp = true;
      joining.clear();
      reading.clear();
      cancelPause();
      for (let n = 0; isCurrent(); n++) {
        if (await attempt()) break;
        if (!isCurrent()) return;
        await new Promise<void>((resolve) => {
          cancelPause = clock.after(backOffMs(n, random()), resolve);
        });
      }
      if (!isCurrent()) return;
      isCatchingUp = false;
      update(takeUnread(unread));
      fillLater();
      for (const id of mentioned) lookAt(id);
      mentioned.clear();
    },
    noteReceipt(receipt) {
      if (asking > 0 && receipts.length < RECEIPTS_MAX) receipts.push(receipt);
    },
    check,
    fetch,
    join,
    mend({ conversation_id, to_rev }) {
      update(takeLatest(conversation_id, to_rev));
      void join(conversation_id);
    },
  };
}

/** Whether its last message, at least, is here. */
function isShowable({ isLoaded, messages, conversation }: Held): boolean {
  return isLoaded || messages.size > 0 || conversation.last_seq === 0;
}
