/**
 * `troupe bench scale`: counts what calm things and faults cost in simulated clusters of several
 * sizes, and says what grows with the number of hosts. Nothing is timed, so the machine does not
 * matter. Exit code 0 where nothing grows that is not known to, 1 where something does.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CAUSES, type Counted, countCluster } from "./causes.ts";
import { MEASURES } from "./counts.ts";
import { type Growth, growthsOf, isGrowing, isKnown, KNOWN, surprisesOf } from "./judge.ts";
import { picturesOf } from "./pictures.ts";

const USAGE = `Usage: troupe bench scale [options]

Counts messages, deliveries, bytes, frames and statements in simulated clusters: the shipped edges,
actors and relay over a network and a storage in memory, with a virtual clock. For each cause it
prints the counts by number of hosts, and whether they grow with it. 256 hosts take minutes.

  --hosts <list>     numbers of hosts, rising, five or more of them, the last one 32 or more
                     (2,4,8,16,32,64)
  --save <file>      writes the counts as JSON
  --beside <file>    counts that another version saved, for the pictures
  --pictures <dir>   draws what SCALE.md shows
`;
const HOSTS_DEFAULT = "2,4,8,16,32,64";
const HOSTS_MAX = 1_000;
const SIZES_MIN = 5;
/** Fewer hosts do not show what saturates. */
const LARGEST_MIN = 32;

export async function scale(args: string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(USAGE);
    return 0;
  }
  const asked = readArguments(args);
  const hosts = asked === null ? null : hostsOf(asked.hosts ?? HOSTS_DEFAULT);
  if (asked === null || hosts === null) {
    process.stderr.write(
      `troupe: --hosts should be five or more rising numbers, the last one 32 or more, like ${HOSTS_DEFAULT}\n\n${USAGE}`,
    );
    return 2;
  }
  const counted: Counted[] = [];
  for (const count of hosts) {
    process.stderr.write(`${count} hosts …\n`);
    counted.push(await countCluster(count));
  }
  if (asked.save !== undefined) await writeFile(asked.save, `${JSON.stringify(counted)}\n`);
  if (asked.pictures !== undefined) {
    const before = asked.beside === undefined ? [] : await readCounts(asked.beside);
    for (const [file, svg] of picturesOf(counted, before)) {
      await writeFile(join(asked.pictures, file), svg);
    }
  }
  const growths = growthsOf(counted);
  process.stdout.write(countsText(growths, hosts));
  const surprises = surprisesOf(growths, hosts.at(-1)!);
  for (const { cause, measures, because } of KNOWN) {
    process.stdout.write(`Known to grow: ${cause}, ${measures.join(", ")}: ${because}.\n`);
  }
  for (const surprise of surprises) process.stderr.write(`NOT KNOWN: ${surprise}.\n`);
  return surprises.length === 0 ? 0 : 1;
}

/** Null where an option is unknown or has no value. */
function readArguments(args: string[]) {
  const text = { type: "string" } as const;
  const options = { hosts: text, save: text, beside: text, pictures: text };
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

async function readCounts(file: string): Promise<Counted[]> {
  return JSON.parse(await readFile(file, "utf8")) as Counted[];
}

function hostsOf(list: string): number[] | null {
  const hosts = list.split(",").map(Number);
  const isRising = hosts.every((count, n) => n === 0 || count > hosts[n - 1]!);
  const isInRange = hosts.every(
    (count) => Number.isInteger(count) && count >= 2 && count <= HOSTS_MAX,
  );
  const isEnough = hosts.length >= SIZES_MIN && hosts.at(-1)! >= LARGEST_MIN;
  return isEnough && isRising && isInRange ? hosts : null;
}

/** One table for each cause. */
export function countsText(growths: readonly Growth[], hosts: readonly number[]): string {
  const causes = [
    { name: "idle", title: "nothing happens", per: "host and second" },
    ...CAUSES,
  ] as const;
  return causes
    .map(({ name, title, per }) => {
      const rows = growths.filter(
        ({ cause, values }) => cause === name && values.some((value) => Math.abs(value) >= 0.05),
      );
      const lines = rows.map((growth) => {
        const cells = growth.values.map((value) => shown(value).padStart(10)).join("");
        const growing = isGrowing(growth, hosts.at(-1)!);
        const verdict = growing ? (isKnown(growth) ? "  grows" : "  GROWS") : "";
        return `  ${MEASURES[growth.measure].padEnd(62)}${cells}${verdict}\n`;
      });
      const head = `${title}, for each ${per}, by hosts:`.padEnd(64);
      return `${head}${hosts.map((count) => String(count).padStart(10)).join("")}\n${lines.join("")}\n`;
    })
    .join("");
}

function shown(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(2);
}
