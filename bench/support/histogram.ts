/**
 * Latencies counted in buckets that grow with the value: 64 to each doubling, so a percentile
 * is right within 1.6 % whatever the run's length, and several processes' counts add up.
 */
const SUB_BITS = 6;
const SUB = 1 << SUB_BITS;
/** Up to 2^36 µs, 19 hours; what is longer counts as that. */
const BUCKETS = SUB * 32;

/** As it travels between processes: bucket and count by turns. */
export type HistogramDump = number[];

export interface Percentiles {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(us: number): void {
    const index = bucketOf(us);
    this.#counts[index] = this.#counts[index]! + 1;
    this.#count++;
  }

  merge(dump: HistogramDump): void {
    for (let i = 0; i + 1 < dump.length; i += 2) {
      const index = dump[i]!;
      this.#counts[index] = this.#counts[index]! + dump[i + 1]!;
      this.#count += dump[i + 1]!;
    }
  }

  dump(): HistogramDump {
    const dump: HistogramDump = [];
    this.#counts.forEach((count, index) => {
      if (count > 0) dump.push(index, count);
    });
    return dump;
  }

  /** In µs, of the values below which `share` (0 to 1) of all lie; 0 when there is none. */
  at(share: number): number {
    if (this.#count === 0) return 0;
    const rank = Math.min(this.#count, Math.max(1, Math.ceil(share * this.#count)));
    let seen = 0;
    for (let index = 0; index < BUCKETS; index++) {
      seen += this.#counts[index]!;
      if (seen >= rank) return middleOf(index);
    }
    return middleOf(BUCKETS - 1);
  }

  /** In milliseconds. */
  percentilesMs(): Percentiles {
    const ms = (share: number) => Math.round(this.at(share)) / 1000;
    return {
      count: this.#count,
      p50: ms(0.5),
      p90: ms(0.9),
      p99: ms(0.99),
      p999: ms(0.999),
      max: ms(1),
    };
  }
}

/** The percentiles of several dumps together; null when they are empty. */
export function mergedPercentilesMs(dumps: readonly HistogramDump[]): Percentiles | null {
  const all = new Histogram();
  for (const dump of dumps) all.merge(dump);
  return all.count === 0 ? null : all.percentilesMs();
}

/** The middle one of an odd number, the mean of the middle two of an even one. */
export function medianOf(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** Below 64 each µs has its own; above, the leading 7 bits name the bucket. */
function bucketOf(us: number): number {
  const value = Math.max(0, Math.floor(us));
  if (value < SUB) return value;
  const doublings = Math.floor(Math.log2(value)) - SUB_BITS;
  const index = SUB * (doublings + 1) + Math.floor(value / 2 ** doublings) - SUB;
  return Math.min(BUCKETS - 1, index);
}

function middleOf(index: number): number {
  if (index < SUB) return index;
  const doublings = Math.floor(index / SUB) - 1;
  const low = (SUB + (index % SUB)) * 2 ** doublings;
  return low + (2 ** doublings - 1) / 2;
}
