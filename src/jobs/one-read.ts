/** Gauges that are collected together share one read. */
export function forAMoment<T>(read: () => Promise<T>): () => Promise<T> {
  let shared: Promise<T> | null = null;
  return () => {
    shared ??= read();
    const mine = shared;
    setImmediate(() => {
      if (shared === mine) shared = null;
    });
    return mine;
  };
}
