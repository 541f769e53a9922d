/** Events of the log that are emptied of a user, and messages that were emptied together. */
import { describe, expect, it } from "vitest";
import { INITIAL_STATE } from "../../src/client/state.ts";
import * as steps from "../../src/client/steps.ts";
import { viewOf } from "../../src/client/views.ts";
import { emptiedEvent } from "../../src/jobs/emptied-event.ts";
import { wholeRevs } from "../../src/protocol/answer-bytes.ts";
import type { Message } from "../../src/protocol/schemas.ts";

const ANN = "7";
const BOB = "8";
const AT = "2026-01-01T00:00:00.000Z";

const message = (seq: number, rev: number, changes: Partial<Message> = {}): Message => ({
  id: `${seq}`,
  conversation_id: "5",
  seq,
  rev,
  sender_id: ANN,
  client_id: `c${seq}`,
  body: `body ${seq}`,
  reply_to_seq: null,
  created_at: AT,
  edited_at: null,
  deleted_at: null,
  ...changes,
});

describe("an event of the log", () => {
  const created = { t: "message.created", k: "conversation:5", r: 3, a: ANN };

  it("[ERA4] of an erased user's message keeps its place, not its words", () => {
    const event = { ...created, d: { message: message(1, 3, { data: { a: 1 } }) } };
    const emptied = emptiedEvent(event, ANN, "erase") as typeof event;
    expect(emptied).toMatchObject({ ...created, d: { message: { seq: 1, body: "" } } });
    expect(emptied.d.message).not.toHaveProperty("data");
    expect(emptiedEvent(event, ANN, "keep")).toBeNull();
    expect(emptiedEvent(event, BOB, "erase")).toBeNull();
  });

  it("[ERA4] of anything else of the user keeps their id, whether ids are numbers or text", () => {
    const cases: [string, object, object][] = [
      [
        "user.updated",
        { user: { id: ANN, username: "ann", display_name: "Ann", data: {}, created_at: AT } },
        { user: { id: ANN, username: "erased.7", display_name: "", erased: true, data: null } },
      ],
      [
        "post.created",
        { post: { id: 1, author_id: 7, body: "words", data: { a: 1 } } },
        { post: { id: 1, author_id: 7, body: "", data: null } },
      ],
      [
        "notification.created",
        { notification: { user_id: 8, actor_id: 7, message: "Ann follows you", data: null } },
        { notification: { user_id: 8, actor_id: 7, message: "" } },
      ],
      [
        "report.created",
        { report: { author_id: ANN, reporter_id: BOB, note: "n", content: { body: "words" } } },
        { report: { author_id: ANN, reporter_id: BOB, note: null, content: {} } },
      ],
      [
        "member.added",
        { member: { user_id: ANN, read_seq: 1, data: {} }, extra: { data: { a: 1 } } },
        { member: { user_id: ANN, read_seq: 1 }, extra: null },
      ],
    ];
    for (const [t, d, left] of cases) {
      expect(emptiedEvent({ t, k: "user:7", d }, ANN, "keep"), t).toMatchObject({ t, d: left });
      expect(emptiedEvent({ t, k: "user:7", d }, "9", "keep"), t).toBeNull();
    }
  });
});

describe("messages that share a rev", () => {
  const list = [message(1, 2), message(2, 5), message(3, 5), message(4, 5), message(5, 6)];
  const seqs = (count: number) => wholeRevs(list, count).map(({ seq }) => seq);

  it("[ERA9] are never cut in two: fewer where that is possible, else all of the first rev", () => {
    expect(seqs(1)).toEqual([1]);
    expect(seqs(3)).toEqual([1]);
    expect(seqs(4)).toEqual([1, 2, 3, 4]);
    expect(seqs(9)).toEqual([1, 2, 3, 4, 5]);
    expect(wholeRevs(list.slice(1), 2).map(({ seq }) => seq)).toEqual([2, 3, 4]);
  });
});

describe("a client that hears of emptied messages", () => {
  const user = { id: BOB, username: "bob", display_name: "Bob", created_at: AT };
  const member = (user_id: string) => ({ user_id, delivered_seq: 0, read_seq: 0 });
  const begun = [
    steps.takeReady({
      user,
      session_id: "s",
      server_time: AT,
      token_expires_at: AT,
      unread: { notifications: 0, conversations: [] },
    }),
    steps.takeConversation({
      id: "5",
      kind: "group",
      title: "T",
      owner_id: BOB,
      members: [member(ANN), member(BOB)],
      last_seq: 0,
      rev: 1,
      created_at: AT,
    }),
    steps.takeMessage(message(1, 2, { data: { a: 1 } })),
    steps.takeMessage(message(2, 3, { sender_id: BOB, body: "mine" })),
    steps.takeMessage(message(3, 4)),
  ].reduce((state, step) => step(state), INITIAL_STATE);

  it("[ERA9] holds them empty, and goes on from that rev", () => {
    const erased = steps.takeSkipped({ conversation_id: "5", rev: 5, seqs: [1, 3] })(begun);
    const shown = viewOf(erased, "5")!.messages;
    expect(shown.map(({ body }) => body)).toEqual(["", "mine", ""]);
    expect(shown[0]).toMatchObject({ client_id: null, deleted_at: expect.any(String) });
    expect(shown[0]).not.toHaveProperty("data");
    expect(erased.conversations.get("5")!.rev).toBe(5);
  });
});
