/** The SDK's view of an application's actor, on a client of the test. */
import { beforeEach, describe, expect, it } from "vitest";
import { actorOf, type TypedActor } from "../../src/client/actors.ts";
import type { Client } from "../../src/client/client.ts";
import { TroupeError } from "../../src/client/error.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

type Counter = TypedActor<{
  view: { n: number };
  args: { add: { by: number } };
  results: { add: number };
  events: { counted: { n: number } };
}>;

let asked: { event: string; payload: Record<string, unknown> }[];
let answers: Record<string, unknown>;
let listeners: Map<string, ((payload: unknown) => void)[]>;
let isUp: boolean;
let changed: () => void;
/** How many listeners the client has. */
let attached: number;
let refusal: TroupeError | null;
let client: Client;

beforeEach(() => {
  asked = [];
  answers = { watch_actor: { rev: 4, view: { n: 4 } }, call: { result: 5, rev: 5 } };
  listeners = new Map();
  isUp = true;
  attached = 0;
  refusal = null;
  changed = () => undefined;
  client = {
    connection: {
      get: () => ({ is: isUp ? "online" : "waiting" }),
      subscribe(listener: () => void) {
        changed = listener;
        attached++;
        return () => {
          if (changed === listener) changed = () => undefined;
          attached--;
        };
      },
    },
    async ask(event: string, payload: Record<string, unknown>, take?: (answer: unknown) => void) {
      asked.push({ event, payload });
      if (refusal !== null) throw refusal;
      take?.(answers[event] ?? {});
      return answers[event] ?? {};
    },
    on(name: string, listener: (payload: unknown) => void) {
      listeners.set(name, [...(listeners.get(name) ?? []), listener]);
      attached++;
      return () => {
        listeners.set(
          name,
          listeners.get(name)!.filter((one) => one !== listener),
        );
        attached--;
      };
    },
  } as unknown as Client;
});

const tells = (name: string, payload: object) => {
  const event = { kind: "counter", key: "a", ...payload };
  for (const listener of listeners.get(name) ?? []) listener(event);
};
const apply = (_view: { n: number }, _name: "counted", { n }: { n: number }) => ({ n });
const counter = () => actorOf<Counter>(client, { kind: "counter", apply }, "a");

describe("actorOf", () => {
  it("[SDK95] it is watched while somebody is subscribed, and its events are applied once, in order", async () => {
    const actor = counter();
    expect(actor.get()).toBeNull();
    const end = actor.subscribe(() => undefined);
    await settled();
    expect(actor.get()).toEqual({ n: 4 });
    tells("actor_event", { rev: 5, name: "counted", data: { n: 9 } });
    tells("actor_event", { rev: 5, name: "counted", data: { n: 1 } });
    tells("actor_event", { rev: 6 });
    tells("actor_event", { key: "b", rev: 7, name: "counted", data: { n: 2 } });
    expect(actor.get()).toEqual({ n: 9 });
    end();
    await settled();
    expect(asked.map(({ event }) => event)).toEqual(["watch_actor", "unwatch_actor"]);
  });

  it("[SDK96] a new session goes on from the rev that is held", async () => {
    const actor = counter();
    actor.subscribe(() => undefined);
    await settled();
    isUp = false;
    changed();
    isUp = true;
    const event = { kind: "counter", key: "a", rev: 5, name: "counted", data: { n: 5 } };
    answers["watch_actor"] = { rev: 5, events: [event] };
    changed();
    await settled();
    expect(asked.at(-1)?.payload).toEqual({ kind: "counter", key: "a", after_rev: 4 });
    expect(actor.get()).toEqual({ n: 5 });
    tells("actor_closed", { code: "destroyed" });
    expect([actor.get(), actor.closed()]).toEqual([null, "destroyed"]);
  });

  it("[SDK99] who ends and begins at once, as in React's strict mode, goes on watching", async () => {
    const actor = counter();
    const end = actor.subscribe(() => undefined);
    end();
    const again = actor.subscribe(() => undefined);
    await settled();
    expect(asked.map(({ event }) => event)).toEqual(["watch_actor"]);
    again();
    actor.subscribe(() => undefined);
    await settled();
    expect(asked.map(({ event }) => event).at(-1)).toBe("watch_actor");
    tells("actor_event", { rev: 5, name: "counted", data: { n: 9 } });
    expect(actor.get()).toEqual({ n: 9 });
  });

  it("[SDK100] a watch that cannot be had now is asked for again", async () => {
    const clock = new FakeClock();
    refusal = new TroupeError({ code: "unavailable", message: "Not now" });
    const actor = actorOf<Counter>(client, { kind: "counter", apply }, "a", clock);
    actor.subscribe(() => undefined);
    await settled();
    expect(actor.get()).toBeNull();
    refusal = null;
    await clock.advance(1_000);
    expect(actor.get()).toEqual({ n: 4 });
  });

  it("[SDK103] the client has its listeners only while somebody is subscribed", async () => {
    const actors = Array.from({ length: 100 }, counter);
    await actors[0]!.call("add", { by: 1 });
    expect(attached).toBe(0);
    const actor = actors[1]!;
    const ends = [actor.subscribe(() => undefined), actor.subscribe(() => undefined)];
    await settled();
    expect(attached).toBe(3);
    ends[0]!();
    await settled();
    expect(attached).toBe(3);
    ends[1]!();
    // Until its watch has ended.
    expect(attached).toBe(3);
    await settled();
    expect(asked.at(-1)?.event).toBe("unwatch_actor");
    expect(attached).toBe(0);
    actor.subscribe(() => undefined);
    await settled();
    tells("actor_event", { rev: 5, name: "counted", data: { n: 9 } });
    expect([attached, actor.get()]).toEqual([3, { n: 9 }]);
  });

  it("[SDK103] without a connection they go at once, and a later session begins anew", async () => {
    const actor = counter();
    const end = actor.subscribe(() => undefined);
    await settled();
    isUp = false;
    changed();
    end();
    expect(attached).toBe(0);
    actor.subscribe(() => undefined);
    await settled();
    expect(asked.map(({ event }) => event)).toEqual(["watch_actor"]);
    isUp = true;
    changed();
    await settled();
    expect(asked.at(-1)).toEqual({ event: "watch_actor", payload: { kind: "counter", key: "a" } });
  });

  it("[SDK97] call answers the action's result under a call_id of its own", async () => {
    const result: number = await counter().call("add", { by: 1 });
    expect(result).toBe(5);
    await counter().call("add", { by: 1 }, { callId: "mine" });
    const ids = asked.map(({ payload }) => payload["call_id"]);
    expect(ids[1]).toBe("mine");
    expect(ids[0]).toMatch(/^[\x20-\x7e]{1,64}$/);
  });
});
