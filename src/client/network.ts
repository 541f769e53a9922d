/**
 * Reports a browser's network changes and its page becoming visible again; does nothing in Node.
 */
interface Page {
  addEventListener?(type: string, listener: () => void, options: { signal: AbortSignal }): void;
}

/** Returns a function that stops it. */
export function watchNetwork(onBack: () => void, onLost: () => void): () => void {
  const page = globalThis as unknown as Page;
  const over = new AbortController();
  const listen = (type: string, listener: () => void): void =>
    page.addEventListener?.(type, listener, over);
  listen("online", onBack);
  listen("visibilitychange", onBack);
  listen("offline", onLost);
  return () => over.abort();
}
