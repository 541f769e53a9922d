/**
 * What a browser knows about its network, and when its page is looked at again; nothing in Node.
 */
interface Page {
  addEventListener?(type: string, listener: () => void, options: { signal: AbortSignal }): void;
}

/** Returns the way to end it. */
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
