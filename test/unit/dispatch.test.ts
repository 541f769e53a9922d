import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { createMetrics } from "../../src/base/metrics.ts";
import { DEFAULT_LIMITS } from "../../src/config/limit-keys.ts";
import type { AckSink } from "../../src/edge/commands/ack-sink.ts";
import { createDispatch } from "../../src/edge/commands/dispatch.ts";
import type { Commands } from "../../src/edge/commands/handler.ts";
import { EdgeLimits } from "../../src/edge/limits/limits.ts";
import { SessionLimits } from "../../src/edge/session/session-limits.ts";
import type { ClientPacket } from "../../src/edge/transport/packet.ts";
import { CLIENT_EVENTS, type ClientEventName } from "../../src/protocol/events.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";
import { FarEnd } from "../support/far-end.ts";

const metrics = createMetrics({ part: "edge", worker: "test" });
afterAll(() => metrics.close());

let clock: FakeClock;
let far: FarEnd;
let handled: string[];
/** What every handler does with its ack. */
let handle: (ack: AckSink) => void | Promise<void>;
let dispatch: ReturnType<typeof createDispatch>;

beforeEach(() => {
  clock = new FakeClock();
  const limits = new EdgeLimits({ limits: DEFAULT_LIMITS, clock, tally: metrics.limits });
  far = new FarEnd({ limits: new SessionLimits(limits, "1") });
  far.begins();
  handled = [];
  handle = (ack) => ack.ok('{"a":1}');
  const commands = Object.fromEntries(
    Object.keys(CLIENT_EVENTS).map((name) => [
      name,
      (_session: unknown, payload: unknown, ack: AckSink) => {
        handled.push(`${name} ${JSON.stringify(payload)}`);
        return handle(ack);
      },
    ]),
  ) as unknown as Commands;
  const log = createLogger({ level: "silent" });
  dispatch = createDispatch({ commands, metrics, clock, log });
});

function says(...data: unknown[]): void {
  packet({ type: 2, id: 7, data });
}

function packet(sent: ClientPacket): void {
  dispatch(far.session, sent);
}

function acks(): unknown[] {
  return far.texts
    .filter((text) => text.startsWith("37"))
    .map((text) => JSON.parse(text.slice(2))[0]);
}

const code = (ack: unknown) => (ack as { error?: { code: string } }).error?.code;

describe("what is right", () => {
  test("[DSP1] goes to its handler and is acknowledged", () => {
    says("mark_read", { conversation_id: "5", seq: 3 });
    expect(handled).toEqual(['mark_read {"conversation_id":"5","seq":3}']);
    expect(acks()).toEqual([{ ok: true, a: 1 }]);
  });

  test("[DSP1] an empty answer is ok alone", () => {
    handle = (ack) => ack.ok("{}");
    says("typing", { conversation_id: "5", is_typing: true });
    expect(acks()).toEqual([{ ok: true }]);
  });

  test("[DSP1] without an acknowledgement wanted none is sent", () => {
    packet({ type: 2, data: ["typing", { conversation_id: "5", is_typing: true }] });
    expect(handled).toHaveLength(1);
    expect(far.texts).toEqual([]);
  });
});

describe("what is wrong is answered, once", () => {
  const NONSENSE: [string, ClientPacket][] = [
    ["an unknown event", { type: 2, id: 7, data: ["shout", {}] }],
    ["an event named like a member of objects", { type: 2, id: 7, data: ["constructor", {}] }],
    ["no payload", { type: 2, id: 7, data: ["typing"] }],
    ["two payloads", { type: 2, id: 7, data: ["typing", {}, {}] }],
    ["a name that is no text", { type: 2, id: 7, data: [42, {}] }],
    ["no data at all", { type: 2, id: 7, data: undefined }],
    ["data that is no list", { type: 2, id: 7, data: "typing" }],
    ["null for a payload", { type: 2, id: 7, data: ["typing", null] }],
    ["a list for a payload", { type: 2, id: 7, data: ["typing", []] }],
    [
      "an unknown key",
      { type: 2, id: 7, data: ["leave_conversation", { conversation_id: "1", x: 1 }] },
    ],
    [
      "a number where an id belongs",
      { type: 2, id: 7, data: ["leave_conversation", { conversation_id: 1 }] },
    ],
    ["a missing key", { type: 2, id: 7, data: ["mark_read", { conversation_id: "1" }] }],
    [
      "a mark of message 0",
      { type: 2, id: 7, data: ["mark_read", { conversation_id: "1", seq: 0 }] },
    ],
    ["a fraction", { type: 2, id: 7, data: ["mark_read", { conversation_id: "1", seq: 1.5 }] }],
    ["binary", { type: 5, id: 7, data: ["mark_read", { conversation_id: "1", seq: 1 }] }],
  ];

  test.each(NONSENSE)("[DSP1] %s", (_what, sent) => {
    packet(sent);
    expect(acks().map(code)).toEqual(["invalid_payload"]);
    expect(handled).toEqual([]);
  });

  test("[DSP1] every event of the contract refuses an empty object or takes it", () => {
    for (const name of Object.keys(CLIENT_EVENTS) as ClientEventName[]) says(name, {});
    expect(acks()).toHaveLength(Object.keys(CLIENT_EVENTS).length);
    expect(new Set(acks().map(code))).toEqual(new Set(["invalid_payload"]));
  });

  test("[DSP2] a handler that throws is internal", () => {
    handle = () => {
      throw new Error("a bug");
    };
    says("mark_read", { conversation_id: "5", seq: 3 });
    expect(acks().map(code)).toEqual(["internal"]);
  });

  test("[DSP2] a handler that rejects is unavailable", async () => {
    handle = () => Promise.reject(new Error("storage is away"));
    says("sync", { conversations: [] });
    await settled();
    expect(acks().map(code)).toEqual(["unavailable"]);
  });

  test("[DSP2] one that answered and then fails has answered", async () => {
    handle = async (ack) => {
      ack.ok("{}");
      throw new Error("after the answer");
    };
    says("sync", { conversations: [] });
    await settled();
    expect(acks()).toEqual([{ ok: true }]);
  });

  test("[DSP2] a second answer is dropped", () => {
    handle = (ack) => {
      ack.ok("{}");
      ack.refuse({ code: "internal", message: "" });
    };
    says("typing", { conversation_id: "5", is_typing: true });
    expect(acks()).toEqual([{ ok: true }]);
  });
});

describe("too much", () => {
  test("[DSP3] is refused with the time to wait, then the session is ended", () => {
    for (let n = 0; n < 501; n++) says("typing", { conversation_id: "5", is_typing: true });
    expect(acks().at(-1)).toMatchObject({
      ok: false,
      error: { code: "rate_limited", retry_after_ms: 20 },
    });
    for (let n = 0; n < 300; n++) says("typing", { conversation_id: "5", is_typing: true });
    expect(far.events("session_ended")).toMatchObject([{ code: "rate_limited", reconnect: true }]);
    expect(far.session.isEnded).toBe(true);
  });

  test("[DSP3] nonsense counts too", () => {
    for (let n = 0; n < 600; n++) says("shout", {});
    expect(far.events("session_ended")).toHaveLength(1);
  });
});

describe("[DSP4] what is refused for its form", () => {
  test("is answered, then rate_limited, then ends the session", () => {
    while (!far.session.isEnded) says("send_message", { nonsense: true });
    const codes = acks().map(code);
    const count = (wanted: string) => codes.filter((one) => one === wanted).length;
    expect([count("invalid_payload"), count("rate_limited")]).toEqual([200, 300]);
    expect(codes.lastIndexOf("invalid_payload")).toBe(199);
  });

  test("does not use up what right events may", () => {
    for (let n = 0; n < 200; n++) says("typing", { nonsense: true });
    says("set_status", { status: "away" });
    expect(handled).toEqual(['set_status {"status":"away"}']);
  });
});
