/** How often a Readable that is drawn tells of its changes. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { calm } from "../../src/client/calm.ts";
import { createStore, type Store } from "../../src/client/store.ts";

const FRAME_MS = 16;
const GAP_MS = 100;

describe("calm", () => {
  let source: Store<number>;
  let toldAt: number[];

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "queueMicrotask"] });
    vi.stubGlobal("requestAnimationFrame", (draw: () => void) => setTimeout(draw, FRAME_MS));
    vi.stubGlobal("cancelAnimationFrame", (frame: NodeJS.Timeout) => clearTimeout(frame));
    source = createStore(0, (error) => {
      throw error;
    });
    toldAt = [];
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const follows = (gapMs: number) => {
    const start = performance.now();
    return calm(source, gapMs).subscribe(() => toldAt.push(performance.now() - start));
  };
  /** One change every 5 ms. */
  const changes = async (count: number) => {
    for (let n = 0; n < count; n++) {
      source.set(source.get() + 1);
      await vi.advanceTimersByTimeAsync(5);
    }
  };

  it("[KIT40] what comes alone shows with the next frame, and a burst a few times", async () => {
    follows(GAP_MS);
    await changes(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(toldAt).toEqual([FRAME_MS]);
    toldAt.length = 0;
    await changes(100);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(toldAt.length).toBeLessThanOrEqual(7);
    expect(toldAt[0]).toBe(1_005 + FRAME_MS);
    // The last change as well.
    expect(toldAt.at(-1)).toBeGreaterThanOrEqual(1_005 + 495);
    expect(toldAt.at(-1)).toBeLessThanOrEqual(1_005 + 495 + GAP_MS);
  });

  it("[KIT40] without a gap it tells once a frame, and nobody after the end", async () => {
    const end = follows(0);
    await changes(100);
    expect(toldAt.length).toBeGreaterThan(20);
    expect(toldAt.length).toBeLessThanOrEqual(500 / FRAME_MS + 1);
    source.set(-1);
    await vi.advanceTimersByTimeAsync(1);
    end();
    toldAt.length = 0;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(toldAt).toEqual([]);
  });
});
