/**
 * [PAR1] Every reader of what another process, thread or host sends, under fuzz: nothing is thrown
 *        at whoever carries the bytes, what cannot be read is dropped and counted, and what comes
 *        behind it in good order is handled. fast-check prints the seed.
 */
import { Duplex } from "node:stream";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { Behaviour } from "../../actors/behaviour.ts";
import { Malformed } from "../../src/base/errors.ts";
import { Tally } from "../../src/base/metrics.ts";
import { KnownRevocations } from "../../src/edge/auth/revocations.ts";
import { UsageSharing } from "../../src/edge/limits/usage-sharing.ts";
import { HostTalk } from "../../src/primary/host-talk.ts";
import { Switchboard } from "../../src/primary/switchboard.ts";
import { ActorRuntime } from "../../src/runtime/actor-runtime.ts";
import { BatchLink, createLine } from "../../src/runtime/batch-link.ts";
import { isForTroupe, isSocketHandover, readOpsQuestion } from "../../src/runtime/control.ts";
import { Exchange } from "../../src/runtime/exchange.ts";
import {
  areWholeFrames,
  decodeAt,
  eachFrame,
  eachFrameSafely,
  encode,
  FLAG,
  FRAME,
  type Frame,
  frame,
} from "../../src/runtime/frames.ts";
import { Pipe } from "../../src/runtime/pipe.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

const RUNS = 400;

/** JSON of any shape, text that is none, and names that objects have by nature. */
const text = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc.string({ maxLength: 30 }),
  fc.constantFrom("", "null", "[]", "{", '{"__proto__":1}', '{"workers":[1]}', '"x"'),
);
const name = fc.oneof(
  fc.constantFrom("message", "suspension", "login_ended", "gap", "ops", "tls", "drain", "settled"),
  fc.string({ unit: "binary-ascii", maxLength: 20 }),
);
const key = fc.constantFrom(
  "conversations:1",
  "conversation:1",
  "limits",
  "revocations",
  "__proto__:1",
  "constructor:1",
  ":",
  "",
  "ops",
);
const incarnation = fc.constantFrom("", "w1", "w2", "a.primary");
const someFrame: fc.Arbitrary<Frame> = fc.record({
  type: fc.constantFrom(...Object.values(FRAME)),
  flags: fc.nat({ max: 255 }),
  to: incarnation,
  from: incarnation,
  corr: fc.constantFrom(0, 1, 2, 0x80000001),
  view: fc.constantFrom(0, 1, 7),
  rev: fc.nat({ max: 20_000 }),
  key,
  name,
  except: fc.constant(""),
  note: text,
  body: text,
});

/** Frames in a row, as they are or with bytes of them changed, cut off or repeated. */
const bytes = fc
  .tuple(
    fc.array(someFrame, { maxLength: 6 }),
    fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }),
    fc.nat({ max: 40 }),
  )
  .map(([frames, changes, cut]) => {
    const batch = Buffer.concat(frames.map(encode));
    for (const [at, byte] of changes) if (batch.length > 0) batch[at % batch.length] = byte;
    return batch.subarray(0, Math.max(0, batch.length - cut));
  });
const garbage = fc.oneof(
  bytes,
  fc.uint8Array({ maxLength: 100 }).map((some) => Buffer.from(some)),
);

const LAST = encode(frame(FRAME.event, { key: "conversations:1", name: "last", body: "{}" }));

class Lines {
  readonly isFull = false;
  readonly said: Frame[] = [];
  send(f: Frame): void {
    // As a line does, which is where a field of the wrong type would throw.
    encode(f);
    this.said.push(f);
  }
  sendBytes(some: Uint8Array): void {
    this.said.push(decodeAt(Buffer.from(some), 0));
  }
  flush(): void {
    // Nothing is held back here.
  }
  hold(): void {
    // Never asked to: it is never full.
  }
  release(): void {
    // Nothing is held.
  }
  pauseReading(): void {
    // Nobody else is full.
  }
  resumeReading(): void {
    // It never paused.
  }
}

class CountedDrops {
  readonly noted: string[] = [];
  readonly faults: unknown[] = [];
  note(source: string, reason: string, fault?: unknown): void {
    this.noted.push(`${source} ${reason}`);
    this.faults.push(fault);
  }
}

const afterwards: (() => void)[] = [];
afterEach(() => {
  for (const undo of afterwards.splice(0)) undo();
});

const judge = (holds: (some: Buffer) => void) =>
  fc.assert(fc.property(garbage, holds), { numRuns: RUNS });

describe("[PAR1] frames", () => {
  test("[FRM4] any bytes are read to their end, or to where they are malformed, without a throw", () => {
    judge((some) => {
      const seen: number[] = [];
      const dropped: string[] = [];
      eachFrameSafely(
        some,
        (at, length) => {
          decodeAt(some, at);
          expect(at + length).toBeLessThanOrEqual(some.length);
          seen.push(at);
        },
        (reason) => dropped.push(reason),
      );
      expect(dropped).toEqual(areWholeFrames(some) ? [] : ["malformed"]);
    });
  });

  test("[FRM4] texts that do not fit into their frame make it malformed", () => {
    for (const at of [6, 7, 20, 21, 22, 23, 24]) {
      const one = encode(frame(FRAME.tell, { to: "w1", key: "k", body: "b" }));
      one[at] = 255;
      expect(() => decodeAt(one, 0)).toThrow(Malformed);
      expect(areWholeFrames(one)).toBe(false);
    }
  });

  test("[FRM4] a handler that throws costs its own frame only", () => {
    const three = Buffer.concat([LAST, LAST, LAST]);
    const seen: number[] = [];
    const dropped: string[] = [];
    eachFrameSafely(
      three,
      (at) => {
        seen.push(at);
        if (seen.length === 1) JSON.parse("{");
        if (seen.length === 2) throw new Error("a bug");
      },
      (reason) => dropped.push(reason),
    );
    expect(seen).toHaveLength(3);
    expect(dropped).toEqual(["malformed", "failed"]);
  });
});

test("[PAR1] a pipe gives whole frames, or ends with a reason", async () => {
  await fc.assert(
    fc.asyncProperty(garbage, fc.integer({ min: 1, max: 60 }), async (some, step) => {
      const closed: string[] = [];
      const stream = new Duplex({ read: () => undefined, write: (_c, _e, done) => done() });
      const pipe = new Pipe(stream, {
        frames: (got) => eachFrame(got, (at) => void decodeAt(got, at)),
        closed: (why) => closed.push(why),
      });
      for (let at = 0; at < some.length; at += step) stream.push(some.subarray(at, at + step));
      await settled();
      expect(closed.length).toBeLessThanOrEqual(1);
      pipe.close("over");
    }),
    { numRuns: 150 },
  );
});

test("[PAR1] the line between edge and thread goes on behind what cannot be read", async () => {
  const [near, far] = createLine();
  const drops = new CountedDrops();
  const heard: string[] = [];
  const stuck: string[] = [];
  const link = new BatchLink(near, {
    frames: () => undefined,
    stuck: (why) => stuck.push(String(why)),
  });
  new BatchLink(far, {
    frames: (some) =>
      eachFrameSafely(
        some,
        (at) => heard.push(decodeAt(some, at).name),
        (reason, fault) => drops.note("thread", reason, fault),
      ),
    stuck: (why) => stuck.push(String(why)),
  });
  afterwards.push(() => near.port.close());
  // Not through the link: what it gathers meanwhile would lie in one batch with them.
  for (const some of fc.sample(garbage, 100)) near.port.postMessage(Uint8Array.from(some));
  link.sendBytes(LAST);
  await eventually("the last frame has come", () => heard.includes("last"));
  expect(drops.noted.length).toBeGreaterThan(0);
  expect(stuck).toEqual([]);
});

describe("[PAR1] the switchboard", () => {
  for (const from of ["a worker", "another host"] as const) {
    test(`takes anything from ${from}`, () => {
      judge((some) => {
        const drops = new CountedDrops();
        const uplink = { publish: () => undefined, send: () => false, interest: () => null };
        const talk = new HostTalk({
          self: "a",
          send: () => true,
          answer: (_name, body) => Promise.resolve(JSON.stringify(readOpsQuestion(body))),
          onFault: () => undefined,
        });
        const board = new Switchboard(uplink, { tally: new Tally(), drops }, (_life, heard) =>
          talk.heard(heard),
        );
        const line = new Lines();
        board.attach("w1", line);
        board.attach("w2", new Lines());
        board.fromWorker("w1", encode(frame(FRAME.subscribe, { body: "conversations:1" })));
        if (from === "a worker") board.fromWorker("w2", some);
        else board.fromUplink(some);
        board.fromUplink(LAST);
        expect(line.said.at(-1)?.name).toBe("last");
        expect(drops.noted.every((it) => it.endsWith("malformed"))).toBe(true);
        talk.close();
      });
    });
  }
});

describe("[PAR1] the exchange", () => {
  for (const from of ["primary", "thread"] as const) {
    test(`takes anything from the ${from}`, () => {
      judge((some) => {
        const clock = new FakeClock();
        const drops = new CountedDrops();
        const events: string[] = [];
        const exchange = new Exchange({
          incarnation: "w1",
          isCluster: true,
          clock,
          pipe: new Lines(),
          thread: new Lines(),
          drops,
          onEvent: (event) => events.push(event.name),
          onView: () => undefined,
          onControl: () => undefined,
          onBatchEnd: () => undefined,
        });
        const take = (got: Buffer) =>
          from === "primary" ? exchange.fromPrimary(got) : exchange.fromThread(got);
        take(some);
        take(LAST);
        expect(events.at(-1)).toBe("last");
        exchange.close();
      });
    });
  }

  test("[ASK1] an answer that cannot be read is an answer: internal", async () => {
    const clock = new FakeClock();
    const drops = new CountedDrops();
    const pipe = new Lines();
    const exchange = new Exchange({
      incarnation: "w1",
      isCluster: true,
      clock,
      pipe,
      thread: new Lines(),
      drops,
      onEvent: () => undefined,
      onView: () => undefined,
      onControl: () => undefined,
      onBatchEnd: () => undefined,
    });
    const view = {
      number: 1,
      workers: [{ incarnation: "w2", slot: "b/0" }],
      draining: [],
      away: [],
    };
    exchange.fromPrimary(encode(frame(FRAME.view, { view: 1, body: JSON.stringify(view) })));
    for (const flags of [FLAG.ok, 0]) {
      const answer = exchange.gateway.ask("user", "7", "status", {} as never);
      const { corr } = pipe.said.at(-1)!;
      exchange.fromPrimary(
        encode(frame(FRAME.answer, { from: "w2", to: "w1", corr, flags, body: "{" })),
      );
      expect(await answer).toMatchObject({ ok: false, error: { code: "internal" } });
    }
    expect(drops.noted).toEqual(["pipe malformed", "pipe malformed"]);
    exchange.close();
  });
});

test("[PAR1] an actor host takes any frame, and what is no JSON costs no activation", async () => {
  const clock = new FakeClock();
  const drops = new CountedDrops();
  const bugs: unknown[] = [];
  const received: unknown[] = [];
  const behaviour: Behaviour = {
    kind: "conversation",
    idleMs: 1_000,
    activate: async () => ({}),
    receive: (_state: unknown, message: { body: unknown }) => void received.push(message.body),
  } as never;
  const answers: Frame[] = [];
  const host = new ActorRuntime({
    clock,
    self: "w1",
    behaviours: { conversation: behaviour },
    send: (f) => answers.push(f),
    onBug: (_key, bug) => bugs.push(bug),
    onMalformed: (_key, fault) => drops.note("thread", "malformed", fault),
  });
  host.setView({
    number: 7,
    workers: [{ incarnation: "w1", slot: "a/0" }],
    draining: [],
    away: [],
  });
  for (const f of fc.sample(someFrame, 500)) host.deliver(f);
  await settled();
  const before = host.stats.activated["conversation"];
  const bad = frame(FRAME.ask, {
    key: "conversation:1",
    from: "w1",
    to: "w1",
    rev: 5_000,
    corr: 9,
  });
  host.deliver({ ...bad, body: "{" });
  expect(answers.at(-1)).toMatchObject({ type: FRAME.answer, corr: 9, flags: 0 });
  expect(answers.at(-1)?.body).toContain("internal");
  host.deliver({ ...bad, body: '"after"' });
  expect(received.at(-1)).toBe("after");
  expect(host.stats.activated["conversation"]).toBe(before);
  expect(Object.keys(host.stats.activated)).toEqual(["conversation"]);
  expect(drops.noted.length).toBeGreaterThan(0);
  expect(bugs).toEqual([]);
  host.close();
});

describe("[PAR1] topics that edges speak to each other", () => {
  const isUnreadable = (error: unknown) =>
    error instanceof Malformed || error instanceof SyntaxError;

  test("limits: any text debits, or is unreadable and debits nothing", () => {
    const debits: [string, number][] = [];
    const spending = new UsageSharing({
      clock: new FakeClock(),
      self: "w1",
      edges: () => 2,
      takeReports: () => true,
      ownerOf: () => null,
      publish: () => undefined,
      report: () => undefined,
    });
    spending.add("send", {
      allowance: { perS: 1, burst: 1 },
      debit: (k: string, n: number) => debits.push([k, n]),
    } as never);
    const told = fc.oneof(
      text,
      fc
        .dictionary(fc.constantFrom("send", "__proto__", "x"), fc.jsonValue())
        .map((value) => JSON.stringify(value)),
      fc.constantFrom('{"send":[["a",-1]]}', '{"send":[["a",1e999]]}', '{"send":[["a","1"]]}'),
    );
    fc.assert(
      fc.property(told, (body) => {
        debits.splice(0);
        try {
          spending.heard(body);
        } catch (error) {
          expect(isUnreadable(error)).toBe(true);
          expect(debits).toEqual([]);
        }
        for (const [k, n] of debits) {
          expect(k).toBeTypeOf("string");
          expect(n).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: RUNS },
    );
    spending.heard('{"send":[["ann",3]],"of a later version":[]}');
    expect(debits).toEqual([["ann", 3]]);
  });

  test("revocations: any text shuts somebody out by name, or is unreadable", () => {
    const ended: unknown[] = [];
    const known = new KnownRevocations({
      clock: new FakeClock(),
      log: { warn: () => undefined } as never,
      accessTokenTtlS: 900,
      accounts: {
        shutOutWithin: async () => ({
          families: [],
          suspensions: [],
          cuts: [],
          tokens: [],
          rulesRev: 0,
        }),
      },
      exchange: () => ({ publish: () => undefined }),
      onRulesRev: () => undefined,
      onCut: () => undefined,
      onRevoked: (family, user) => ended.push(family, user),
      onRevokedFound: () => undefined,
      onSuspended: (user) => ended.push(user),
    });
    fc.assert(
      fc.property(fc.constantFrom("login_ended", "suspension", "x"), text, (event, body) => {
        try {
          known.onEvent(frame(FRAME.event, { key: "revocations", name: event, body }));
        } catch (error) {
          expect(isUnreadable(error)).toBe(true);
        }
        for (const one of ended) expect(one).toBeTypeOf("string");
      }),
      { numRuns: RUNS },
    );
  });

  test("operators' questions: any text is one, or is unreadable", () => {
    fc.assert(
      fc.property(text, (body) => {
        try {
          expect(["vitals", "sessions", "end_sessions"]).toContain(readOpsQuestion(body).ask);
        } catch (error) {
          expect(isUnreadable(error)).toBe(true);
        }
      }),
      { numRuns: RUNS },
    );
    expect(readOpsQuestion('{"ask":"sessions","user":"7"}')).toEqual({
      ask: "sessions",
      user: "7",
    });
  });
});

test("[PAR1] a message on the IPC channel is a socket handed over, or is left alone", () => {
  const head = Buffer.alloc(2);
  const type = "troupe:socket" as const;
  const address = "127.0.0.1";
  expect(isSocketHandover({ type, address, kind: "api", head } as never)).toBe(true);
  expect(isSocketHandover({ type, address, kind: "tls", head, ticket: 1 } as never)).toBe(true);
  for (const wrong of [
    { type },
    { type, kind: "api", head },
    { type, address, kind: "api" },
    { type, address, kind: "api", head: "text" },
    { type, address, kind: "tls", head },
    { type, address, kind: "other", head },
  ]) {
    expect(isSocketHandover(wrong as never)).toBe(false);
  }
  fc.assert(
    fc.property(fc.anything(), (message) => {
      expect(isForTroupe(message)).toBe(false);
    }),
    { numRuns: RUNS },
  );
});
