/** Waiting for what React, and the list that it draws, bring into the page. */

/** Without a change for so long, what is waited for does not come. */
const DEADLINE_MS = 2_000;

/** Resolves with what `find` finds, at once or after a change in `root`; null: it does not come. */
export function appears<T>(root: Node, find: () => T | null): Promise<T | null> {
  const there = find();
  if (there !== null) return Promise.resolve(there);
  return new Promise((resolve) => {
    const end = (found: T | null): void => {
      clearTimeout(deadline);
      observer.disconnect();
      resolve(found);
    };
    const observer = new MutationObserver(() => {
      const found = find();
      if (found !== null) end(found);
    });
    const deadline = setTimeout(() => end(null), DEADLINE_MS);
    observer.observe(root, { childList: true, subtree: true });
  });
}

/** The next drawing of something, for callers that need what it shows. */
export class Drawings {
  readonly #waiting = new Set<() => void>();

  /** Resolves after the next drawing, or when the deadline has passed. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(deadline);
        this.#waiting.delete(end);
        resolve();
      };
      const deadline = setTimeout(end, DEADLINE_MS);
      this.#waiting.add(end);
    });
  }

  drawn(): void {
    for (const end of [...this.#waiting]) end();
  }
}
