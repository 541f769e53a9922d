/**
 * [SDK4] The members that a client holds of a group around the size from which it is shown in
 * parts: whatever comes, goes, is lost and is asked for again, each of them is a member, and all
 * are held once `loadMembers` is done. The server is a list here; the client's rules are the real
 * ones.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Client } from "../../src/client/client.ts";
import { loadMembers } from "../../src/client/members.ts";
import { INITIAL_STATE, type State } from "../../src/client/state.ts";
import {
  type Step,
  takeConversation,
  takeJoin,
  takeListed,
  takeReady,
  takeSync,
} from "../../src/client/steps.ts";
import { withChangedMembers, withFirstMembers, withOwnMember } from "../../src/protocol/members.ts";
import type { Conversation, Member } from "../../src/protocol/schemas.ts";

const ME = "1";
const PAGE = 100;
const CREATED_AT = "2026-01-01T00:00:00.000Z";

class Server {
  rev = 1;
  title = "";
  ids: string[];
  /** Published and not delivered yet. */
  readonly events: Conversation[] = [];
  #last: number;

  constructor(size: number) {
    this.ids = Array.from({ length: size }, (_, n) => String(n + 1));
    this.#last = size;
  }

  get conversation(): Conversation {
    return {
      id: "9",
      kind: "group",
      title: this.title,
      owner_id: ME,
      members: this.ids.map((user_id) => ({ user_id, delivered_seq: 0, read_seq: 0 })),
      last_seq: 0,
      rev: this.rev,
      created_at: CREATED_AT,
    };
  }

  changes(added: number, removed: readonly number[]): void {
    const others = this.ids.filter((id) => id !== ME);
    const gone = new Set(removed.map((n) => others[n % others.length]!));
    // Some come back who were there before, the others are new.
    const addedIds = Array.from({ length: added }, () => String(++this.#last));
    this.ids = [...this.ids.filter((id) => !gone.has(id)), ...addedIds];
    this.#published(addedIds, [...gone]);
  }

  retitles(title: string): void {
    this.title = title;
    this.#published([], []);
  }

  #published(addedIds: string[], removedIds: string[]): void {
    this.rev++;
    this.events.push(withChangedMembers(this.conversation, { addedIds, removedIds }));
  }
}

class Peer {
  state: State = INITIAL_STATE;
  readonly #server: Server;
  readonly #listeners = new Set<(news: Conversation) => void>();
  /** Answers to pages on their way. */
  readonly answers: (() => void)[] = [];

  constructor(server: Server) {
    this.#server = server;
    const user = { id: ME, username: "me", display_name: "Me", created_at: CREATED_AT };
    const unread = { notifications: 0, conversations: [] };
    const ready = { user, session_id: "s", server_time: CREATED_AT, token_expires_at: CREATED_AT };
    this.take(takeReady({ ...ready, unread }));
    const summary = { last_message: null, unread_count: 0, read_seq: 0 };
    this.take(takeListed([{ ...withOwnMember(server.conversation, ME), ...summary }], []));
  }

  get held() {
    return this.state.conversations.get("9")!;
  }

  get memberIds(): string[] {
    return this.held.conversation.members.map(({ user_id }) => user_id);
  }

  take(step: Step): void {
    this.state = step(this.state);
  }

  hears(): void {
    const event = this.#server.events.shift();
    if (event === undefined) return;
    this.take(takeConversation(event));
    for (const listener of this.#listeners) listener(event);
  }

  syncs(): void {
    const { rev, conversation } = this.#server;
    const isNews = rev > this.held.rev;
    this.take(
      takeSync(
        {
          conversations: isNews
            ? [
                {
                  ...{ conversation_id: "9", rev, messages: [], has_more: false, reset: false },
                  ...{ read_seq: 0, unread_count: 0 },
                  conversation: withOwnMember(conversation, ME),
                },
              ]
            : [],
          receipts: [],
          removed: [],
          notifications: [],
          has_more: false,
        },
        [],
      ),
    );
  }

  joins(): void {
    const conversation = withFirstMembers(this.#server.conversation);
    this.take(takeJoin({ conversation, messages: [], has_more: false, typing: [] }, true, []));
  }

  async loads(): Promise<boolean> {
    const api = (_call: string, { cursor }: { cursor?: string }) => {
      const from = cursor === undefined ? 0 : this.#server.ids.indexOf(cursor) + 1;
      // A cursor names a place, also of somebody who has left; here a place is an id.
      const at = cursor !== undefined && from === 0 ? placeOf(this.#server.ids, cursor) : from;
      const items: Member[] = this.#server.conversation.members.slice(at, at + PAGE);
      const hasMore = this.#server.ids.length > at + PAGE;
      const page = { items, next_cursor: hasMore ? items.at(-1)!.user_id : null };
      return new Promise((resolve) => this.answers.push(() => resolve(page)));
    };
    const client = {
      api,
      take: (step: Step) => this.take(step),
      on: (name: string, listener: (news: Conversation) => void) => {
        if (name === "conversation_updated") this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
    return loadMembers(client as unknown as Client, "9");
  }
}

/** Ids rise in the order of joining, but for those who came back. */
function placeOf(ids: readonly string[], cursor: string): number {
  const at = ids.findIndex((id) => Number(id) > Number(cursor));
  return at < 0 ? ids.length : at;
}

const action = fc.oneof(
  fc.record({
    does: fc.constant("change" as const),
    added: fc.nat(3),
    removed: fc.array(fc.nat(200), { maxLength: 3 }),
  }),
  fc.record({ does: fc.constant("retitle" as const), title: fc.string({ maxLength: 3 }) }),
  fc.record({ does: fc.constantFrom("hear" as const, "hear" as const, "lose" as const) }),
  fc.record({ does: fc.constantFrom("sync" as const, "join" as const, "load" as const) }),
  fc.record({ does: fc.constantFrom("answer" as const, "answer" as const) }),
);

it("[SDK4] the members held are members, and all of them once they are loaded", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 95, max: 230 }),
      fc.array(action, { maxLength: 60 }),
      async (size, actions) => {
        const server = new Server(size);
        const peer = new Peer(server);
        const loads: Promise<boolean>[] = [];
        const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
        for (const one of actions) {
          if (one.does === "change") server.changes(one.added, one.removed);
          else if (one.does === "retitle") server.retitles(one.title);
          else if (one.does === "hear") peer.hears();
          else if (one.does === "lose") server.events.shift();
          else if (one.does === "sync") peer.syncs();
          else if (one.does === "join") peer.joins();
          else if (one.does === "load") loads.push(peer.loads());
          else peer.answers.shift()?.();
          await settle();
        }
        while (server.events.length > 0) peer.hears();
        // `sync` finds the lost changes.
        peer.syncs();
        expect(peer.held.rev).toBe(server.rev);
        loads.push(peer.loads());
        await settle();
        for (; peer.answers.length > 0; await settle()) peer.answers.shift()!();
        expect((await Promise.all(loads)).at(-1)).toBe(true);
        expect(peer.memberIds.toSorted()).toEqual(server.ids.toSorted());
        expect(peer.held.conversation.title).toBe(server.title);
        expect(peer.held.conversation.members_partial).toBeUndefined();
      },
    ),
    { numRuns: 150 },
  );
});
