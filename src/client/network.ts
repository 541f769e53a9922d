/**
 * What a browser knows about its network, and when its page is looked at again; nothing in Node.
 */
interface Page {
  addEventListener?(type: string, listener: () => void): void;
  removeEventListener?(type: string, listener: () => void): void;
}

/** Returns the way to end it. */
export function watchNetwork(onBack: () => void, onLost: () => void): () => void {
  const page = globalThis as unknown as Page;
  const listeners = [
    ["online", onBack],
    ["visibilitychange", onBack],
    ["offline", onLost],
  ] as const;
  for (const [type, listener] of listeners) page.addEventListener?.(type, listener);
  return () => {
    for (const [type, listener] of listeners) page.removeEventListener?.(type, listener);
  };
}
