/** A plan as the lines that `troupe capacity` prints, and as JSON. Pure. */
import type { Break } from "../../capacity/breaks.ts";
import { growthOf } from "../../capacity/breaks.ts";
import { CONSTANTS, type Mark } from "../../capacity/constants.ts";
import { GB, type Profile } from "../../capacity/deployment.ts";
import { TERM_IDS } from "../../capacity/model.ts";
import type { Plan } from "../../capacity/plan.ts";
import type { Seen } from "./from-metrics.ts";

/** The width of the first column. */
const HEAD_WIDTH = 16;
/** How many of what breaks are named. */
const NAMED = 2;
/** A disk that is full later than this is no news. */
const MONTHS_TOLD = 60;

export function planText(plan: Plan, seen: Seen | null): string {
  const { deployment, terms, profile, spareHosts } = plan;
  const { hosts, cores, workers, redisMasters, postgresCores } = deployment;
  const diskMonth = terms.postgresDiskPerDay.value * 30.4;
  const lines: [string, string][] = [
    ["Profile", profileText(profile)],
    [
      "Hosts",
      `${hosts} × ${cores} ${counted(cores, "core")} (${workers} ${counted(workers, "worker")})  CPU ${percent(terms.hostCpu.value)} · memory ${percent(terms.hostMemory.value)} · and ${spareHosts} more for one that fails`,
    ],
    [
      "Redis",
      hosts === 1
        ? "none: one host needs none"
        : `${redisMasters === 1 ? "1 server" : `Cluster of ${redisMasters} masters`}  CPU ${percent(terms.redisCpu.value)} · memory ${percent(terms.redisMemory.value)} of ${amount(deployment.redisBytes)} · ${short(terms.redisDeliveries.value)} deliveries a second`,
    ],
    [
      "PostgreSQL",
      `1 primary of ${postgresCores} cores  CPU ${percent(terms.postgresCpu.value)} · ${short(terms.postgresCommits.value)} commits a second · ${poolerText(terms.postgresConnections.value)} · ${amount(diskMonth)} a month`,
    ],
    ...firstLines(plan),
    ["Faults", `a worker dies: PostgreSQL works ${seconds(terms.workerDeath.value)} of one core`],
  ];
  if (hosts > 1) {
    const back = Math.round(profile.users / hosts);
    lines.push(
      [
        "",
        `a host dies: ${whole(back)} sessions return, caught up after ${seconds(terms.hostDeath.value)}`,
      ],
      [
        "",
        `a host was cut off: PostgreSQL works ${seconds(terms.ownGap.value)} of one core · a Redis master is lost: hosts hear each other again after ${seconds(terms.redisLoss.value)}`,
      ],
      ["", `a deploy, one host at a time: ${seconds(terms.deploy.value)}`],
    );
  }
  if (seen !== null) lines.push(["Measured", seenText(seen, terms.messageCpu.value)]);
  lines.push(["Constants", constantsText()]);
  for (const sentence of plan.unfit) lines.push(["Does not fit", sentence]);
  return lines.map(([head, body]) => `${head.padEnd(HEAD_WIDTH)}${body}\n`).join("");
}

export function planJson(plan: Plan, seen: Seen | null): object {
  const { deployment, profile, terms, breaks, spareHosts, diskMonths, unfit } = plan;
  return {
    profile,
    deployment,
    spare_hosts: spareHosts,
    terms: Object.fromEntries(
      TERM_IDS.map((id) => [
        id,
        {
          ...terms[id],
          value: finite(terms[id].value),
          grows: round(growthOf(id, deployment, profile)),
        },
      ]),
    ),
    breaks: breaks.map(({ threshold: { term, limit, what, advice }, users, mark }) => ({
      term,
      limit,
      what,
      advice,
      users: finite(users),
      mark,
    })),
    disk_months: finite(diskMonths),
    does_not_fit: unfit,
    ...(seen === null ? {} : { measured: seen }),
    constants: CONSTANTS,
  };
}

function profileText(profile: Profile): string {
  const { users, messagesPerS, conversations, watched } = profile;
  const opens = users * profile.handshakesPerS * 60;
  return `${whole(users)} online · ${short(users * messagesPerS)} messages a second · ${short(opens)} handshakes a minute · ${conversations} conversations and ${watched} watched each`;
}

function poolerText(connections: number): string {
  return connections > 500
    ? `PgBouncer in front of ${whole(connections)} connections`
    : `${whole(connections)} connections`;
}

function firstLines({ breaks, diskMonths, deployment, profile }: Plan): [string, string][] {
  const first = breaks.filter(({ users }) => Number.isFinite(users)).slice(0, NAMED);
  const lines = first.map((one, n): [string, string] => [
    n === 0 ? "First to break" : "",
    breakText(one, profile.users),
  ]);
  if (diskMonths < MONTHS_TOLD) {
    const months =
      diskMonths < 2
        ? `after ${Math.max(1, Math.floor(diskMonths * 30))} days`
        : `after ${Math.floor(diskMonths)} months`;
    lines.push([
      "",
      `the disk of PostgreSQL (${amount(deployment.postgresBytes)}) is full ${months}: a larger one, or conversations that keep their messages for a time`,
    ]);
  }
  return lines;
}

/** What breaks, at how many users, and what to do about it. */
export function breakText({ threshold, users, mark }: Break, usersNow: number): string {
  const at =
    users > usersNow ? `at ${short(users)} users` : `NOW, and from ${short(users)} users on`;
  return `${threshold.what}: ${at} (${mark}); ${threshold.advice}`;
}

function seenText({ cpuPerMessageS, cores, sessions }: Seen, modelS: number): string {
  const used = `${whole(sessions)} sessions use ${cores.toFixed(2)} cores of this host`;
  return cpuPerMessageS === null
    ? `${used}; no message was sent meanwhile, so the rate is the default`
    : `${used}, ${Math.round(cpuPerMessageS * 1e6)} µs a message with everything beside it (the model says ${Math.round(modelS * 1e6)} µs at full speed)`;
}

function constantsText(): string {
  const marks = Object.values(CONSTANTS).map(({ mark }) => mark);
  const count = (wanted: Mark) => marks.filter((mark) => mark === wanted).length;
  return `${count("measured")} measured, ${count("read")} read in the code, ${count("estimated")} estimated, which may be off by a factor of two (--json has them all)`;
}

function counted(count: number, word: string): string {
  return count === 1 ? word : `${word}s`;
}

function percent(part: number): string {
  return part > 0 && part < 0.01 ? "< 1 %" : `${Math.round(part * 100)} %`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** Two figures: 4.1 M, 230 k, 12. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "any number of";
  for (const [unit, size] of [
    [" G", 1e9],
    [" M", 1e6],
    [" k", 1e4],
  ] as const) {
    if (value >= size) {
      const scaled = value / (unit === " k" ? 1e3 : size);
      return `${scaled >= 10 ? Math.round(scaled) : scaled.toFixed(1)}${unit}`;
    }
  }
  return value >= 10 ? whole(value) : value.toPrecision(2);
}

function amount(bytes: number): string {
  if (bytes >= 1_000 * GB) return `${(bytes / GB / 1_000).toFixed(1)} TB`;
  return bytes >= GB ? `${Math.round(bytes / GB)} GB` : `${Math.round(bytes / 1e6)} MB`;
}

function seconds(value: number): string {
  if (!Number.isFinite(value)) return "a restart";
  if (value >= 120) return `${Math.round(value / 60)} min`;
  return value >= 10 ? `${Math.round(value)} s` : `${value.toPrecision(2)} s`;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
