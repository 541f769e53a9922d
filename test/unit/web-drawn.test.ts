/**
 * What the page waits for until it is drawn.
 *
 * [DRW1] A caller that waits for a drawing goes on with the next one, and after a deadline without one.
 * [DRW2] An element is found at once, or when it comes; after a deadline it is given up.
 * [DRW3] After a comment that is not drawn yet nothing is scrolled.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { appears, Drawings } from "../../src/client/ui/drawn.ts";
import { showLastComment } from "../../src/web/app/last-comment.ts";

const observers = new Set<() => void>();

class Observer {
  readonly #look: () => void;

  constructor(look: () => void) {
    this.#look = look;
  }

  observe(): void {
    observers.add(this.#look);
  }

  disconnect(): void {
    observers.delete(this.#look);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("MutationObserver", Observer);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("[DRW1] the next drawing ends the wait, and so does the deadline", async () => {
  const drawings = new Drawings();
  const both = Promise.all([drawings.next(), drawings.next()]);
  drawings.drawn();
  await both;
  const late = drawings.next();
  await vi.advanceTimersByTimeAsync(2_000);
  await late;
  expect(vi.getTimerCount()).toBe(0);
});

it("[DRW2] an element is waited for without a fixed pause", async () => {
  const root = {} as Node;
  let there: string | null = "here";
  expect(await appears(root, () => there)).toBe("here");
  there = null;
  const coming = appears(root, () => there);
  for (const look of [...observers]) look();
  there = "later";
  for (const look of [...observers]) look();
  expect(await coming).toBe("later");
  const never = appears(root, () => null);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await never).toBeNull();
  expect([observers.size, vi.getTimerCount()]).toEqual([0, 0]);
});

it("[DRW3] the last comment is scrolled to where there is one", () => {
  const scrolled: number[] = [];
  const comments = [1, 2].map((n) => ({ scrollIntoView: () => scrolled.push(n) }));
  const column = (found: object[]) =>
    ({ querySelectorAll: () => found }) as unknown as Parameters<typeof showLastComment>[0];
  showLastComment(null);
  showLastComment(column([]));
  showLastComment(column(comments));
  expect(scrolled).toEqual([2]);
});
