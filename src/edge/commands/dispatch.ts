/**
 * From a Socket.IO packet to a command and back: checks the packet's form, the limits and the
 * payload's schema, then calls the handler.
 *
 * [DSP1] A packet that wants an acknowledgement gets exactly one, whatever is in it.
 * [DSP2] A handler's throw is `internal`, its rejection `unavailable`.
 * [DSP3] Too much is refused, then the session is ended.
 * [DSP4] An event with a bad payload is paid for like one that does not exist, too.
 */
import { type Clock, systemClock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Metrics } from "../../base/metrics.ts";
import { COST_OF_EVENT, type Units } from "../../protocol/costs.ts";
import { type ErrorObject, REFUSALS, refused } from "../../protocol/errors.ts";
import { CLIENT_EVENTS, type ClientEventName } from "../../protocol/events.ts";
import { BEFORE_ALL, type Monotonic, msBetween } from "../../protocol/time.ts";
import type { Session } from "../session/session.ts";
import type { Verdict } from "../session/session-limits.ts";
import { type ClientPacket, Packet } from "../transport/packet.ts";
import { createReader, type Reader } from "../validation.ts";
import type { AckSink } from "./ack-sink.ts";
import type { Commands } from "./handler.ts";

const EVENT = 2;

export interface DispatchDeps {
  commands: Commands;
  metrics: Metrics;
  clock: Clock;
  log: Log;
  /** Writes the addresses of files into an answer. */
  links?(text: string): string;
  /** A message was committed: milliseconds from its packet to its answer. */
  onSent?: (ms: number) => void;
}

const NO_SUCH_EVENT = refused("invalid_payload", "There is no such event.");
const NOT_ONE_OBJECT = refused("invalid_payload", "An event carries one object.");
const NO_BINARY = refused("invalid_payload", "Binary attachments are not accepted.");

type AnyHandler = (session: Session, payload: unknown, ack: AckSink) => void | Promise<void>;

interface Entry {
  name: ClientEventName;
  read: Reader;
  handle: AnyHandler;
  /** What it costs beyond its first unit. */
  more: ((payload: unknown) => Units) | undefined;
}

export function createDispatch(deps: DispatchDeps) {
  const { metrics, clock, log, links = (text) => text } = deps;
  const table = new Map<string, Entry>();
  for (const name of Object.keys(CLIENT_EVENTS) as ClientEventName[]) {
    table.set(name, {
      name,
      read: createReader("payload", CLIENT_EVENTS[name].payload),
      handle: deps.commands[name] as AnyHandler,
      more: COST_OF_EVENT[name].more as Entry["more"],
    });
  }

  /** `isOverrun`: it found no room to wait for its turn, and is refused whatever it is. */
  return function dispatch(session: Session, packet: ClientPacket, isOverrun = false): void {
    const data = Array.isArray(packet.data) ? packet.data : [];
    const entry = typeof data[0] === "string" ? table.get(data[0]) : undefined;
    const label = entry?.name ?? "unknown";
    metrics.events.add(label);
    const onSent = label === "send_message" ? deps.onSent : undefined;
    const ack = new PacketAck(session, packet.id, label, metrics, links, onSent);

    const nowMs = clock.monotonicMs();
    const verdict = isOverrun
      ? session.limits.overrun(nowMs)
      : session.limits.take(entry?.name ?? null, nowMs);
    if (isOver(verdict)) return;
    // [BIN1] A binary event has been read as far as its acknowledgement id, and counts as bad.
    if (packet.type !== EVENT) {
      ack.refuse(NO_BINARY.error);
      return;
    }
    if (entry === undefined) {
      ack.refuse(NO_SUCH_EVENT.error);
      return;
    }
    const payload = data.length === 2 ? entry.read(data[1]) : NOT_ONE_OBJECT;
    if (!payload.ok) {
      // [DSP4] Nonsense is answered, but not without end.
      if (!isOver(session.limits.take(null, nowMs))) ack.refuse(payload.error);
      return;
    }
    if (entry.more !== undefined && isOver(session.limits.charge(entry.more(payload.value), nowMs)))
      return;
    try {
      entry.handle(session, payload.value, ack)?.catch((fault: unknown) => onFault(fault));
    } catch (bug) {
      log.error({ event: "command_failed", name: entry.name, err: bug });
      ack.refuse(REFUSALS.internal.error);
    }

    /** Says so, if a limit does not let it through. */
    function isOver(verdict: Verdict): boolean {
      switch (verdict.is) {
        case "allowed":
          return false;
        case "refused":
          ack.refuse({
            code: "rate_limited",
            message: "Too many events of this kind.",
            retry_after_ms: verdict.retryAfterMs,
          });
          return true;
        case "abuse":
          log.info({ event: "session_ended", code: "rate_limited", user: session.user });
          session.end("rate_limited", "Too many events, again and again.", true);
          return true;
      }
    }

    /** Handlers reject only when storage or the primary is out of reach. */
    function onFault(fault: unknown): void {
      log.warn({ event: "command_unavailable", name: label, err: fault });
      ack.refuse(REFUSALS.unavailable.error);
    }
  };
}

class PacketAck implements AckSink {
  readonly #session: Session;
  readonly #event: string;
  readonly #metrics: Metrics;
  readonly #links: (text: string) => string;
  readonly #onSent: ((ms: number) => void) | undefined;
  readonly #atMs: Monotonic;
  #id: number | undefined;

  constructor(
    session: Session,
    id: number | undefined,
    event: string,
    metrics: Metrics,
    links: (text: string) => string,
    onSent: ((ms: number) => void) | undefined,
  ) {
    this.#session = session;
    this.#id = id;
    this.#event = event;
    this.#metrics = metrics;
    this.#links = links;
    this.#onSent = onSent;
    this.#atMs = onSent === undefined ? BEFORE_ALL : systemClock.monotonicMs();
  }

  ok(body: string): void {
    this.#onSent?.(msBetween(this.#atMs, systemClock.monotonicMs()));
    this.#send(body === "{}" ? '{"ok":true}' : `{"ok":true,${body.slice(1)}`);
  }

  refuse(error: ErrorObject): void {
    this.#metrics.refusals.add(this.#event, error.code);
    this.#send(`{"ok":false,"error":${JSON.stringify(error)}}`);
  }

  #send(body: string): void {
    const id = this.#id;
    if (id === undefined) return;
    this.#id = undefined;
    this.#session.send(Packet.ack(id, this.#links(body)));
  }
}
