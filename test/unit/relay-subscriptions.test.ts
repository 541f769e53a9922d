import { describe, expect, test } from "vitest";
import { Subscriptions } from "../../src/relay/subscriptions.ts";
import { settled } from "../support/fake-clock.ts";

/** A connection whose commands wait until the test lets them through. */
class Connection {
  readonly commands: { on: boolean; channels: string[]; settle: (error?: Error) => void }[] = [];
  readonly heard = new Set<string>();
  readonly failures: unknown[] = [];
  readonly subscriptions = new Subscriptions(
    {
      subscribe: (channels) => this.#command(true, channels),
      unsubscribe: (channels) => this.#command(false, channels),
    },
    (error) => this.failures.push(error),
  );
  isPrompt = true;

  #command(on: boolean, channels: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        if (error !== undefined) return reject(error);
        for (const channel of channels) {
          if (on) this.heard.add(channel);
          else this.heard.delete(channel);
        }
        resolve();
      };
      this.commands.push({ on, channels: [...channels], settle });
      if (this.isPrompt) settle();
    });
  }
}

/** Whether it has settled, as of now. */
function watched(promise: Promise<unknown>): { isDone: boolean } {
  const state = { isDone: false };
  void promise.then(() => {
    state.isDone = true;
  });
  return state;
}

describe("subscriptions", () => {
  test("[SUB1] without a connection nobody waits; with one it is taken", async () => {
    const connection = new Connection();
    const { subscriptions } = connection;
    await subscriptions.want("a", true);
    expect(connection.commands).toEqual([]);
    expect(await subscriptions.connected()).toBe(true);
    expect([...connection.heard]).toEqual(["a"]);
  });

  test("[SUB1] `want` resolves when the channel is heard, not before", async () => {
    const connection = new Connection();
    await connection.subscriptions.connected();
    connection.isPrompt = false;
    const wanted = watched(connection.subscriptions.want("a", true));
    await settled();
    expect(wanted.isDone).toBe(false);
    connection.commands[0]!.settle();
    await settled();
    expect(wanted.isDone).toBe(true);
  });

  test("[SUB2] a turn's wishes are one command, of at most 512 channels", async () => {
    const connection = new Connection();
    await connection.subscriptions.connected();
    const channels = Array.from({ length: 1_100 }, (_, n) => `c${n}`);
    await Promise.all(channels.map((channel) => connection.subscriptions.want(channel, true)));
    expect(connection.commands.map((command) => command.channels.length)).toEqual([512, 512, 76]);
  });

  test("[SUB1] a connection that comes back takes all again", async () => {
    const connection = new Connection();
    const { subscriptions } = connection;
    await subscriptions.connected();
    await subscriptions.want("a", true);
    await subscriptions.want("b", true);
    subscriptions.disconnected();
    connection.heard.clear();
    void subscriptions.want("b", false);
    await subscriptions.want("c", true);
    expect(await subscriptions.connected()).toBe(true);
    expect([...connection.heard].sort()).toEqual(["a", "c"]);
  });

  test("[SUB1] a connection that breaks leaves nobody waiting", async () => {
    const connection = new Connection();
    const { subscriptions } = connection;
    connection.isPrompt = false;
    void subscriptions.want("a", true);
    const opened = subscriptions.connected();
    await settled();
    const wanted = watched(subscriptions.want("b", true));
    subscriptions.disconnected();
    expect(await opened).toBe(false);
    await settled();
    expect(wanted.isDone).toBe(true);
  });

  test("[SUB1] what an old connection still answers does not count for the new one", async () => {
    const connection = new Connection();
    const { subscriptions } = connection;
    connection.isPrompt = false;
    void subscriptions.want("a", true);
    void subscriptions.connected();
    await settled();
    const old = connection.commands[0]!;
    const again = watched(subscriptions.connected());
    await settled();
    old.settle();
    await settled();
    expect(again.isDone).toBe(false);
    connection.commands[1]!.settle();
    await settled();
    expect(again.isDone).toBe(true);
  });

  test("[SUB1] wanted again while it is being given up: heard in the end, and not before", async () => {
    const connection = new Connection();
    const { subscriptions } = connection;
    await subscriptions.connected();
    await subscriptions.want("a", true);
    connection.isPrompt = false;
    void subscriptions.want("a", false);
    await settled();
    const wanted = watched(subscriptions.want("a", true));
    await settled();
    expect(wanted.isDone).toBe(false);
    connection.commands[1]!.settle();
    await settled();
    expect(wanted.isDone).toBe(false);
    expect(connection.commands[2]).toMatchObject({ on: true, channels: ["a"] });
    connection.commands[2]!.settle();
    await settled();
    expect(wanted.isDone).toBe(true);
    expect([...connection.heard]).toEqual(["a"]);
  });

  test("[SUB1] wanted and given up in one turn costs nothing, and nobody waits", async () => {
    const connection = new Connection();
    await connection.subscriptions.connected();
    const wanted = watched(connection.subscriptions.want("a", true));
    void connection.subscriptions.want("a", false);
    await settled();
    expect(wanted.isDone).toBe(true);
    expect(connection.commands).toEqual([]);
  });

  test("[SUB3] a command that fails is told once", async () => {
    const connection = new Connection();
    connection.isPrompt = false;
    void connection.subscriptions.want("a", true);
    const opened = connection.subscriptions.connected();
    await settled();
    connection.commands[0]!.settle(new Error("MOVED"));
    await settled();
    expect(connection.failures).toHaveLength(1);
    connection.subscriptions.disconnected();
    expect(await opened).toBe(false);
  });
});
