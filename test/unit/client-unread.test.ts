/** What the SDK shows as unread: [CUN50] and [CUN51] of held-unread.ts. */
import { describe, expect, test } from "vitest";
import { INITIAL_STATE, type State } from "../../src/client/state.ts";
import * as steps from "../../src/client/steps.ts";
import { viewOf } from "../../src/client/views.ts";
import type { ConversationSummary } from "../../src/protocol/conversation-list.ts";
import type { ServerPayload } from "../../src/protocol/events.ts";
import type { Message, User } from "../../src/protocol/schemas.ts";

const ID = "7";
const AT = "2031-01-02T03:04:05.678Z";
const me: User = { id: "1", username: "ann", display_name: "Ann", created_at: AT };

const message = (seq: number, more: Partial<Message> = {}): Message => ({
  ...{ id: `${seq}`, conversation_id: ID, seq, rev: seq + 1, sender_id: "2", client_id: `c${seq}` },
  ...{ body: "x", reply_to_seq: null, created_at: AT, edited_at: null, deleted_at: null },
  ...more,
});

/** A conversation of four messages, of which the third is silent. */
const item = (more: Partial<ConversationSummary> = {}): ConversationSummary => ({
  ...{ id: ID, kind: "group", title: "t", owner_id: "1", created_at: AT },
  members: ["1", "2"].map((user_id) => ({ user_id, delivered_seq: 0, read_seq: 0 })),
  ...{ last_seq: 4, last_n: 3, rev: 5, read_seq: 0, unread_count: 3 },
  last_message: message(4, { n: 3 }),
  ...more,
});
const ready = (unread: ServerPayload<"ready">["unread"]["conversations"] = []) => ({
  user: me,
  session_id: "s",
  server_time: AT,
  token_expires_at: AT,
  unread: { notifications: 0, conversations: unread },
});
const after = (...taken: steps.Step[]): State =>
  taken.reduce((state, step) => step(state), INITIAL_STATE);
const listed = (more: Partial<ConversationSummary> = {}) => [
  steps.takeReady(ready()),
  steps.takeListed([item(more)], []),
];
const shown = (...taken: steps.Step[]) => viewOf(after(...taken), ID)!;
const unread = (...taken: steps.Step[]) => shown(...taken).unread;
const receipt = (read_seq: number, own: object) =>
  steps.takeReceipt({
    conversation_id: ID,
    user_id: "1",
    delivered_seq: read_seq,
    read_seq,
    ...own,
  });
const prefs = (prefs_rev: number, change: object = {}) =>
  steps.takeOwnPrefs({ conversation_id: ID, prefs_rev, ...change });

describe("unread in the SDK", () => {
  test("[CUN50] silent messages do not count, however the cursor comes", () => {
    expect(unread(...listed())).toBe(3);
    expect(unread(...listed(), receipt(2, { unread_count: 1 }))).toBe(1);
    expect(unread(...listed(), receipt(3, { read_n: 2, unread_count: 1 }))).toBe(1);
    expect(unread(...listed(), receipt(4, { read_n: 3, unread_count: 0 }))).toBe(0);
    const silent = message(5, { n: 3, silent: true });
    expect(unread(...listed(), steps.takeMessage(silent))).toBe(3);
    expect(unread(...listed(), steps.takeMessage(message(5, { n: 4 })))).toBe(4);
    const own = message(5, { n: 4, sender_id: "1" });
    expect(unread(...listed(), steps.takeMessage(own))).toBe(0);
    const activity = { conversation_id: ID, last_seq: 9, last_n: 7, rev: 12, read_seq: 1 };
    expect(unread(...listed(), steps.takeActivity({ ...activity, unread_count: 6 }))).toBe(6);
  });

  test("[CUN51] what is marked unread counts from there until the mark goes", () => {
    const read = receipt(4, { read_n: 3, unread_count: 0 });
    const page = steps.takeHistory(ID, [
      message(1),
      message(2),
      message(3, { n: 2, silent: true }),
    ]);
    const marked = [...listed(), page, read, prefs(4, { unread_from_seq: 3 })];
    expect(unread(...marked)).toBe(1);
    expect(unread(...marked, prefs(5, { unread_from_seq: 2 }))).toBe(2);
    expect(unread(...marked, prefs(5))).toBe(0);
    expect(unread(...marked, prefs(5), prefs(4, { unread_from_seq: 1 }))).toBe(0);
    expect(unread(...listed({ read_seq: 4, read_n: 3, unread_from_n: 1 }))).toBe(2);
  });

  test("[CUN51] what is cleared is gone and does not count", () => {
    const page = steps.takeHistory(ID, [
      message(1),
      message(2),
      message(3, { n: 2, silent: true }),
    ]);
    const cleared = after(...listed(), page, prefs(1, { cleared_before_seq: 3 }));
    const view = viewOf(cleared, ID)!;
    expect(view.messages.map(({ seq }) => seq)).toEqual([3, 4]);
    expect(view.unread).toBe(1);
    expect(view.hasOlder).toBe(false);
    expect(unread(...listed(), prefs(1, { cleared_before_seq: 5 }))).toBe(0);
  });

  test("[CUN51] ready says how each conversation stands, if no change came since", () => {
    const held = [...listed(), receipt(4, { read_n: 3, unread_count: 0 })];
    const again = [...held, steps.takeReady(ready())];
    const marked = { conversation_id: ID, last_seq: 4, last_n: 3, read_seq: 4, read_n: 3 };
    const one = { ...marked, unread_from_n: 2, unread_count: 1 };
    const unreadOne = steps.takeUnread({ notifications: 0, conversations: [one] });
    expect(unread(...again, unreadOne)).toBe(1);
    expect(unread(...again, prefs(9), unreadOne)).toBe(0);
    const none = { notifications: 0, conversations: [] };
    expect(unread(...listed(), steps.takeReady(ready()), steps.takeUnread(none))).toBe(0);
    const more = steps.takeUnread({ ...none, more: true });
    expect(unread(...listed(), steps.takeReady(ready()), more)).toBe(3);
  });

  const none = steps.takeUnread({ notifications: 0, conversations: [] });
  const answer = { receipts: [], removed: [], notifications: [], has_more: false };
  const synced = (messages: Message[], rev: number, more: object = {}) =>
    steps.takeSync(
      {
        ...answer,
        conversations: [
          {
            ...{ conversation_id: ID, rev, messages, conversation: null, has_more: false },
            ...{ reset: false, ...more },
          },
        ],
      },
      [],
    );
  const read = receipt(4, { read_n: 3, unread_count: 0 });
  const begun = [...listed(), read, steps.takeReady(ready())];

  test("[CUN50] what was sent after ready was written, and comes with sync, is unread", () => {
    const own = { read_seq: 4, read_n: 3, last_n: 4, unread_count: 1 };
    const missed = synced([message(5, { n: 4 })], 6, own);
    expect(unread(...begun, missed, none)).toBe(1);
    expect(unread(...begun, none)).toBe(0);
    expect(unread(...begun, steps.takeMessage(message(5, { n: 4 })), none)).toBe(1);
    const activity = { conversation_id: ID, last_seq: 5, last_n: 4, rev: 6, read_seq: 4 };
    const heard = steps.takeActivity({ ...activity, read_n: 3, unread_count: 1 });
    expect(unread(...begun, heard, none)).toBe(1);
  });

  test("[CUN50] who left and came again while away has read nothing", () => {
    const { last_message: _, unread_count: __, read_seq: ___, ...conversation } = item({ rev: 7 });
    const own = { read_seq: 0, last_n: 3, unread_count: 3 };
    expect(unread(...begun, synced([], 7, { ...own, conversation }), none)).toBe(3);
    const joined = steps.takeJoin(
      {
        conversation,
        messages: [1, 2, 3, 4].map((seq) => message(seq)),
        has_more: false,
        typing: [],
      },
      false,
      [],
    );
    expect(unread(...listed(), read, joined)).toBe(3);
    const stale = { ...conversation, rev: 5 };
    const late = steps.takeJoin(
      { ...answer, conversation: stale, messages: [], typing: [] },
      false,
      [],
    );
    expect(unread(...listed(), read, late)).toBe(0);
  });

  test("[CUN50] nothing is unread in a thread that is opened and not followed", () => {
    const { last_message: _, ...thread } = item({ kind: "thread", members: [], member_count: 2 });
    const conversation = { ...thread, members_partial: true as const };
    const joined = steps.takeJoin(
      { conversation, messages: [message(4)], has_more: true, typing: [] },
      true,
      [],
    );
    const opened = [steps.takeReady(ready()), joined];
    expect(shown(...opened)).toMatchObject({ unread: 0, conversation: { members: [] } });
    const unfollowed = synced([message(5)], 6, { read_seq: 0, unread_count: 0 });
    expect(unread(...opened, steps.takeReady(ready()), unfollowed, none)).toBe(0);
  });
});
