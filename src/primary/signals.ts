/**
 * The signals of a process that runs until it receives one. SIGTERM and SIGINT ask for a stop,
 * a second one for a stop that waits for nothing; SIGHUP for new workers; SIGUSR2 for the
 * application's files again. They are listened to
 * from before the database starts, so that no moment of a start leaves something running behind.
 *
 * [SIG1] Signals within a second of the first are the same request. Under npm one request arrives
 *        twice: a terminal or a process manager signals the whole group, and npm then forwards
 *        the signal that it received itself.
 * [SIG2] Under npx the end of the parent process is a request to stop. npx runs a command inside a
 *        shell, and when npx receives a signal, it forwards it to that shell alone.
 *        SIGTERM ends the shell. SIGINT does not while its command runs, so SIGINT has to reach
 *        the whole group, as it does from a terminal.
 */
import type { Clock } from "../base/clock.ts";
import { type Monotonic, msBetween } from "../protocol/time.ts";

export interface Signals {
  /** Resolves with the name of the first SIGTERM or SIGINT. */
  readonly stop: Promise<string>;
  /** Resolves with the name of the second one. */
  readonly force: Promise<string>;
  onHangup: () => void;
  /** SIGUSR2. */
  onReload: () => void;
  close(): void;
}

const SAME_REQUEST_MS = 1_000;
const PARENT_LOOK_MS = 500;

/** The parts of `process` that this module uses; tests pass their own. */
export interface SignalledProcess {
  readonly ppid: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

export function listenForSignals(clock: Clock, own: SignalledProcess = process): Signals {
  let askedAt: Monotonic | null = null;
  let resolveStop: (signal: string) => void = () => undefined;
  let resolveForce: (signal: string) => void = () => undefined;
  const onStop = (signal: string) => {
    const now = clock.monotonicMs();
    if (askedAt === null) {
      askedAt = now;
      resolveStop(signal);
    } else if (msBetween(askedAt, now) >= SAME_REQUEST_MS) resolveForce(signal);
  };
  const onHangup = () => signals.onHangup();
  const onReload = () => signals.onReload();
  const forgetParent =
    own.env["npm_lifecycle_event"] === "npx"
      ? whenParentEnds(clock, own, () => onStop("the end of npx"))
      : () => undefined;
  const signals: Signals = {
    stop: new Promise((resolve) => {
      resolveStop = resolve;
    }),
    force: new Promise((resolve) => {
      resolveForce = resolve;
    }),
    onHangup: () => undefined,
    onReload: () => undefined,
    close() {
      forgetParent();
      own.off("SIGTERM", onStop);
      own.off("SIGINT", onStop);
      own.off("SIGHUP", onHangup);
      own.off("SIGUSR2", onReload);
    },
  };
  own.on("SIGTERM", onStop);
  own.on("SIGINT", onStop);
  own.on("SIGHUP", onHangup);
  own.on("SIGUSR2", onReload);
  return signals;
}

function whenParentEnds(clock: Clock, own: SignalledProcess, ended: () => void): () => void {
  const parent = own.ppid;
  let cancel: () => void = () => undefined;
  const look = () => {
    if (own.ppid !== parent) ended();
    else cancel = clock.after(PARENT_LOOK_MS, look);
  };
  look();
  return () => cancel();
}
