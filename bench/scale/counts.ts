/** What a simulation counts, by name. Differences of two readings are what a cause has cost. */

export const MEASURES = {
  publishes: "messages that hosts publish on Redis",
  deliveries: "messages that Redis brings to hosts",
  bytes: "bytes that Redis brings to hosts",
  subscriptions: "channels that hosts subscribe to or leave",
  renewals: "renewals of leases",
  leaseBytes: "bytes that renewals answer",
  frames: "frames through the primaries",
  looks: "looks into storage for what is due, and for ended logins",
  lookRows: "rows that looks answer",
  statements: "other statements that read storage",
  ids: "ids that statements name",
  rows: "rows that statements answer",
  writes: "statements that write",
  packets: "packets to sockets",
} as const;

export type Measure = keyof typeof MEASURES;
export type Figures = Readonly<Record<Measure, number>>;

const ZERO = Object.fromEntries(Object.keys(MEASURES).map((name) => [name, 0])) as Record<
  Measure,
  number
>;

export class Counts {
  readonly #counts: Record<Measure, number> = { ...ZERO };

  add(measure: Measure, count = 1): void {
    this.#counts[measure] += count;
  }

  read(): Figures {
    return { ...this.#counts };
  }
}

/** What was counted from `before` to `after`, divided by `by`. */
export function between(before: Figures, after: Figures, by: number): Figures {
  const figures = { ...ZERO };
  for (const name of Object.keys(MEASURES) as Measure[]) {
    figures[name] = (after[name] - before[name]) / by;
  }
  return figures;
}
