/** A user's numbered stream on its way to sessions: events, answers and reads that overtake each other. */
import { beforeEach, describe, expect, it } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { ACK_HOLD_MS } from "../../src/edge/live/stream.ts";
import { type UserChange, UserStream } from "../../src/edge/live/user-stream.ts";
import type { Session } from "../../src/edge/session/session.ts";
import type { Packet } from "../../src/edge/transport/packet.ts";
import { asUserId } from "../../src/protocol/schemas.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

const ANN = asUserId("1");

let clock: FakeClock;
let stream: UserStream;
let stored: UserChange[];
/** While it is set, reads of storage wait for it. */
let isHeld: Promise<void> | null;
let sessions: Session[];
let heard: Map<string, string[]>;

beforeEach(() => {
  clock = new FakeClock();
  stored = [];
  isHeld = null;
  sessions = [];
  heard = new Map();
  stream = new UserStream({
    clock,
    log: createLogger({ level: "silent" }),
    event: "prefs_updated",
    newest: async () => new Map([[ANN, stored.at(-1)?.number ?? 0]]),
    async after(_user, number, limit) {
      const found = stored.filter((change) => change.number > number).slice(0, limit);
      await isHeld;
      return found;
    },
    sessionsOf: () => sessions,
  });
});

function session(id: string, from = 0): Session {
  const list: string[] = [];
  heard.set(id, list);
  const send = ({ text }: Packet) => void list.push(`event ${/"n":(\d+)/.exec(text)?.[1]}`);
  const made = { id, user: ANN, send } as unknown as Session;
  sessions.push(made);
  stream.begin(ANN, from);
  return made;
}
const change = (number: number, setBy = ""): UserChange => ({
  number,
  body: JSON.stringify({ n: number }),
  setBy,
});
/** Commits and publishes. */
function changes(number: number, setBy = ""): void {
  stored.push(change(number, setBy));
  stream.onEvent(ANN, number, change(number).body, setBy);
}
const answers = (to: Session, number: number) =>
  stream.answered(to, number, () => void heard.get(to.id)!.push(`ack ${number}`));
const of = (to: Session) => heard.get(to.id);

describe("changes of a user", () => {
  it("[UST1] come in order; what is missing is read from storage", async () => {
    const a = session("a");
    changes(1);
    stored.push(change(2));
    changes(3);
    await settled();
    expect(of(a)).toEqual(["event 1", "event 2", "event 3"]);
  });

  it("[UST1] an event that overtakes the reading of where a first session stands is not lost", async () => {
    sessions = [{ id: "a", user: ANN } as unknown as Session];
    changes(1);
    sessions = [];
    const a = session("a");
    await settled();
    expect(of(a)).toEqual(["event 1"]);
  });

  it("[UST1] what was read for sessions that are over is not sent to those that have begun", async () => {
    session("a");
    let goOn: () => void = () => undefined;
    isHeld = new Promise((resolve) => {
      goOn = resolve;
    });
    stored.push(change(1));
    changes(2);
    await settled();
    sessions = [];
    stream.end(ANN);
    const b = session("b", 2);
    isHeld = null;
    goOn();
    await settled();
    changes(3);
    expect(of(b)).toEqual(["event 3"]);
  });

  it("[UST2] an answer waits for the events before it", async () => {
    const a = session("a");
    stream.asked(a);
    answers(a, 2);
    expect(of(a)).toEqual([]);
    changes(1);
    changes(2, "a");
    await settled();
    expect(of(a)).toEqual(["event 1", "ack 2"]);
  });

  it("[UST2] two answers of one session that come before their events stand for both", async () => {
    const a = session("a");
    const b = session("b");
    for (const _ of [1, 2]) stream.asked(a);
    answers(a, 1);
    answers(a, 2);
    changes(1, "a");
    changes(2, "a");
    changes(3);
    await settled();
    expect(of(a)).toEqual(["ack 1", "ack 2", "event 3"]);
    expect(of(b)).toEqual(["event 1", "event 2", "event 3"]);
  });

  it("[UST2] an answer between the events of two changes of one session stands for the first", () => {
    const a = session("a");
    for (const _ of [1, 2]) stream.asked(a);
    answers(a, 1);
    changes(1, "a");
    changes(2, "a");
    answers(a, 2);
    expect(of(a)).toEqual(["ack 1", "ack 2"]);
  });

  it("[UST3] a refused call's change comes as an event, before the answer or after it", () => {
    const a = session("a");
    stream.asked(a);
    changes(1, "a");
    expect(of(a)).toEqual([]);
    answers(a, 0);
    expect(of(a)).toEqual(["ack 0", "event 1"]);
    stream.asked(a);
    answers(a, 0);
    changes(2, "a");
    expect(of(a)).toEqual(["ack 0", "event 1", "ack 0", "event 2"]);
  });

  it("[UST4] later changes wait for the answer to an own one, not longer than an answer may", async () => {
    const a = session("a");
    const b = session("b");
    stream.asked(a);
    changes(1, "a");
    changes(2);
    expect(of(a)).toEqual([]);
    expect(of(b)).toEqual(["event 1", "event 2"]);
    answers(a, 1);
    expect(of(a)).toEqual(["ack 1", "event 2"]);
    stream.asked(a);
    changes(3, "a");
    changes(4);
    await clock.advance(ACK_HOLD_MS);
    expect(of(a)).toEqual(["ack 1", "event 2", "event 3", "event 4"]);
    answers(a, 0);
    expect(clock.pending).toBe(0);
  });

  it("[UST1] events of a user without sessions leave nothing behind", () => {
    changes(7);
    const a = session("a", 9);
    changes(10);
    expect(of(a)).toEqual(["event 10"]);
  });
});
