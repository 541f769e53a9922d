/** The doctor's judgements on given facts, and how they read. */
import { describe, expect, test } from "vitest";
import { isLoopback } from "../../src/commands/demo/demo.ts";
import { judge, judgeClock } from "../../src/commands/doctor/database.ts";
import {
  checkChoices,
  checkNode,
  checkSlips,
  checkVariables,
} from "../../src/commands/doctor/environment.ts";
import { checkPictures, checkSharedFiles } from "../../src/commands/doctor/files.ts";
import { type Finding, hasFailed, reportText } from "../../src/commands/doctor/finding.ts";
import { checkBacklog, checkMemory, checkOpenFiles } from "../../src/commands/doctor/machine.ts";
import { judgeInfo } from "../../src/commands/doctor/redis.ts";
import { readDemoOptions, readDoctorOptions } from "../../src/commands/options.ts";
import { loadConfig } from "../../src/config/config.ts";
import { CONFIG_KEYS } from "../../src/config/keys.ts";

const states = (findings: readonly Finding[]) =>
  findings.map(({ check, state }) => `${check}: ${state}`);

const DATABASE = {
  version: "16.2 (Debian 16.2-1)",
  version_num: 160_002,
  now_ms: 0,
  max_connections: 100,
  reserved: 3,
  others: 7,
  limit_of_own: null,
  encoding: "UTF8",
  fsync: "on",
  synchronous_commit: "on",
  can_create: true,
};

describe("files", () => {
  test("[DCT12] pictures are refused where sharp cannot be loaded, and it says so", async () => {
    expect(await checkPictures(async () => ({}))).toMatchObject({ state: "ok" });
    const missing = () => Promise.reject(new Error('Could not load the "sharp" module\nmore'));
    const found = await checkPictures(missing);
    expect([found.state, found.found]).toEqual([
      "warn",
      'sharp cannot be loaded: Could not load the "sharp" module',
    ]);
  });

  test("[DCT13] hosts that share no store take no files", () => {
    expect(checkSharedFiles({ redisUrl: null, fileStore: null })).toEqual([]);
    expect(states(checkSharedFiles({ redisUrl: "redis://a", fileStore: null }))).toEqual([
      "files: warn",
    ]);
  });
});

describe("the environment", () => {
  test("[DCT1] Node.js must be new enough", () => {
    expect(["18.20.1", "20.18.9", "20.19.0", "22.1.0"].map((one) => checkNode(one).state)).toEqual([
      "fail",
      "fail",
      "ok",
      "ok",
    ]);
  });

  test("[DCT2] every wrong variable is a finding of its own, a right environment is one", () => {
    const outcome = loadConfig({ PORT: "99999", WORKERS: "none", LOG_LEVEL: "loud" });
    const problems = outcome.ok ? [] : outcome.problems;
    const findings = checkVariables({}, problems);
    expect(states(findings).sort()).toEqual(["LOG_LEVEL: fail", "PORT: fail", "WORKERS: fail"]);
    expect(checkVariables({ PORT: "80" }, [])).toMatchObject([{ state: "ok" }]);
  });

  test("[DCT2] no variable of Troupe's own counts as a slip of another", () => {
    const env = Object.fromEntries(Object.values(CONFIG_KEYS).map(({ name }) => [name, "1"]));
    expect(checkSlips(env)).toEqual([]);
    for (const name of Object.keys(env)) expect(checkSlips({ [name]: "1" })).toEqual([]);
  });

  test("[DCT3] a name that is nearly a variable's is pointed out, others are not", () => {
    expect(
      checkSlips({ DATABASE_URI: "x", REDIS_ULR: "x", HOME: "/", PATH: "/bin" }),
    ).toMatchObject([
      { check: "DATABASE_URI", state: "warn" },
      { check: "REDIS_ULR", state: "warn" },
    ]);
    // The right one is set as well: the other belongs to somebody else.
    expect(checkSlips({ DATABASE_URI: "x", DATABASE_URL: "y" })).toEqual([]);
  });

  test("[DCT4] right but rarely meant: no limits, more workers than cores, an open Redis elsewhere", () => {
    const env = {
      RATE_LIMITS: "off",
      WORKERS: "9",
      DATABASE_URL: "postgres://db/troupe",
      JWT_SECRET: "0123456789abcdef0123456789abcdef",
      REDIS_URL: "redis://redis.example:6379",
    };
    const outcome = loadConfig(env);
    if (!outcome.ok) throw new Error("the configuration should be right");
    expect(states(checkChoices(outcome.config, 2))).toEqual([
      "RATE_LIMITS: warn",
      "WORKERS: warn",
      "REDIS_URL: warn",
    ]);
    const calm = loadConfig({ WORKERS: "2" });
    expect(calm.ok && checkChoices(calm.config, 2)).toEqual([]);
  });
});

describe("the machine", () => {
  const limits = (soft: string, hard: string) =>
    `Limit                     Soft Limit  Hard Limit  Units\nMax open files            ${soft}        ${hard}       files\n`;

  test("[DCT5] open files: the hard limit counts", () => {
    expect(checkOpenFiles(limits("1024", "524288"))).toMatchObject([{ state: "ok" }]);
    expect(checkOpenFiles(limits("1024", "4096"))).toMatchObject([{ state: "warn" }]);
    expect(checkOpenFiles(limits("256", "512"))).toMatchObject([{ state: "fail" }]);
    expect(checkOpenFiles(limits("1024", "unlimited"))).toMatchObject([{ state: "ok" }]);
    expect(checkOpenFiles(null)).toEqual([]);
  });

  test("[DCT5] the queue of new connections, and memory for the workers", () => {
    expect([checkBacklog("128\n")[0]?.state, checkBacklog("4096\n")[0]?.state]).toEqual([
      "warn",
      "ok",
    ]);
    expect(checkBacklog(null)).toEqual([]);
    expect(checkMemory(500_000_000, 8, true).state).toBe("warn");
    expect(checkMemory(4_000_000_000, 8, true).state).toBe("ok");
  });
});

describe("the database", () => {
  test("[DCT6] version, encoding, durability and room for the workers are judged", () => {
    expect(states(judge(DATABASE, 4))).toEqual(["database: ok", "connections: ok"]);
    const old = { ...DATABASE, version: "13.1", version_num: 130_001 };
    expect(states(judge(old, 1))[0]).toBe("database: fail");
    expect(states(judge({ ...DATABASE, encoding: "LATIN1" }, 1))).toContain("encoding: fail");
    const fast = { ...DATABASE, synchronous_commit: "off" };
    expect(states(judge(fast, 1))).toContain("durability: warn");
    expect(states(judge({ ...DATABASE, limit_of_own: 5 }, 1))).toContain("connection limit: warn");
    const [, connections] = judge(DATABASE, 5);
    expect(connections).toMatchObject({ state: "warn" });
    // 100 are needed, 10 are not to be had.
    expect(connections!.advice).toContain("at least 110 ");
  });

  test("[DCT6] a clock is wrong only by more than could be the way there and back", () => {
    expect(judgeClock(5_000, 20).state).toBe("warn");
    expect(judgeClock(-5_000, 20)).toMatchObject({ state: "warn", found: "4990 ms behind" });
    expect(judgeClock(1_500, 2_000).state).toBe("ok");
  });
});

describe("Redis", () => {
  const info = (...lines: string[]) => lines.join("\r\n");

  test("[DCT7] version, by what it is used for; eviction; and that it is a primary", () => {
    expect(states(judgeInfo(info("redis_version:7.2.4", "role:master")))).toEqual([
      "Redis: ok",
      "its eviction: ok",
    ]);
    expect(judgeInfo(info("redis_version:6.2.1", "cluster_enabled:1"))[0]!.state).toBe("fail");
    expect(judgeInfo(info("redis_version:6.2.1", "cluster_enabled:0"))[0]!.state).toBe("ok");
    const evicting = info("redis_version:7.0.0", "maxmemory:1000", "maxmemory_policy:allkeys-lru");
    expect(states(judgeInfo(evicting))).toContain("its eviction: warn");
    const unbounded = info("redis_version:7.0.0", "maxmemory:0", "maxmemory_policy:allkeys-lru");
    expect(states(judgeInfo(unbounded))).toContain("its eviction: ok");
    expect(states(judgeInfo(info("redis_version:7.0.0", "role:slave")))).toContain(
      "its role: fail",
    );
    const valkey = info("redis_version:7.2.4", "valkey_version:8.0.1", "server_name:valkey");
    expect(judgeInfo(valkey)[0]!.found).toBe("Valkey 8.0.1");
  });
});

describe("the report", () => {
  test("[DCT8] says what was found and what to do, and sums up", () => {
    const findings: Finding[] = [
      { check: "one", state: "ok", found: "fine", advice: null },
      { check: "another", state: "fail", found: "broken", advice: "mend it" },
    ];
    expect(hasFailed(findings)).toBe(true);
    const lines = reportText(findings).split("\n");
    expect(lines[0]).toBe("  ok    one      fine");
    expect(lines[1]).toBe("  FAIL  another  broken");
    expect(lines[2]!.trim()).toBe("→ mend it");
    expect(reportText(findings)).toContain("1 to mend");
    expect(reportText([findings[0]!])).toContain("All is well.");
  });
});

describe("options", () => {
  test("[CLI1] demo's are read with their units, and wrong ones are named", () => {
    expect(readDemoOptions([])).toEqual({
      ok: true,
      options: { url: null, people: 12, forMs: null, perMinute: 60, password: null, yes: false },
    });
    const given = [
      "--url",
      "http://localhost:4000/",
      "--for",
      "2m",
      "--people",
      "3",
      "--rate",
      "90",
    ];
    expect(readDemoOptions([...given, "--yes"])).toMatchObject({
      options: {
        url: "http://localhost:4000",
        forMs: 120_000,
        people: 3,
        perMinute: 90,
        yes: true,
      },
    });
    for (const args of [
      ["--url", "localhost"],
      ["--url", "file:///etc"],
      ["--for", "soon"],
      ["--people", "1"],
      ["--people", "13"],
      ["--rate", "0"],
      ["--password", "short"],
      ["--what"],
    ]) {
      expect([args, readDemoOptions(args).ok]).toEqual([args, false]);
    }
    expect(readDoctorOptions(["--json"])).toEqual({ ok: true, options: { json: true } });
    expect(readDoctorOptions(["--yaml"]).ok).toBe(false);
  });

  test("[DEM1] this machine is known by its names, and by nothing that only looks like them", () => {
    for (const name of ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"]) {
      expect([name, isLoopback(name)]).toEqual([name, true]);
    }
    for (const name of ["127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "1.2.3.4"]) {
      expect([name, isLoopback(name)]).toEqual([name, false]);
    }
  });
});
