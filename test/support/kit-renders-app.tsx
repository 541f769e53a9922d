/**
 * The kit on a client whose server is this page, bundled and opened by
 * test/browser/kit-renders.test.ts. It counts which components React has called, and says so to the
 * test as `renders`. `?held=` says how many messages the open conversation has, `?older=` how many of
 * them are read only when they are scrolled to.
 */
import { createRoot } from "react-dom/client";
import { createClient } from "../../src/client/client.ts";
import { systemClock } from "../../src/client/clock.ts";
import type { SocketHandlers } from "../../src/client/ports.ts";
import { Conversation, ConversationList, TroupeUI } from "../../src/client/ui.ts";
import type { Message, Conversation as Talk, User } from "../../src/protocol/schemas.ts";

const AT = "2026-01-01T00:00:00.000Z";
const FIRST_MS = Date.parse(AT);
/** The one that is shown, and the one that is only in the list. */
const OPEN = "7";
const OTHER = "8";
const FEW = 3;
const STILL_FRAMES = 5;
const FRAMES_MAX = 200;
const given = new URLSearchParams(location.search);
const held = Number(given.get("held"));
const older = Number(given.get("older"));
const sizeOf = (id: string): number => (id === OPEN ? held : FEW);

const ada: User = { id: "1", username: "ada", display_name: "Ada", created_at: AT };
const ben: User = { id: "2", username: "ben", display_name: "Ben", created_at: AT };

const talk = (id: string): Talk => ({
  id,
  kind: "group",
  title: `Talk ${id}`,
  owner_id: ada.id,
  created_at: AT,
  members: [ada, ben].map((user) => ({
    user_id: user.id,
    delivered_seq: sizeOf(id),
    read_seq: sizeOf(id),
  })),
  last_seq: sizeOf(id),
  rev: sizeOf(id) + 1,
});

const message = (id: string, seq: number): Message => ({
  id: `${id}${String(seq).padStart(7, "0")}`,
  conversation_id: id,
  seq,
  rev: seq + 1,
  sender_id: seq % 3 === 0 ? ada.id : ben.id,
  client_id: `client-${seq}`,
  body: `Message ${seq} ${"with words ".repeat(seq % 17)}`,
  reply_to_seq: null,
  created_at: new Date(FIRST_MS + seq * 60_000).toISOString(),
  edited_at: null,
  deleted_at: null,
});

/** Those after the one, up to the other. */
const messages = (id: string, from: number, to: number): Message[] =>
  Array.from({ length: to - from }, (_, n) => message(id, from + n + 1));

function answerTo(event: string, payload: Record<string, unknown>): unknown {
  const id = String(payload["conversation_id"]);
  switch (event) {
    case "sync":
      return {
        conversations: [],
        receipts: [],
        removed: [],
        notifications: [],
        prefs: [],
        has_more: false,
      };
    case "join_conversation": {
      const first = id === OPEN ? older : 0;
      const page = "after_rev" in payload ? [] : messages(id, first, sizeOf(id));
      return { conversation: talk(id), messages: page, has_more: false, typing: [] };
    }
    case "watch_presence":
      return {
        statuses: (payload["user_ids"] as string[]).map((user_id) => ({
          user_id,
          status: "online",
          last_seen_at: null,
        })),
      };
    case "mark_read":
    case "mark_delivered": {
      const { seq } = payload;
      const cursors = { delivered_seq: seq, read_seq: seq };
      return { conversation_id: id, user_id: ada.id, ...cursors, unread_count: 0 };
    }
    default:
      return {};
  }
}

function answerOf(path: string): unknown {
  if (path === "/api/conversations") {
    const items = [OPEN, OTHER].map((id) => ({
      ...talk(id),
      last_message: message(id, sizeOf(id)),
      unread_count: 0,
      read_seq: sizeOf(id),
    }));
    return { items, next_cursor: null };
  }
  return path === `/api/users/${ada.id}`
    ? ada
    : path.startsWith("/api/users/")
      ? ben
      : { items: [] };
}

let server: SocketHandlers;
/** Gives the page of older messages that was asked for; null: none was. */
let giveOlder: (() => void) | null = null;

const history = (): Promise<unknown> =>
  new Promise((resolve) => {
    giveOlder = () => resolve({ items: messages(OPEN, 0, older), has_more: false });
  });

const client = createClient(
  { getToken: () => "token" },
  {
    clock: systemClock,
    random: Math.random,
    url: "",
    newClientId: () => crypto.randomUUID(),
    async call(_, address) {
      const path = address.split("?")[0]!;
      return { ok: true, value: path.endsWith("/messages") ? await history() : answerOf(path) };
    },
    makeSocket(handlers) {
      server = handlers;
      const ready = {
        user: ada,
        session_id: "1",
        server_time: AT,
        token_expires_at: "2099-01-01T00:00:00.000Z",
        unread: { notifications: 0, conversations: [] },
      };
      return {
        open: () => queueMicrotask(() => handlers.onEvent("ready", ready)),
        close: () => undefined,
        ask(event, payload, _, take) {
          const value = answerTo(event, payload as Record<string, unknown>);
          // What the contract has as the answer to this event.
          queueMicrotask(() => take({ ok: true, value: value as never }));
        },
      };
    },
  },
);

/** As far as this page reads them, the nodes of React's tree. */
interface Fiber {
  tag: number;
  flags: number;
  type: unknown;
  memoizedProps: { view?: { id: string }; conversationId?: string } | null;
  child: Fiber | null;
  sibling: Fiber | null;
}

/** React's own numbers: a component was called, and which nodes are of a function. */
const CALLED = 1;
const FUNCTIONS: readonly number[] = [0, 11, 15];

const nameOf = (type: unknown): string => {
  const of = type as { name?: string; type?: { name?: string } } | null;
  return of?.name || of?.type?.name || "unnamed";
};

/** Component and the conversation around it → how often it was called. */
const renders = new Map<string, number>();
let known = new Set<Fiber>();

/** A node that the tree did not have before, and that was called, was drawn with this commit. */
function onCommit(root: Fiber): void {
  const now = new Set<Fiber>();
  const look = (from: Fiber | null, around: string): void => {
    for (let node = from; node !== null; node = node.sibling) {
      now.add(node);
      const { view, conversationId } = node.memoizedProps ?? {};
      const id = view?.id ?? conversationId ?? around;
      const isCalled = FUNCTIONS.includes(node.tag) && (node.flags & CALLED) !== 0;
      if (isCalled && !known.has(node)) {
        const name = `${nameOf(node.type)} ${id}`;
        renders.set(name, (renders.get(name) ?? 0) + 1);
      }
      look(node.child, id);
    }
  };
  look(root, "page");
  known = now;
}

const nothing = (): void => undefined;

/** What the test does and reads. */
const tools = {
  renders: () => Object.fromEntries(renders),
  types(is_typing: boolean) {
    server.onEvent("typing", { conversation_id: OTHER, user_id: ben.id, is_typing });
  },
  /** So many messages, evenly over that time. */
  async says(count: number, overMs: number) {
    const from = (client.conversation(OPEN).get()?.conversation.last_seq ?? 0) + 1;
    const start = performance.now();
    for (let n = 0; n < count; ) {
      const due = Math.min(count, 1 + Math.floor(((performance.now() - start) / overMs) * count));
      for (; n < due; n++) server.onEvent("message", message(OPEN, from + n));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },
  isOlderAsked: () => giveOlder !== null,
  /** The older messages and so many new ones come at once. */
  bringsBoth(count: number) {
    giveOlder!();
    const from = client.conversation(OPEN).get()!.conversation.last_seq + 1;
    for (let n = 0; n < count; n++) server.onEvent("message", message(OPEN, from + n));
  },
  /** Resolves when the list has had the same height for some frames, as its rows are measured. */
  async isMeasured() {
    const list = document.querySelector(".troupe-scroll")!;
    for (let still = 0, height = 0, n = 0; still < STILL_FRAMES && n < FRAMES_MAX; n++) {
      await new Promise(requestAnimationFrame);
      still = list.scrollHeight === height ? still + 1 : 0;
      height = list.scrollHeight;
    }
  },
  /** Where a message of the list stands in the page. */
  topOf: (seq: number) =>
    document.querySelector(`[data-seq="${seq}"]`)?.getBoundingClientRect().top ?? null,
  /** Scrolls up for so long; resolves with how long its frames took, the shortest first. */
  async scrolls(forMs: number): Promise<number[]> {
    const list = document.querySelector(".troupe-scroll")!;
    const gaps: number[] = [];
    const start = performance.now();
    for (let last = start; last - start < forMs; ) {
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      gaps.push(now - last);
      last = now;
      list.scrollBy(0, -120);
    }
    return gaps.sort((a, b) => a - b);
  },
};
export type Tools = typeof tools;
// React is given its way to `onCommit` by the page, before it is loaded.
Object.assign(globalThis, { tools, onCommit });

createRoot(document.querySelector("main")!).render(
  <TroupeUI client={client}>
    <div className="panes">
      <ConversationList selected={OPEN} onSelect={nothing} />
      <Conversation id={OPEN} />
    </div>
  </TroupeUI>,
);
