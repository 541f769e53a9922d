/**
 * The type of a scenario, and the beginning that several share: residents with conversations, a
 * fleet that is connected, a server that has warmed up and is quiet again.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Fleet, type FleetReport, sourceAddresses } from "../fleet/fleet.ts";
import { Unmeasured, whenQuiet } from "../meter.ts";
import type { Outcome } from "../outcome.ts";
import type { Stack } from "../stack.ts";
import { openFilesMax, whyTooMany } from "../support/open-files.ts";
import type { Resident } from "../town.ts";

export interface Plan {
  seconds: number;
  /** How many clients or HTTP connections; null for the scenario's own number. */
  clients: number | null;
  /** Messages a second, of `latency` and `hold`; null: the scenario's own. */
  perSecond: number | null;
}

export interface Stage {
  stack: Stack;
  plan: Plan;
  /** For the progress bar: what happens now, and how many units there are. */
  say(text: string, units?: () => number): void;
  /** Ctrl-C: nobody waits for what comes of it any more. */
  signal: AbortSignal;
}

export interface Scenario {
  name: string;
  title: string;
  /** It measures what only Troupe has. */
  isOurs?: true;
  run(stage: Stage): Promise<Outcome>;
}

/** A remote deployment may limit connections of one address. */
const REMOTE_CLIENTS_MAX = 100;
export const WARM_UP_S = 1;
export const CONNECTING_MAX = 100;
/** As many as cores would be too many: the server needs them. */
const FLEET_PROCESSES = 2;

/**
 * The number asked for, else the usual one, in whole groups of `groupOf` and at least one group.
 */
export function clientsOf({ plan, stack }: Stage, usual: number, groupOf = 1): number {
  const wanted = plan.clients ?? (stack.isOwn ? usual : Math.min(usual, REMOTE_CLIENTS_MAX));
  return Math.max(1, Math.floor(wanted / groupOf)) * groupOf;
}

/** Runs `work` with a fleet for so many clients, and ends it whatever happens. */
export async function withFleet<T>(
  clients: number,
  work: (fleet: Fleet) => Promise<T>,
): Promise<T> {
  const fleet = Fleet.start(clients, FLEET_PROCESSES);
  try {
    return await work(fleet);
  } finally {
    await fleet.stop();
  }
}

/** All connected and ready; Unmeasured when one is not. */
export async function connectAll(
  { stack, say }: Stage,
  fleet: Fleet,
  residents: readonly Resident[],
  contract?: string,
): Promise<FleetReport> {
  const trouble = stack.isOwn ? whyTooMany(residents.length, stack.workers, openFilesMax()) : null;
  if (trouble !== null) throw new Unmeasured(trouble);
  say(`connecting ${residents.length} clients`, () => fleet.counts.ready);
  const report = await fleet.open(
    specsOf(stack, residents).map((spec) => ({ ...spec, ...(contract && { contract }) })),
    Math.min(CONNECTING_MAX, residents.length),
  );
  if (report.done < residents.length) {
    throw new Unmeasured(
      `Only ${report.done} of ${residents.length} clients could connect: ${report.reasons[0]}.` +
        (stack.isOwn ? "" : " A deployment under load test wants RATE_LIMITS=off."),
    );
  }
  return report;
}

export function specsOf(stack: Stack, residents: readonly Resident[]) {
  const { places } = stack;
  const isLocal = places.every(({ host }) => host === "127.0.0.1" || host === "localhost");
  const addresses = sourceAddresses(residents.length, isLocal);
  return residents.map(({ token }, i) => ({
    token,
    address: addresses[i]!,
    place: places[i % places.length]!,
  }));
}

/** Rejects when the run is stopped meanwhile. */
export async function pause({ signal }: Stage, ms: number): Promise<void> {
  await delay(ms, undefined, { signal });
}

export async function quiet({ stack, say }: Stage): Promise<void> {
  say("waiting until the server is quiet");
  await whenQuiet(stack);
}

/**
 * Each talks with the next ones: `each` direct conversations a resident (fewer where there are
 * not so many others), and groups of `size`.
 */
export function neighbourhood(
  residents: readonly Resident[],
  each: number,
  size: number,
): Resident[][] {
  const lists: Resident[][] = [];
  const count = residents.length;
  for (let step = 1; step <= Math.min(each / 2, count / 2); step++) {
    // Half way round a circle each pair would come by twice.
    const pairs = 2 * step === count ? step : count;
    for (let i = 0; i < pairs; i++) lists.push([residents[i]!, residents[(i + step) % count]!]);
  }
  return lists.concat(groupsOf(residents, size));
}

export function groupsOf(residents: readonly Resident[], size: number): Resident[][] {
  const lists: Resident[][] = [];
  for (let i = 0; i + 1 < residents.length; i += size) lists.push(residents.slice(i, i + size));
  return lists;
}

/** The failures of some reports and the reasons given. */
export function troubleOf(...reports: FleetReport[]): { failures: number; reasons: string[] } {
  return {
    failures: reports.reduce((sum, one) => sum + one.failed, 0),
    reasons: [...new Set(reports.flatMap((one) => one.reasons))].slice(0, 5),
  };
}
