/**
 * Signals of this edge's sessions on their way to the conversation's actor.
 *
 * [SGC1] A signal is charged by its receivers before it is passed on. How many members there are
 *        only the actor knows: it is asked once, and says so again with every answer.
 * [SGC2] Signals of a conversation whose size is being asked for wait for it, in order; each has
 *        been charged one unit, so that the limit bounds how many wait.
 * [SGC3] Where a conversation has grown meanwhile, the difference is charged afterwards.
 */
import type { Clock } from "../../base/clock.ts";
import type { ErrorObject } from "../../protocol/errors.ts";
import { type SignalPayload, signalUnits } from "../../protocol/signals.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import type { Session } from "../session/session.ts";
import type { AckSink } from "./ack-sink.ts";

/** About 100 bytes each. */
const SIZES_KEPT_MAX = 10_000;

interface Sent {
  session: Session;
  payload: SignalPayload;
  ack: AckSink;
}

export class Signals {
  readonly #gateway: Pick<Gateway, "askText">;
  readonly #clock: Clock;
  /** By conversation, how many receive a signal that names nobody; the least recent one first. */
  readonly #audiences = new Map<string, number>();
  /** [SGC2] */
  readonly #waiting = new Map<string, Sent[]>();

  constructor(gateway: Pick<Gateway, "askText">, clock: Clock) {
    this.#gateway = gateway;
    this.#clock = clock;
  }

  pass(session: Session, payload: SignalPayload, ack: AckSink): void {
    const sent: Sent = { session, payload, ack };
    const waiting = this.#waiting.get(payload.conversation_id);
    const audience = this.#audiences.get(payload.conversation_id);
    if (waiting !== undefined) waiting.push(sent);
    else if (audience !== undefined) this.#charge(sent, audience);
    else this.#askAudience(sent);
  }

  #askAudience(first: Sent): void {
    const { conversation_id } = first.payload;
    this.#waiting.set(conversation_id, [first]);
    this.#ask(first.session, conversation_id, "signal_audience", {}, (refusal, receivers) => {
      const waiting = this.#waiting.get(conversation_id) ?? [];
      this.#waiting.delete(conversation_id);
      if (refusal === null) {
        this.#remember(conversation_id, receivers);
        for (const sent of waiting) this.#charge(sent, receivers);
        return;
      }
      first.ack.refuse(refusal);
      // The first one may be no member where the others are.
      for (const sent of waiting.slice(1)) this.pass(sent.session, sent.payload, sent.ack);
    });
  }

  #charge({ session, payload, ack }: Sent, audience: number): void {
    const { conversation_id, ...signal } = payload;
    const named = signal.to === undefined ? audience : new Set(signal.to).size;
    const units = signalUnits(Math.min(named, audience));
    const verdict = session.limits.chargeSignal(units);
    if (verdict.is === "refused") {
      ack.refuse({
        code: "rate_limited",
        message: "Too many signals. Try again later.",
        retry_after_ms: verdict.retryAfterMs,
      });
      return;
    }
    this.#ask(session, conversation_id, "signal", signal, (refusal, receivers) => {
      if (refusal !== null) {
        ack.refuse(refusal);
        return;
      }
      ack.ok("{}");
      if (signal.to === undefined) this.#remember(conversation_id, receivers);
      const more = signalUnits(receivers) - units;
      if (more > 0) session.limits.debitSignal(more, this.#clock.monotonicMs());
    });
  }

  #ask(
    { user, id }: Session,
    conversation: string,
    op: "signal" | "signal_audience",
    body: object,
    answered: (refusal: ErrorObject | null, receivers: number) => void,
  ): void {
    const text = JSON.stringify({ user, session: id, ...body });
    this.#gateway.askText(`conversation:${conversation}`, op, text, 0, (ok, answer) => {
      if (ok) answered(null, (JSON.parse(answer) as { receivers: number }).receivers);
      else answered(JSON.parse(answer) as ErrorObject, 0);
    });
  }

  #remember(conversation: string, receivers: number): void {
    this.#audiences.delete(conversation);
    this.#audiences.set(conversation, receivers);
    if (this.#audiences.size <= SIZES_KEPT_MAX) return;
    const [oldest] = this.#audiences.keys();
    if (oldest !== undefined) this.#audiences.delete(oldest);
  }
}
