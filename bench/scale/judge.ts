/**
 * Which counts grow with the cluster, and which of them are known to. Pure.
 *
 * [SCL1] A count of a calm thing (a message, a mark, a session that begins) does not depend on the
 *        number of hosts.
 * [SCL2] A fault of one host or worker costs every other host a bounded number of things, however
 *        many users and hosts there are.
 * [SCL3] Each exception is listed with its reason, and the list only becomes shorter.
 */
import { CAUSES, type Cause, type Counted } from "./causes.ts";
import { MEASURES, type Measure } from "./counts.ts";
import { type Fit, fitOf } from "./fit.ts";

export interface Growth {
  cause: Cause | "idle";
  measure: Measure;
  fit: Fit;
  /** The counts, by rising number of hosts. */
  values: number[];
}

/** A count that doubles with the hosts has an elasticity of 1, one with their square of 2. */
const ELASTICITY_MAX = 0.4;
/** A count below this is one that seldom happens at all. */
const NOISE = 0.1;

/** What one more host may add to the cost of a fault: its lease, its view, and what its edges look at. */
const OF_EACH_HOST: Partial<Record<Measure, number>> = {
  publishes: 8,
  deliveries: 16,
  bytes: 4_000,
  frames: 24,
  statements: 8,
  ids: 8,
  rows: 8,
  lookRows: 8,
  writes: 2,
  packets: 2,
  subscriptions: 2,
};

/** These pass by themselves, so `idle` has them. */
const BY_THEMSELVES: readonly Measure[] = ["renewals", "leaseBytes", "looks"];

export interface Known {
  cause: Cause | "idle";
  measures: readonly Measure[];
  because: string;
}

/** [SCL3] */
export const KNOWN: readonly Known[] = [
  {
    cause: "idle",
    measures: ["leaseBytes"],
    because: "each renewal answers the leases of all hosts (src/relay/lease.ts)",
  },
  {
    cause: "death",
    measures: ["ids"],
    because: "each edge names all its users in the statement that finds who changed",
  },
  {
    cause: "leave",
    measures: ["ids"],
    because: "each edge names all its users in the statement that finds who changed",
  },
  {
    cause: "logout",
    measures: ["deliveries", "bytes", "frames", "lookRows"],
    because: "every edge knows each ended login (src/edge/auth/revocations.ts)",
  },
];

/** Every count by cause and measure, with its fit; `counted` by rising number of hosts. */
export function growthsOf(counted: readonly Counted[]): Growth[] {
  const causes: (Cause | "idle")[] = ["idle", ...CAUSES.map(({ name }) => name)];
  return causes.flatMap((cause) =>
    (Object.keys(MEASURES) as Measure[])
      .filter((measure) => cause === "idle" || !BY_THEMSELVES.includes(measure))
      .map((measure) => {
        const points = counted.map(({ hosts, idle, by }) => ({
          hosts,
          value: (cause === "idle" ? idle : by[cause])[measure],
        }));
        return { cause, measure, fit: fitOf(points), values: points.map(({ value }) => value) };
      }),
  );
}

export function isGrowing({ cause, measure, fit, values }: Growth, hostsMax: number): boolean {
  const most = values.at(-1) ?? 0;
  const isFault = CAUSES.some(({ name, per }) => name === cause && per === "fault");
  if (isFault) return fit.slope > (OF_EACH_HOST[measure] ?? 0);
  return most > NOISE && (fit.slope * hostsMax) / most > ELASTICITY_MAX;
}

export function isKnown({ cause, measure }: Growth): boolean {
  return KNOWN.some((known) => known.cause === cause && known.measures.includes(measure));
}

/** Growths that are not listed, and listed ones that are none any more, as sentences. */
export function surprisesOf(growths: readonly Growth[], hostsMax: number): string[] {
  const growing = growths.filter((growth) => isGrowing(growth, hostsMax));
  const unknown = growing
    .filter((growth) => !isKnown(growth))
    .map((growth) => `${textOf(growth)}, which grows with the hosts`);
  const settled = growths
    .filter((growth) => isKnown(growth) && !growing.includes(growth))
    .map((growth) => `${textOf(growth)}, which grows no more: take it out of KNOWN`);
  return [...unknown, ...settled];
}

function textOf({ cause, measure, values, fit }: Growth): string {
  const counts = values.map((value) => Math.round(value * 100) / 100).join(", ");
  const slope = Math.round(fit.slope * 100) / 100;
  return `${cause}: ${MEASURES[measure]} are ${counts}, ${slope} more for each host`;
}
