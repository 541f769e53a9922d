/**
 * Routes a worker's frames between its edge, its actor thread, and the pipe to the primary.
 * Runs on the edge's thread. Frames of the actor thread for other workers are forwarded as bytes.
 *
 * [XCH1] Frames of the thread reach the edge and the primary in the order they were sent, so that
 *        an answer never overtakes the event that it stands for.
 * [XCH2] A worker that is alone sends no events to the primary.
 * [XCH3] A subscription is done when the primary has confirmed it, or has failed in time.
 * [XCH4] While too much waits for the actor thread, new asks of it are refused `unavailable`,
 *        those of other workers included. While too much waits for the primary, asks of other
 *        workers' actors are refused, and no batch is taken from the thread, whose own line
 *        then fills. Tells and answers are always sent, because they end work.
 * [XCH5] A frame that cannot be read, or whose handler throws, is dropped and counted; the frames
 *        behind it are handled.
 */
import type { TopicEvent } from "../../actors/behaviour.ts";
import type { Clock } from "../base/clock.ts";
import type { Drops } from "../base/drops.ts";
import type { Tally } from "../base/metrics.ts";
import { type ErrorObject, REFUSALS, type Result } from "../protocol/errors.ts";
import type { Topic } from "../protocol/topics.ts";
import type { BatchLink } from "./batch-link.ts";
import type { PrimaryOrders, WorkerReports } from "./control.ts";
import { decodeAt, eachFrameSafely, FLAG, FRAME, type Frame, frame, headAt } from "./frames.ts";
import { Gateway, isThreadCorr } from "./gateway.ts";
import type { Pipe } from "./pipe.ts";
import type { Placement, View } from "./view.ts";

const PRIMARY_DEADLINE_MS = 5_000;

export interface ExchangeOptions {
  incarnation: string;
  /** Whether there can be other hosts, whom no view may name yet. */
  isCluster: boolean;
  clock: Clock;
  thread: Pick<BatchLink, "send" | "sendBytes" | "flush" | "isFull" | "hold" | "release">;
  pipe: Pick<Pipe, "send" | "sendBytes" | "isFull">;
  /** Counts what happens on full lines: line, what. */
  pressure?: Tally;
  drops: Pick<Drops, "note">;
  /** Called for each event of a subscribed topic. */
  onEvent(event: Frame): void;
  /** Called for a new view, after the gateway has taken it and before any frame sent under it. */
  onView(now: Placement, before: Placement): void;
  /** Called for an order of the primary; `reply` answers an order that wants an answer. */
  onControl(order: Frame, reply: (body: string) => void): void;
  /** Called at the end of a batch, to flush the writes to sockets that it caused. */
  onBatchEnd(): void;
}

interface PrimaryCall {
  settle(answer: Result<string>): void;
  cancelDeadline(): void;
}

export class Exchange {
  readonly gateway: Gateway;
  readonly #options: ExchangeOptions;
  readonly #calls = new Map<number, PrimaryCall>();
  #lastCall = 0;
  framesIn = 0;
  framesOut = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.gateway = new Gateway({
      clock: options.clock,
      self: options.incarnation,
      side: "edge",
      send: (f) => this.#dispatch(f),
      mayAsk: (owner) => this.#mayAsk(owner),
    });
  }

  /** Whether so much waits that sockets should not be read now. */
  get isCongested(): boolean {
    return this.#options.thread.isFull || this.#options.pipe.isFull;
  }

  /** The line to the thread became full, or has room again. */
  onThreadPressure(isFull: boolean): void {
    if (isFull) this.#options.pressure?.add("edge_to_thread", "full");
  }

  /** The pipe to the primary became full, or has room again. */
  onPipePressure(isFull: boolean): void {
    const { thread, pressure } = this.#options;
    if (isFull) {
      pressure?.add("worker_to_primary", "full");
      thread.hold();
    } else thread.release();
  }

  get placement(): Placement {
    return this.gateway.placement;
  }

  get #isAlone(): boolean {
    return !this.#options.isCluster && this.placement.isSolo;
  }

  /** A batch from the actor thread. */
  fromThread(batch: Buffer): void {
    const { incarnation, pipe } = this.#options;
    const isSolo = this.#isAlone;
    const take = (at: number, length: number) => {
      this.framesIn++;
      const { type, to, corr } = headAt(batch, at);
      if (type === FRAME.event) {
        if (!isSolo) pipe.sendBytes(batch.subarray(at, at + length));
        this.#options.onEvent(decodeAt(batch, at));
      } else if (to === incarnation && type === FRAME.answer && !isThreadCorr(corr)) {
        this.gateway.onAnswer(decodeAt(batch, at));
      } else {
        pipe.sendBytes(batch.subarray(at, at + length));
      }
    };
    eachFrameSafely(batch, take, (reason, fault) =>
      this.#options.drops.note("thread", reason, fault),
    );
    this.#options.onBatchEnd();
  }

  /** Whole frames from the primary. */
  fromPrimary(bytes: Buffer): void {
    const { thread } = this.#options;
    const take = (at: number, length: number) => {
      this.framesIn++;
      const { type, corr } = headAt(bytes, at);
      switch (type) {
        case FRAME.ask:
          if (thread.isFull) this.#refuse(decodeAt(bytes, at));
          else thread.sendBytes(bytes.subarray(at, at + length));
          return;
        case FRAME.tell:
          thread.sendBytes(bytes.subarray(at, at + length));
          return;
        case FRAME.event:
          this.#options.onEvent(decodeAt(bytes, at));
          return;
        case FRAME.answer:
          if (isThreadCorr(corr)) thread.sendBytes(bytes.subarray(at, at + length));
          else this.#onAnswer(decodeAt(bytes, at));
          return;
        case FRAME.view:
          thread.sendBytes(bytes.subarray(at, at + length));
          this.#onView(JSON.parse(decodeAt(bytes, at).body) as View);
          return;
        case FRAME.control: {
          const order = decodeAt(bytes, at);
          if (order.name === "gap" || order.name === "spare_connections") {
            thread.sendBytes(bytes.subarray(at, at + length));
          }
          this.#onControl(order);
          return;
        }
        case FRAME.subscribe:
        case FRAME.unsubscribe:
          return;
      }
    };
    eachFrameSafely(bytes, take, (reason, fault) =>
      this.#options.drops.note("pipe", reason, fault),
    );
    thread.flush();
    this.#options.onBatchEnd();
  }

  /** Publishes from the edge itself (ended logins); actors publish through their thread. */
  publish(topic: Topic, event: TopicEvent): void {
    const f = frame(FRAME.event, {
      from: this.#options.incarnation,
      view: this.placement.view.number,
      key: topic,
      name: event.name,
      rev: event.rev,
      body: event.body,
      note: event.note ?? "",
    });
    this.framesOut++;
    this.#options.pipe.send(f);
    this.#options.onEvent(f);
  }

  /** Resolves when the primary has registered the topics: from then on no event is missed. */
  async subscribe(topics: readonly string[]): Promise<void> {
    const answer = this.#call(FRAME.subscribe, "", topics.join("\n"));
    // A worker that is alone can miss nothing, and the primary takes frames in order anyway.
    if (this.#isAlone) return;
    const result = await answer;
    if (!result.ok) throw new Error(`subscribe: ${result.error.message}`);
  }

  unsubscribe(topics: readonly string[]): void {
    this.framesOut++;
    this.#options.pipe.send(frame(FRAME.unsubscribe, { body: topics.join("\n") }));
  }

  /** Reports something to the primary, without an answer. */
  report<N extends keyof WorkerReports>(name: N, body: WorkerReports[N]): void {
    this.#options.pipe.send(frame(FRAME.control, { name, body: JSON.stringify(body) }));
  }

  /** Asks the primary; refused `unavailable` when it does not answer in time. */
  async askPrimary<T>(name: keyof WorkerReports, body: object = {}): Promise<Result<T>> {
    const answer = await this.#call(FRAME.control, name, JSON.stringify(body));
    return answer.ok ? { ok: true, value: JSON.parse(answer.value) as T } : answer;
  }

  close(): void {
    this.gateway.close();
    for (const call of [...this.#calls.values()]) call.settle(REFUSALS.unavailable);
  }

  /** [XCH4] */
  #mayAsk(owner: string): boolean {
    const { incarnation, thread, pipe, pressure } = this.#options;
    const isOwn = owner === incarnation;
    if (!(isOwn ? thread : pipe).isFull) return true;
    pressure?.add(isOwn ? "edge_to_thread" : "worker_to_primary", "refused");
    return false;
  }

  /** [XCH4] Another worker's ask, which the thread has no room for. */
  #refuse(asked: Frame): void {
    const { incarnation, pipe, pressure } = this.#options;
    pressure?.add("edge_to_thread", "refused");
    const body = JSON.stringify(REFUSALS.unavailable.error);
    pipe.send(frame(FRAME.answer, { to: asked.from, from: incarnation, corr: asked.corr, body }));
  }

  #dispatch(f: Frame): void {
    this.framesOut++;
    if (f.to === this.#options.incarnation) this.#options.thread.send(f);
    else this.#options.pipe.send(f);
  }

  #call(
    type: typeof FRAME.subscribe | typeof FRAME.control,
    name: string,
    body: string,
  ): Promise<Result<string>> {
    return new Promise((resolve) => {
      this.#lastCall = (this.#lastCall % 0x7fffffff) + 1;
      const corr = this.#lastCall;
      const settle = (answer: Result<string>) => {
        cancelDeadline();
        this.#calls.delete(corr);
        resolve(answer);
      };
      const cancelDeadline = this.#options.clock.after(PRIMARY_DEADLINE_MS, () =>
        settle(REFUSALS.unavailable),
      );
      this.#calls.set(corr, { settle, cancelDeadline });
      this.framesOut++;
      this.#options.pipe.send(frame(type, { corr, name, body, from: this.#options.incarnation }));
    });
  }

  #onAnswer(f: Frame): void {
    // The primary's answers are its own, except for asks that it could not deliver.
    if (f.from !== "" || (f.flags & FLAG.notOwner) !== 0) {
      this.gateway.onAnswer(f);
      return;
    }
    const isOk = (f.flags & FLAG.ok) !== 0;
    this.#calls
      .get(f.corr)
      ?.settle(
        isOk
          ? { ok: true, value: f.body }
          : { ok: false, error: JSON.parse(f.body) as ErrorObject },
      );
  }

  #onView(view: View): void {
    const before = this.placement;
    this.gateway.setView(view);
    if (this.placement !== before) this.#options.onView(this.placement, before);
  }

  #onControl(order: Frame): void {
    if (order.name === "gap") {
      const { host } = JSON.parse(order.body) as PrimaryOrders["gap"];
      this.gateway.onGap(this.placement.incarnationsAcross(this.#options.incarnation, host));
    }
    this.#options.onControl(order, (body) => {
      if (order.corr === 0) return;
      this.#options.pipe.send(
        frame(FRAME.answer, {
          from: this.#options.incarnation,
          corr: order.corr,
          flags: FLAG.ok,
          body,
        }),
      );
    });
  }
}
