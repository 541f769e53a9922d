/** Messages: sending, repeating, history, editing and deleting, over sockets and HTTP alike. */
import { describe, expect, it } from "vitest";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { expectErrorObject, expectRefusal, ID, TIME, upTo } from "../support/expectations.ts";
import type { Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const NOBODY = "9223372036854775807";
const troupe = troupeForFile({ shared: true });

async function pair(): Promise<{ ann: Person; bob: Person; direct: Conversation; path: string }> {
  const [ann, bob] = await troupe().users("ann", "bob");
  const direct = await ann!.startsDirect(bob!);
  const path = `/api/conversations/${direct.id}/messages`;
  return { ann: ann!, bob: bob!, direct, path };
}

const history = (person: Person, path: string, query = "") =>
  person.api.get<{ items: Message[]; has_more: boolean }>(`${path}${query}`);

describe("sending", () => {
  it("[CTR-MSG1] the acknowledgement carries the message as everyone will see it", async () => {
    const { ann, bob, direct, path } = await pair();
    const session = await ann.connects();
    const answer = await session.does("send_message", {
      conversation_id: direct.id,
      client_id: "the first",
      body: "Hello, Bob",
    });
    expect(Object.keys(answer).sort()).toEqual(["message", "ok"]);
    expect(answer.message).toEqual({
      id: expect.stringMatching(ID),
      conversation_id: direct.id,
      seq: 1,
      rev: 2,
      sender_id: ann.id,
      client_id: "the first",
      body: "Hello, Bob",
      reply_to_seq: null,
      created_at: expect.stringMatching(TIME),
      edited_at: null,
      deleted_at: null,
    });
    expect((await history(bob, path)).body).toEqual({ items: [answer.message], has_more: false });
  });

  it("[CTR-MSG2] over HTTP a send is 201, and 200 with the first message when repeated", async () => {
    const { ann, path } = await pair();
    const first = await ann.api.post<Message>(path, { client_id: "c1", body: "once" });
    expect(first.status, first.text).toBe(201);
    const again = await ann.api.post<Message>(path, { client_id: "c1", body: "another text" });
    expect(again.status, again.text).toBe(200);
    expect(again.body).toEqual(first.body);
  });

  it("[CTR-MSG3] a repeated client_id is answered with duplicate: true, by any way", async () => {
    const { ann, direct, path } = await pair();
    const sessions = await troupe().sessionOnEachWorker(ann);
    const first = await ann.api.post<Message>(path, { client_id: "c1", body: "once" });
    for (const session of sessions) {
      const answer = await session.does("send_message", {
        conversation_id: direct.id,
        client_id: "c1",
        body: "once",
      });
      expect(answer).toEqual({ ok: true, message: first.body, duplicate: true });
    }
    expect(await ann.reads(direct.id)).toEqual([first.body]);
  });

  it("[CTR-MSG4] however often and wherever it is retried at once, it is one message", async () => {
    const { ann, bob, direct, path } = await pair();
    const sessions = await troupe().sessionOnEachWorker(ann);
    const payload = { conversation_id: direct.id, client_id: "same", body: "once" };
    const acks = await Promise.all(
      upTo(12).map((i) => sessions[i % sessions.length]!.does("send_message", payload)),
    );
    const posts = await Promise.all(
      upTo(6).map(() => ann.api.post<Message>(path, { client_id: "same", body: "once" })),
    );
    const firsts = acks.filter((answer) => answer.duplicate === undefined);
    expect(firsts).toHaveLength(1);
    for (const answer of acks) expect(answer.message).toEqual(firsts[0]!.message);
    for (const answer of posts) expect(answer.body).toEqual(firsts[0]!.message);
    expect(await bob.reads(direct.id)).toEqual([firsts[0]!.message]);
  });

  it("[CTR-MSG5] another sender's or another conversation's client_id is another", async () => {
    const { ann, bob, direct, path } = await pair();
    const group = await ann.startsGroup(bob);
    const body = { client_id: "c1", body: "mine" };
    const answers = [
      await ann.api.post<Message>(path, body),
      await bob.api.post<Message>(path, body),
      await ann.api.post<Message>(`/api/conversations/${group.id}/messages`, body),
    ];
    expect(answers.map((answer) => answer.status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(3);
    expect((await bob.reads(direct.id)).map((message) => message.sender_id)).toEqual([
      ann.id,
      bob.id,
    ]);
  });

  it("[CTR-MSG6] a repeated client_id answers the message as it is now", async () => {
    const { ann, path } = await pair();
    const send = () => ann.api.post<Message>(path, { client_id: "c1", body: "first words" });
    await send();
    const edited = await ann.api.patch<Message>(`${path}/1`, { body: "better words" });
    expect((await send()).body).toEqual(edited.body);
    const deleted = await ann.api.delete<Message>(`${path}/1`);
    expect((await send()).body).toEqual(deleted.body);
  });

  it("[CTR-MSG7] with everyone sending at once, seq is 1, 2, 3 … without gaps", async () => {
    const { ann, bob, direct } = await pair();
    const sessions = [
      ...(await troupe().sessionOnEachWorker(ann)),
      ...(await troupe().sessionOnEachWorker(bob)),
    ];
    const sent = await Promise.all(
      upTo(120).map((i) => sessions[i % sessions.length]!.sends(direct.id, `message ${i}`)),
    );
    const stored = await ann.reads(direct.id);
    expect(stored.map((message) => message.seq)).toEqual(upTo(120));
    expect(stored.map((message) => message.rev)).toEqual(upTo(120).map((i) => i + 1));
    expect([...sent].sort((a, b) => a.seq - b.seq)).toEqual(stored);
  });

  it("[CTR-MSG8] one session's sends are numbered in their order", async () => {
    const { ann, direct } = await pair();
    const session = await ann.connects();
    const sent = await Promise.all(upTo(40).map((i) => session.sends(direct.id, `${i}`)));
    expect(sent.map((message) => message.seq)).toEqual(upTo(40));
  });

  it("[CTR-MSG9] a send moves the sender's own cursors to its message", async () => {
    const { ann, bob, direct, path } = await pair();
    await ann.api.post(path, { client_id: "1", body: "one" });
    await (await bob.connects()).sends(direct.id, "two");
    const { body } = await ann.api.get<Conversation>(`/api/conversations/${direct.id}`);
    expect(body.members).toEqual(
      expect.arrayContaining([
        { user_id: ann.id, delivered_seq: 1, read_seq: 1 },
        { user_id: bob.id, delivered_seq: 2, read_seq: 2 },
      ]),
    );
  });

  it("[CTR-MSG10] a reply names a message that is there", async () => {
    const { ann, bob, direct, path } = await pair();
    await ann.posts(direct.id, "a question");
    const session = await bob.connects();
    const reply = await session.sends(direct.id, "an answer", { reply_to_seq: 1 });
    expect(reply.reply_to_seq).toBe(1);
    for (const reply_to_seq of [3, 99, 0, -1, 1.5, "1"]) {
      const payload = { client_id: `r${reply_to_seq}`, body: "x", reply_to_seq };
      expectRefusal(await bob.api.post(path, payload), "invalid_payload");
      const error = await session.isRefused("send_message", {
        conversation_id: direct.id,
        ...payload,
      });
      expectErrorObject(error, "invalid_payload");
    }
    expect(await ann.reads(direct.id)).toHaveLength(2);
  });

  it("[CTR-MSG11] who is no member cannot send, edit, delete or mark", async () => {
    const { ann, direct } = await pair();
    await ann.posts(direct.id, "secret");
    const cleo = await (await troupe().user("cleo")).connects();
    for (const conversation_id of [direct.id, NOBODY]) {
      for (const [event, payload] of [
        ["send_message", { client_id: "c", body: "hi" }],
        ["edit_message", { seq: 1, body: "hi" }],
        ["delete_message", { seq: 1 }],
        ["mark_read", { seq: 1 }],
        ["mark_delivered", { seq: 1 }],
        ["typing", { is_typing: true }],
        ["join_conversation", {}],
      ] as const) {
        const error = await cleo.isRefused(event, { conversation_id, ...payload });
        expectErrorObject(error, "not_found");
      }
    }
    expect(await ann.reads(direct.id)).toHaveLength(1);
  });
});

describe("text", () => {
  it.each([
    ["4,000 code points outside the basic plane", "🎭".repeat(4000)],
    ["4,000 letters", "x".repeat(4000)],
    ["one letter", "x"],
    ["markup", `<script>alert("1")</script> & 'quotes' \\u0041 %41`],
    ["tabs and newlines", "\tone\n\ntwo "],
    ["combining marks and right to left", "é e\u0301 \u202eשלום\u202c مرحبا 👩‍👩‍👧‍👦"],
    ["separators of JSON and JavaScript", "a\u2028b\u2029c"],
  ])("[CTR-MSG12] %s comes back as sent", async (_, body) => {
    const { ann, bob, direct } = await pair();
    const listener = await bob.connects();
    const sent = await (await ann.connects()).sends(direct.id, body);
    expect(sent.body).toBe(body);
    expect((await listener.next("message")).body).toBe(body);
    expect((await bob.reads(direct.id))[0]!.body).toBe(body);
  });

  it.each([
    ["nothing", ""],
    ["4,001 code points", "🎭".repeat(4001)],
    ["4,001 letters", "x".repeat(4001)],
    ["Unicode white space only", " \t\n\u00a0\u2003\u3000\u2028"],
    ["a null character", "a\u0000b"],
    ["an escape character", "a\u001bb"],
    ["a carriage return", "a\rb"],
    ["a C1 control", "a\u0085b"],
    ["delete", "a\u007fb"],
    ["a lone high surrogate", "a\ud83cb"],
    ["a lone low surrogate", "a\udfadb"],
    ["a number", 42],
    ["null", null],
    ["an array", ["text"]],
  ])("[CTR-MSG13] a body of %s is refused, in a message and in an edit", async (_, body) => {
    const { ann, direct, path } = await pair();
    await ann.posts(direct.id, "fine");
    expectRefusal(await ann.api.post(path, { client_id: "c", body }), "invalid_payload");
    expectRefusal(await ann.api.patch(`${path}/1`, { body }), "invalid_payload");
    const session = await ann.connects();
    const conversation_id = direct.id;
    const payloads = { send_message: { client_id: "c", body }, edit_message: { seq: 1, body } };
    for (const [event, payload] of Object.entries(payloads)) {
      const error = await session.isRefused(event, { conversation_id, ...payload });
      expectErrorObject(error, "invalid_payload");
    }
    expect((await ann.reads(direct.id)).map((message) => message.body)).toEqual(["fine"]);
  });

  it("[CTR-MSG14] a client_id is 1–64 printable ASCII characters", async () => {
    const { ann, path } = await pair();
    for (const client_id of ["x", " ", "~".repeat(64), `'";--<>&\\`]) {
      const answer = await ann.api.post<Message>(path, { client_id, body: "fine" });
      expect(answer.status, answer.text).toBe(201);
      expect(answer.body.client_id).toBe(client_id);
    }
    for (const client_id of ["", "x".repeat(65), "é", "a\tb", "a\nb", "x\n", "\u007f", 7, null]) {
      const answer = await ann.api.post(path, { client_id, body: "x" });
      expectRefusal(answer, "invalid_payload");
    }
    expectRefusal(await ann.api.post(path, { body: "without" }), "invalid_payload");
  });
});

describe("history", () => {
  it("[CTR-MSG15] pages go back and forth by seq, ascending, with has_more", async () => {
    const { ann, bob, direct, path } = await pair();
    const session = await ann.connects();
    await Promise.all(upTo(60).map((i) => session.sends(direct.id, `message ${i}`)));
    const seqs = async (query: string) => {
      const answer = await history(bob, path, query);
      expect(answer.status, answer.text).toBe(200);
      expect(Object.keys(answer.body).sort()).toEqual(["has_more", "items"]);
      return [answer.body.items.map((message) => message.seq), answer.body.has_more];
    };
    const range = (from: number, to: number) => upTo(60).slice(from - 1, to);
    expect(await seqs("")).toEqual([range(11, 60), true]);
    expect(await seqs("?limit=100")).toEqual([range(1, 60), false]);
    expect(await seqs("?limit=60")).toEqual([range(1, 60), false]);
    expect(await seqs("?before_seq=11")).toEqual([range(1, 10), false]);
    expect(await seqs("?before_seq=11&limit=4")).toEqual([range(7, 10), true]);
    expect(await seqs("?before_seq=1")).toEqual([[], false]);
    expect(await seqs("?after_seq=55")).toEqual([range(56, 60), false]);
    expect(await seqs("?after_seq=0&limit=5")).toEqual([range(1, 5), true]);
    expect(await seqs("?after_seq=60")).toEqual([[], false]);
    expect(await seqs("?after_seq=1000")).toEqual([[], false]);
    expect(await seqs("?before_seq=1000&limit=1")).toEqual([[60], true]);
  });

  it.each([
    "?limit=0",
    "?limit=101",
    "?limit=ten",
    "?before_seq=-1",
    "?before_seq=x",
    "?after_seq=-1",
    "?after_seq=1.5",
    "?after_seq=99999999999999999999",
    "?cursor=1",
    "?x=1",
  ])("[CTR-MSG16] history%s is invalid_payload", async (query) => {
    const { ann, path } = await pair();
    expectRefusal(await history(ann, path, query), "invalid_payload");
  });
});

describe("editing and deleting", () => {
  it("[CTR-MSG17] the sender edits: same seq, next rev, edited_at", async () => {
    const { ann, bob, direct, path } = await pair();
    const message = await ann.posts(direct.id, "teh words");
    await ann.posts(direct.id, "another");
    const answer = await ann.api.patch<Message>(`${path}/1`, { body: "the words" });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body).toEqual({
      ...message,
      body: "the words",
      rev: 4,
      edited_at: expect.stringMatching(TIME),
    });
    expect((await bob.reads(direct.id))[0]).toEqual(answer.body);
  });

  it("[CTR-MSG18] the sender deletes: deleted_at, empty body; again answers it as it is", async () => {
    const { ann, bob, direct, path } = await pair();
    const message = await ann.posts(direct.id, "regrettable");
    const answer = await ann.api.delete<Message>(`${path}/1`);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body).toEqual({
      ...message,
      body: "",
      rev: 3,
      deleted_at: expect.stringMatching(TIME),
    });
    expect((await ann.api.delete<Message>(`${path}/1`)).body).toEqual(answer.body);
    const again = await (await ann.connects()).does("delete_message", {
      conversation_id: direct.id,
      seq: 1,
    });
    expect(again.message).toEqual(answer.body);
    expect(await bob.reads(direct.id)).toEqual([answer.body]);
    expectRefusal(await ann.api.patch(`${path}/1`, { body: "undo" }), "conflict");
  });

  it("[CTR-MSG19] another's message is forbidden, an absent one not_found", async () => {
    const { ann, bob, direct, path } = await pair();
    const message = await ann.posts(direct.id, "Ann's");
    expectRefusal(await bob.api.patch(`${path}/1`, { body: "Bob's" }), "forbidden");
    expectRefusal(await bob.api.delete(`${path}/1`), "forbidden");
    expectRefusal(await bob.api.patch(`${path}/2`, { body: "Bob's" }), "not_found");
    expectRefusal(await bob.api.delete(`${path}/2`), "not_found");
    for (const seq of ["0", "-1", "x", "1.5", "01"]) {
      expectRefusal(await bob.api.delete(`${path}/${seq}`), "invalid_payload");
    }
    const session = await bob.connects();
    const conversation_id = direct.id;
    const edit = { conversation_id, seq: 1, body: "Bob's" };
    expectErrorObject(await session.isRefused("edit_message", edit), "forbidden");
    expectErrorObject(await session.isRefused("delete_message", edit), "invalid_payload");
    const remove = { conversation_id, seq: 1 };
    expectErrorObject(await session.isRefused("delete_message", remove), "forbidden");
    expectErrorObject(
      await session.isRefused("delete_message", { conversation_id, seq: 2 }),
      "not_found",
    );
    expect(await bob.reads(direct.id)).toEqual([message]);
  });

  it("[CTR-MSG20] of an edit and a deletion at once, the deletion stays", async () => {
    const { ann, bob, direct, path } = await pair();
    for (const seq of upTo(6)) {
      await ann.posts(direct.id, "words");
      await Promise.all([
        ann.api.patch(`${path}/${seq}`, { body: "other words" }),
        ann.api.delete(`${path}/${seq}`),
      ]);
    }
    for (const message of await bob.reads(direct.id)) {
      expect(message).toMatchObject({ body: "", deleted_at: expect.stringMatching(TIME) });
    }
  });
});
