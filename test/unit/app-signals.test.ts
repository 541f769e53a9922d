import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { refusalFor } from "../../actors/rights.ts";
import { Tally } from "../../src/base/metrics.ts";
import { DEFAULT_LIMITS } from "../../src/config/limit-keys.ts";
import type { AckSink } from "../../src/edge/commands/ack-sink.ts";
import { Signals } from "../../src/edge/commands/signals.ts";
import { EdgeLimits } from "../../src/edge/limits/limits.ts";
import type { Session } from "../../src/edge/session/session.ts";
import { SessionLimits } from "../../src/edge/session/session-limits.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Conversation, Member } from "../../src/protocol/schemas.ts";
import { signalUnits } from "../../src/protocol/signals.ts";
import { wallTime } from "../../src/protocol/time.ts";
import type { Answered } from "../../src/runtime/gateway.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { SoloActors } from "../support/solo-actors.ts";

describe("in the actor", () => {
  let actors: SoloActors;
  let ann: UserId;
  let bob: UserId;
  let cleo: UserId;
  let room: ConversationId;

  beforeEach(async () => {
    actors = new SoloActors();
    [ann, bob, cleo] = (await actors.users(3)) as [UserId, UserId, UserId];
    room = await actors.group([ann, bob, cleo]);
  });

  afterEach(() => actors.close());

  const asks = (op: string, body: object) => actors.asks(`conversation:${room}`, op, body);
  const signals = (user: UserId, body: object) =>
    asks("signal", { user, session: `s${user}`, ...body });

  test("[SGL1] it is published for the others, with what was sent and nothing more", async () => {
    const told = await signals(ann, { type: "cursor", data: { x: 1 }, key: "k" });
    expect(told).toEqual({ value: { receivers: 2 }, rev: 0 });
    expect(actors.said("signal")).toEqual([
      {
        conversation_id: room,
        user_id: ann,
        type: "cursor",
        data: { x: 1 },
        key: "k",
        sent_at: expect.stringMatching(/Z$/),
      },
    ]);
    expect(actors.events[0]).toMatchObject({ except: ann, rev: 0, note: '{"latest":"cursor:k"}' });
    await signals(bob, { type: "wave" });
    expect(actors.said("signal")[1]).toEqual({
      conversation_id: room,
      user_id: bob,
      type: "wave",
      sent_at: expect.any(String),
    });
    expect(actors.events[1]?.note).toBe("");
  });

  test("[SGL1] of those whom it names only other members receive it", async () => {
    const [stranger] = await actors.users(1);
    const told = await signals(ann, { type: "call", to: [bob, stranger, ann, bob] });
    expect(told).toMatchObject({ value: { receivers: 1 } });
    expect(JSON.parse(actors.events[0]?.note ?? "")).toEqual({ to: [bob] });
    for (const to of [[], [ann], [stranger]]) {
      expect(await signals(ann, { type: "call", to })).toMatchObject({ value: { receivers: 0 } });
    }
    expect(actors.events).toHaveLength(1);
  });

  test("[SGL2] who is no member, or no longer, reaches nobody", async () => {
    const [stranger] = (await actors.users(1)) as [UserId];
    expect(await signals(stranger, { type: "wave" })).toEqual({ code: "not_found" });
    const removal = { user: ann, session: "s", user_id: bob };
    expect(await asks("remove_member", removal)).toHaveProperty("value");
    actors.events.length = 0;
    expect(await signals(bob, { type: "wave" })).toEqual({ code: "not_found" });
    const audience = await asks("signal_audience", { user: bob, session: "s" });
    expect(audience).toEqual({ code: "not_found" });
    expect(actors.said("signal")).toEqual([]);
  });

  test("[SGL2] a role that is too low and a silence refuse it, the silence until when", () => {
    const nowMs = wallTime(1_000);
    const refusalAs = (member: object, conversation: object = {}) => {
      const own = { user_id: ann, delivered_seq: 0, read_seq: 0, ...member };
      const judged = {
        conversation: { kind: "group", owner_id: "9", ...conversation } as Conversation,
        members: new Map([[ann, own as Member]]),
        isBlocked: false,
      };
      const [refusal, other] = (["signal", "signal_audience"] as const).map((op) =>
        refusalFor(judged, op, { user: ann }, nowMs),
      );
      expect(other).toEqual(refusal);
      return refusal;
    };
    const permissions = { signal: "moderator" };
    expect(refusalAs({ role: "reader" })?.code).toBe("forbidden");
    expect(refusalAs({}, { permissions })?.code).toBe("forbidden");
    const until = new Date(1_001).toISOString();
    expect(refusalAs({ silenced_until: until })).toMatchObject({
      code: "forbidden",
      details: { until },
    });
    expect(refusalAs({ role: "moderator" }, { permissions })).toBeNull();
    expect(refusalAs({ silenced_until: new Date(1_000).toISOString() })).toBeNull();
    expect(refusalAs({}, { settings: { frozen: true } })).toBeNull();
  });

  test("[SGL1] a service's is for every member, and from nobody", async () => {
    const told = await asks("service_signal", { type: "round", data: { n: 2 } });
    expect(told).toMatchObject({ value: { receivers: 3 } });
    expect(actors.said("signal")).toMatchObject([{ user_id: null, type: "round", data: { n: 2 } }]);
    expect(actors.events[0]?.except).toBe("");
    const named = await asks("service_signal", { type: "round", to: [cleo] });
    expect(named).toMatchObject({ value: { receivers: 1 } });
  });

  test("[SGL3] many at once keep their order", async () => {
    await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        actors.asking(`conversation:${room}`, "signal", {
          user: ann,
          session: "s",
          type: "n",
          data: { n },
        }),
      ),
    );
    const order = actors.said("signal").map(({ data }) => (data as { n: number }).n);
    expect(order).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });
});

describe("on the edge", () => {
  let clock: FakeClock;
  let limits: EdgeLimits;
  let signals: Signals;
  let asked: { op: string; body: Record<string, unknown>; answered: Answered }[];
  let acks: string[];

  beforeEach(() => {
    clock = new FakeClock();
    limits = new EdgeLimits({ limits: DEFAULT_LIMITS, clock, tally: new Tally() });
    asked = [];
    acks = [];
    signals = new Signals(
      {
        askText: (_key, op, body, _flags, answered) =>
          void asked.push({ op, body: JSON.parse(body), answered }),
      },
      clock,
    );
  });

  function sessionOf(user: string): Session {
    const own = new SessionLimits(limits, user);
    return { id: `s${user}`, user, limits: own } as unknown as Session;
  }

  /** As the dispatch does: the first unit is charged before. */
  function says(session: Session, payload: object, name = "x"): void {
    const verdict = session.limits.take("signal", clock.monotonicMs());
    if (verdict.is !== "allowed") {
      acks.push(`${name} ${verdict.is}`);
      return;
    }
    const ack: AckSink = {
      ok: () => acks.push(`${name} ok`),
      refuse: ({ code }) => acks.push(`${name} ${code}`),
    };
    signals.pass(session, { conversation_id: "1", type: "wave", ...payload }, ack);
  }

  const ops = () => asked.map(({ op }) => op);
  const answers = (at: number, receivers: number) =>
    asked[at]?.answered(true, `{"receivers":${receivers}}`, 0);
  /** So many signals at once, after their audience is known; how many were passed on. */
  function burst(session: Session, payload: object, count: number): number {
    const before = asked.length;
    for (let n = 0; n < count; n++) says(session, payload);
    return asked.length - before;
  }

  test("[SGC1] one to a thousand counts as fifty, one to twenty as one", () => {
    expect([0, 1, 20, 21, 40, 999, 1_000].map(signalUnits)).toEqual([1, 1, 1, 2, 2, 50, 50]);
    const [small, large] = [sessionOf("1"), sessionOf("2")];
    says(small, {}, "first");
    answers(0, 20);
    expect(ops()).toEqual(["signal_audience", "signal"]);
    expect(burst(small, {}, 300)).toBe(199);
    says(large, { conversation_id: "2" });
    answers(asked.length - 1, 999);
    expect(burst(large, { conversation_id: "2" }, 300)).toBe(3);
  });

  test("[SGC1] whom a signal names is what it costs, each once", () => {
    const session = sessionOf("1");
    const to = Array.from({ length: 100 }, (_, n) => `${n}`);
    says(session, { to });
    answers(0, 999);
    expect(burst(session, { to: [...to.slice(0, 20), "1"] }, 300)).toBe(195);
  });

  test("[SGC2] those that come while the size is asked for wait for it, in order", () => {
    const [one, other] = [sessionOf("1"), sessionOf("2")];
    says(one, { data: { n: 1 } });
    says(other, { data: { n: 2 } });
    says(one, { to: ["7"], data: { n: 3 } });
    expect(ops()).toEqual(["signal_audience"]);
    answers(0, 5);
    expect(asked.slice(1).map(({ op, body }) => [op, body["user"], body["data"]])).toEqual([
      ["signal", "1", { n: 1 }],
      ["signal", "2", { n: 2 }],
      ["signal", "1", { n: 3 }],
    ]);
    expect(asked[3]?.body).toEqual({
      user: "1",
      session: "s1",
      type: "wave",
      to: ["7"],
      data: { n: 3 },
    });
  });

  test("[SGC2] one who is no member is refused alone", () => {
    says(sessionOf("1"), {}, "stranger");
    says(sessionOf("2"), {}, "member");
    asked[0]?.answered(false, JSON.stringify({ code: "not_found", message: "" }), 0);
    expect(acks).toEqual(["stranger not_found"]);
    answers(1, 3);
    answers(2, 3);
    expect(ops()).toEqual(["signal_audience", "signal_audience", "signal"]);
    expect(acks).toEqual(["stranger not_found", "member ok"]);
  });

  test("[SGC3] where the conversation has grown, the rest is charged afterwards", () => {
    const session = sessionOf("1");
    says(session, {});
    answers(0, 10);
    answers(1, 999);
    expect(burst(session, {}, 300)).toBe(3);
  });

  test("[LIM7] refused ones take nothing, say when to come again and are no abuse", async () => {
    const session = sessionOf("1");
    says(session, {});
    answers(0, 999);
    for (let n = 0; n < 5_000; n++) says(session, {}, "more");
    expect(acks.filter((ack) => ack !== "more refused")).toEqual([]);
    const passed = () => ops().filter((op) => op === "signal").length;
    expect(passed()).toBe(4);
    // 50 units at 60 a second, although the application goes on without a pause.
    for (let n = 0; n < 100; n++) {
      await clock.advance(10);
      says(session, {}, "later");
    }
    expect(passed()).toBe(5);
  });
});
