/**
 * A behaviour for tests of the runtime: what each op does is in its name, what happened is in
 * `happened`. Storage is a promise that the test settles.
 */
import type { Behaviour, Context, Incoming } from "../../actors/behaviour.ts";

export interface BoxState {
  id: string;
  isBusy: boolean;
}

interface Deferred<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (fault: unknown) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (fault: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

export class Box {
  readonly happened: string[] = [];
  /** One a `work` op, in order: the test settles it. */
  readonly work: Deferred<string>[] = [];
  /** Set: activations wait for it. */
  loading: Deferred<BoxState | null> | null = null;
  readonly behaviour: Behaviour<BoxState>;

  constructor(idleMs = 1_000) {
    this.behaviour = {
      kind: "conversation",
      idleMs,
      activate: (id) => {
        this.happened.push(`activate ${id}`);
        return this.loading?.promise ?? Promise.resolve({ id, isBusy: false });
      },
      receive: (state, incoming, ctx) => this.#receive(state, incoming, ctx),
      onTimer: (_state, timer) => void this.happened.push(`timer ${timer}`),
      onWorkersGone: (_state, incarnations) => void this.happened.push(`gone ${[...incarnations]}`),
      isBusy: (state) => state.isBusy,
    };
  }

  #receive(state: BoxState, { op, body, reply }: Incoming, ctx: Context): void {
    this.happened.push(`${op} ${JSON.stringify(body)}`);
    switch (op) {
      case "echo":
        reply.ok(body, 7);
        return;
      case "twice":
        reply.ok("first");
        reply.ok("second");
        return;
      case "throw":
        throw new Error("a bug");
      case "silent":
        return;
      case "work": {
        const work = deferred<string>();
        this.work.push(work);
        ctx.run(
          work.promise,
          (value) => {
            this.happened.push(`done ${value}`);
            reply.ok(value);
          },
          () => reply.refuse({ code: "unavailable", message: "storage is away" }),
        );
        return;
      }
      case "after":
        ctx.after(body as number, "bell");
        return;
      case "cancel":
        ctx.cancel("bell");
        return;
      case "busy":
        state.isBusy = body as boolean;
        return;
      case "passivate":
        ctx.passivate();
        reply.ok("passivates");
        return;
      case "publish":
        ctx.publish("conversations:1", { name: "message", body: JSON.stringify(body), rev: 3 });
        return;
      default:
        throw new Error(`no op ${op}`);
    }
  }
}
