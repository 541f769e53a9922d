/** The capacity model, its plans, and what `troupe capacity` reads and prints. */
import { describe, expect, it } from "vitest";
import { breaksOf, growthOf, THRESHOLDS } from "../../src/capacity/breaks.ts";
import { CONSTANTS, weakestMark } from "../../src/capacity/constants.ts";
import {
  DEFAULT_PROFILE,
  type Deployment,
  GB,
  type Profile,
} from "../../src/capacity/deployment.ts";
import { hostsHearing, loadOf } from "../../src/capacity/load.ts";
import { TERM_IDS, termOf, termsOf } from "../../src/capacity/model.ts";
import { type Plan, planFor } from "../../src/capacity/plan.ts";
import { readingOf, seenBetween } from "../../src/commands/capacity/from-metrics.ts";
import { profileOf, readCapacityOptions } from "../../src/commands/capacity/options.ts";
import { planJson, planText } from "../../src/commands/capacity/report.ts";

const HOST = { cores: 16, memoryBytes: 64 * GB };
const TEN_HOSTS: Deployment = {
  ...HOST,
  hosts: 10,
  workers: 8,
  redisMasters: 3,
  redisBytes: 16 * GB,
  postgresCores: 16,
  postgresBytes: 4_000 * GB,
};
const PROFILE: Profile = { ...DEFAULT_PROFILE, users: 100_000 };

function plan(profile: Profile): Plan {
  const found = planFor(profile, HOST);
  if (typeof found === "string") throw new Error(found);
  return found;
}

describe("the model", () => {
  it("[PLN1] every constant says how it is known, from where and since when", () => {
    for (const [name, { value, mark, source, date }] of Object.entries(CONSTANTS)) {
      expect(value, name).toBeGreaterThan(0);
      expect(["measured", "read", "estimated"], name).toContain(mark);
      expect(source.length, name).toBeGreaterThan(10);
      expect(date, name).toMatch(/^2\d{3}-\d\d-\d\d$/);
    }
  });

  it("[PLN2] a term has the mark of its weakest constant", () => {
    expect(weakestMark(["measured", "read"])).toBe("read");
    expect(weakestMark(["measured", "estimated", "read"])).toBe("estimated");
    expect(weakestMark(["measured"])).toBe("measured");
    expect(termOf("postgresDiskPerDay", TEN_HOSTS, PROFILE).mark).toBe("measured");
    expect(termOf("postgresConnections", TEN_HOSTS, PROFILE).mark).toBe("read");
    expect(termOf("redisCpu", TEN_HOSTS, PROFILE).mark).toBe("estimated");
  });

  it("[PLN3] a direct message between hosts makes the deliveries that its path has", () => {
    const pairs: Profile = {
      ...PROFILE,
      groups: [{ members: 2, share: 1 }],
      onlineShare: 1,
      marksPerReader: 2,
      typingPerMessage: 3,
    };
    const { message } = loadOf({ ...TEN_HOSTS, hosts: 1_000 }, pairs);
    expect(message.calls).toBe(6);
    expect(message.deliveries).toBe(3);
    // Six events, each heard on the other hosts of two people.
    expect(message.hostDeliveries).toBeCloseTo(6 * hostsHearing(1_000, 2));
    expect(hostsHearing(1, 50)).toBe(0);
    expect(hostsHearing(2, 1_000)).toBeCloseTo(1);
  });

  it("[PLN3] one host asks nothing of Redis, and no term is negative or no number", () => {
    const alone = termsOf({ ...TEN_HOSTS, hosts: 1 }, PROFILE);
    expect(alone.redisCpu.value).toBe(0);
    expect(alone.redisDeliveries.value).toBe(0);
    expect(alone.redisMemory.value).toBe(0);
    for (const hosts of [1, 2, 64, 1_000]) {
      const terms = termsOf({ ...TEN_HOSTS, hosts }, { ...PROFILE, users: hosts * 10_000 });
      for (const id of TERM_IDS) expect(terms[id].value, id).toBeGreaterThanOrEqual(0);
    }
  });

  it("[PLN4] it says which terms grow with the cluster, and which follow the users alone", () => {
    const grows = (term: (typeof TERM_IDS)[number]) => growthOf(term, TEN_HOSTS, PROFILE);
    expect(grows("viewStall")).toBeCloseTo(0);
    expect(grows("hostMemory")).toBeCloseTo(0);
    expect(grows("ownGap")).toBeCloseTo(0);
    expect(grows("postgresCpu")).toBeLessThan(0.3);
    expect(grows("revocationRows")).toBeCloseTo(2);
    expect(grows("announced")).toBeCloseTo(1);
  });
});

describe("what breaks", () => {
  it("[PLN5] each break lies where its term reaches the limit, and they come in order", () => {
    const breaks = breaksOf(TEN_HOSTS, PROFILE);
    expect(breaks).toHaveLength(THRESHOLDS.length);
    expect(breaks.map(({ users }) => users)).toEqual(
      breaks.map(({ users }) => users).sort((a, b) => a - b),
    );
    for (const { threshold, users } of breaks.filter((one) => Number.isFinite(one.users))) {
      const at = (count: number) =>
        termOf(threshold.term, TEN_HOSTS, { ...PROFILE, users: count }).value;
      expect(at(users), threshold.term).toBeGreaterThanOrEqual(threshold.limit);
      expect(at(users * 0.99 - 1), threshold.term).toBeLessThan(threshold.limit);
    }
  });

  it("[PLN6] a plan has room, and is the smallest that has", () => {
    for (const users of [1_000, 100_000, 2_000_000]) {
      const { deployment, terms, profile } = plan({ ...PROFILE, users });
      expect(terms.hostCpu.value).toBeLessThanOrEqual(0.5);
      expect(terms.hostMemory.value).toBeLessThanOrEqual(0.6);
      expect(terms.redisCpu.value).toBeLessThanOrEqual(0.5);
      if (deployment.hosts === 1) continue;
      const fewer = termsOf({ ...deployment, hosts: deployment.hosts - 1 }, profile);
      const isTooFull = fewer.hostCpu.value > 0.5 || fewer.hostMemory.value > 0.6;
      expect(isTooFull, `${users} users`).toBe(true);
    }
  });

  it("[PLN6] more than any number of hosts carries is said in a sentence", () => {
    const wild = { ...PROFILE, users: 1e9, messagesPerS: 100 };
    expect(planFor(wild, { cores: 1, memoryBytes: GB })).toMatch(/^No number of hosts .*\.$/);
  });
});

describe("troupe capacity", () => {
  const options = (...args: string[]) => readCapacityOptions(args);
  const valid = (...args: string[]) => {
    const read = options(...args);
    if (!read.ok) throw new Error(read.problem);
    return read.options;
  };

  it("[PLN7] reads the profile and the host, and leaves the rest at its default", () => {
    const read = valid("--users", "2e6", "--rate", "0.005", "--groups", "direct:60,10:35,100:5");
    expect(profileOf(read, {})).toMatchObject({
      users: 2_000_000,
      messagesPerS: 0.005,
      watched: DEFAULT_PROFILE.watched,
      groups: [
        { members: 2, share: 0.6 },
        { members: 10, share: 0.35 },
        { members: 100, share: 0.05 },
      ],
    });
    expect(valid("--host", "32c,256g").host).toEqual({ cores: 32, memoryBytes: 256 * GB });
    expect(valid("--from-metrics", "http://troupe:3000").from).toEqual({
      url: "http://troupe:3000/metrics",
      forMs: 10_000,
    });
  });

  it("[PLN7] what is wrong is said in a sentence that names the option", () => {
    for (const [args, wanted] of [
      [["--users", "many"], /--users/],
      [["--users", "0"], /--users/],
      [["--rate", "-1"], /--rate/],
      [["--groups", "direct:60"], /--groups/],
      [["--groups", "one:100"], /--groups/],
      [["--host", "16 cores"], /--host/],
      [["--watch", ""], /--watch/],
      [["--online", "200"], /--online/],
      [["--from-metrics", "localhost"], /--from-metrics/],
      [["--from-metrics", "http://a", "--for", "soon"], /--for/],
      [["--for", "5s"], /--from-metrics/],
      [["--hosts", "3"], /--hosts/],
    ] as const) {
      const read = options(...args);
      expect(read.ok ? args.join(" ") : read.problem).toMatch(wanted);
    }
  });

  it("[PLN8] prints hosts, Redis, PostgreSQL, what breaks first and what faults cost", () => {
    const text = planText(plan({ ...PROFILE, users: 2_000_000 }), null);
    for (const head of ["Profile", "Hosts", "Redis", "PostgreSQL", "First to break", "Faults"]) {
      expect(text).toMatch(new RegExp(`^${head} {2,}\\S`, "m"));
    }
    expect(text).toContain("sessions return");
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
    const alone = planText(plan(PROFILE), null);
    expect(alone).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("[PLN8] what the model does not cover is said", () => {
    const groups = [{ members: 10_000, share: 1 }];
    expect(planText(plan({ ...PROFILE, groups }), null)).toMatch(/^Does not fit .*10,000.*$/m);
  });

  it("[PLN8] as JSON, each term has its growth and each constant its mark", () => {
    const json = JSON.parse(JSON.stringify(planJson(plan(PROFILE), null)));
    expect(Object.keys(json.terms).sort()).toEqual([...TERM_IDS].sort());
    expect(json.terms.hostCpu).toMatchObject({ unit: "of its cores", mark: "estimated" });
    expect(json.breaks[0]).toMatchObject({ users: expect.any(Number), advice: expect.any(String) });
    expect(json.constants.deliveryCpu.mark).toBe("measured");
  });

  it("[PLN9] rates are those between two readings of the metrics, for each session", () => {
    const text = (sends: number, cpu: number) => `# HELP troupe_sessions Sessions connected.
troupe_sessions 200
troupe_sends_total ${sends}
troupe_events_total{event="typing"} ${sends * 2}
troupe_events_total{event="mark_read"} ${sends}
process_cpu_seconds_total{worker="0"} ${cpu}
process_cpu_seconds_total{worker="1"} ${cpu}
`;
    const [first, last] = [readingOf(text(1_000, 5)), readingOf(text(1_100, 5.5))];
    const seen = seenBetween(first!, last!, 10);
    expect(seen.profile).toEqual({ users: 200, messagesPerS: 0.05, typingPerMessage: 2 });
    expect(seen.cores).toBeCloseTo(0.1);
    expect(seen.cpuPerMessageS).toBeCloseTo(0.01);
    expect(profileOf(valid("--users", "500"), seen.profile)).toMatchObject({
      users: 500,
      messagesPerS: 0.05,
    });
  });

  it("[PLN9] without messages the rate stays the default, and other metrics are none", () => {
    const text = "troupe_sessions 3\ntroupe_sends_total 7\n";
    const seen = seenBetween(readingOf(text)!, readingOf(text)!, 10);
    expect(seen.profile).toEqual({ users: 3 });
    expect(planText(plan(PROFILE), seen)).toContain("no message was sent meanwhile");
    expect(readingOf("node_load1 0.5\n")).toBeNull();
  });
});
