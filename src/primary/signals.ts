/**
 * The signals of the primary. SIGTERM and SIGINT ask for a stop, a second one for a stop that
 * waits for nothing; SIGHUP for new workers. Listened to from before the database starts, so
 * that no moment of a start leaves something running behind.
 */
export interface Signals {
  /** Resolves with the name of the first SIGTERM or SIGINT. */
  readonly stop: Promise<string>;
  /** Resolves with the second. */
  readonly force: Promise<string>;
  onHangup: () => void;
  close(): void;
}

export function listenForSignals(): Signals {
  const asked: string[] = [];
  let resolveStop: (signal: string) => void = () => undefined;
  let resolveForce: (signal: string) => void = () => undefined;
  const onStop = (signal: string) => {
    asked.push(signal);
    if (asked.length === 1) resolveStop(signal);
    else resolveForce(signal);
  };
  const onHangup = () => signals.onHangup();
  const signals: Signals = {
    stop: new Promise((resolve) => {
      resolveStop = resolve;
    }),
    force: new Promise((resolve) => {
      resolveForce = resolve;
    }),
    onHangup: () => undefined,
    close() {
      process.off("SIGTERM", onStop).off("SIGINT", onStop).off("SIGHUP", onHangup);
    },
  };
  process.on("SIGTERM", onStop).on("SIGINT", onStop).on("SIGHUP", onHangup);
  return signals;
}
