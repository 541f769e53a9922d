/** Seeded randomness: the same seed plans the same faults and the same actions of every client. */

/** An integer from 0 to below `n`. */
export type Chance = (n: number) => number;

/** mulberry32 (Tommy Ettinger, public domain). */
export function chanceFrom(seed: number): Chance {
  let state = seed | 0;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

/** A separate stream for `name`, so that one client's draws do not shift another's. */
export function chanceOf(seed: number, name: string): Chance {
  let hash = seed | 0;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return chanceFrom(hash);
}

export function pick<T>(chance: Chance, from: readonly T[]): T {
  return from[chance(from.length)]!;
}

/** Fisher–Yates shuffle; `from` is not changed. */
export function shuffled<T>(chance: Chance, from: readonly T[]): T[] {
  const cards = [...from];
  for (let i = cards.length - 1; i > 0; i--) {
    const j = chance(i + 1);
    [cards[i], cards[j]] = [cards[j]!, cards[i]!];
  }
  return cards;
}
