/** The configuration: what is taken, what is refused, and how the refusal reads. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Config, describeProblems, loadConfig } from "../../src/config/config.ts";
import { CONFIG_KEYS } from "../../src/config/keys.ts";
import { DEFAULT_LIMITS, LIMIT_KEYS } from "../../src/config/limit-keys.ts";

type Env = Record<string, string | undefined>;

const DATABASE = {
  DATABASE_URL: "postgres://u:p@db.example/troupe",
  JWT_SECRET: "0123456789abcdef0123456789abcdef",
};

function accepted(env: Env): Config {
  const outcome = loadConfig(env);
  if (!outcome.ok) throw new Error(describeProblems(outcome.problems));
  return outcome.config;
}

function wrongNames(env: Env): string[] {
  const outcome = loadConfig(env);
  return outcome.ok ? [] : outcome.problems.map((problem) => problem.name).sort();
}

function messageFor(env: Env): string {
  const outcome = loadConfig(env);
  return outcome.ok ? "" : describeProblems(outcome.problems);
}

describe("defaults", () => {
  test("[CFG1] an empty environment is a whole configuration", () => {
    const config = accepted({});
    expect(config).toMatchObject({
      port: 3000,
      host: "0.0.0.0",
      dataDir: resolve(".data"),
      databaseUrl: null,
      databaseDirectUrl: null,
      redisUrl: null,
      jwtSecret: null,
      jwtIssuer: "troupe",
      jwtAudience: "troupe",
      accessTokenTtlS: 900,
      refreshTokenTtlS: 2_592_000,
      presenceGraceMs: 5000,
      rateLimits: true,
      trustProxy: false,
      corsOrigin: null,
      logLevel: "info",
    });
    expect(config.workers).toBeGreaterThanOrEqual(1);
  });

  test("[CFG1] an empty or blank variable counts as not set", () => {
    const env = Object.fromEntries(Object.values(CONFIG_KEYS).map(({ name }) => [name, "  "]));
    expect(accepted(env)).toEqual(accepted({}));
  });

  test("[CFG1] the written default of every key is what an unset key gets", () => {
    const words = new Set([
      "number of cores",
      "generated into DATA_DIR",
      "made into the database",
      "the machine's name and PORT",
      "",
    ]);
    const env = Object.fromEntries(
      Object.values(CONFIG_KEYS)
        .filter((key) => !words.has(key.default))
        .map((key) => [key.name, key.default]),
    );
    expect(accepted(env)).toEqual(accepted({}));
  });
});

describe("values", () => {
  test.each<[string, Env, Partial<Config>]>([
    ["port 0 is any free port", { PORT: "0" }, { port: 0 }],
    ["spaces around a value are not part of it", { PORT: " 8080 " }, { port: 8080 }],
    ["host may be IPv6", { HOST: "::1" }, { host: "::1" }],
    ["workers", { WORKERS: "256" }, { workers: 256 }],
    ["data directory", { DATA_DIR: "x/../y" }, { dataDir: resolve("y") }],
    ["a grace of 0", { PRESENCE_GRACE_MS: "0" }, { presenceGraceMs: 0 }],
    [
      "defaults of privacy",
      { PRIVACY_DEFAULTS: "contacts, nobody,FALSE,everyone, contacts, true" },
      {
        privacyDefaults: {
          ...{ presence: "contacts", last_seen: "nobody", receipts: false },
          ...{ direct: "everyone", add_consent: "contacts", discoverable: true },
        },
      },
    ],
    ["switches", { RATE_LIMITS: "off", TRUST_PROXY: "on" }, { rateLimits: false, trustProxy: 1 }],
    ["two proxies in a row", { TRUST_PROXY: "2" }, { trustProxy: 2 }],
    [
      "proxies by address",
      { TRUST_PROXY: "10.0.0.0/8, ::1" },
      { trustProxy: ["10.0.0.0/8", "::1"] },
    ],
    [
      "a limit by the second with a burst",
      { RATE_LIMIT_SEND: "5/s burst 20" },
      { limits: { ...DEFAULT_LIMITS, send: { perS: 5, burst: 20 } } },
    ],
    [
      "a limit by the minute, which is its own burst",
      { RATE_LIMIT_LOGIN: "30/MIN" },
      { limits: { ...DEFAULT_LIMITS, login: { perS: 0.5, burst: 30 } } },
    ],
    [
      "one limit off",
      { RATE_LIMIT_HTTP_USER: "off" },
      { limits: { ...DEFAULT_LIMITS, http_user: null } },
    ],
    ["log level", { LOG_LEVEL: "SILENT" }, { logLevel: "silent" }],
    ["any origin", { CORS_ORIGIN: "*" }, { corsOrigin: null }],
    [
      "several origins",
      { CORS_ORIGIN: "https://A.example, http://localhost:5173" },
      { corsOrigin: ["https://a.example", "http://localhost:5173"] },
    ],
    ["a database with a secret", DATABASE, { jwtSecret: DATABASE.JWT_SECRET }],
    [
      "a database by its socket's folder",
      { ...DATABASE, DATABASE_URL: "postgresql:///troupe?host=/run/postgresql" },
      { databaseUrl: "postgresql:///troupe?host=/run/postgresql" },
    ],
    [
      "Redis over TLS",
      { ...DATABASE, REDIS_URL: "rediss://u:p@r.example:6380" },
      { redisUrl: "rediss://u:p@r.example:6380" },
    ],
    [
      "a database with an outside issuer and no secret",
      { DATABASE_URL: DATABASE.DATABASE_URL, JWT_JWKS_URL: "https://id.example/jwks.json" },
      { jwtSecret: null, jwtJwksUrl: "https://id.example/jwks.json" },
    ],
  ])("[CFG2] %s", (_title, env, expected) => {
    expect(accepted(env)).toMatchObject(expected);
  });

  test.each<[string, string[]]>([
    ["PORT", ["65536", "-1", "3000.5", "1e3", "0x10", "http", "99999999999999999999"]],
    ["HOST", ["a b", "http://x"]],
    ["WORKERS", ["0", "257", "auto"]],
    ["DATABASE_URL", ["mysql://x/y", "localhost:5432", "postgres://"]],
    ["JWT_SECRET", ["short", "x".repeat(31)]],
    ["JWT_JWKS_URL", ["ftp://x/y", "jwks.json", "file:///nowhere/jwks.json", "file://host/x"]],
    ["ACCESS_TOKEN_TTL_S", ["0", "15m"]],
    ["REFRESH_TOKEN_TTL_S", ["0", "forever", "899"]],
    ["PRESENCE_GRACE_MS", ["-5", "5s", "600001"]],
    ["PRIVACY_DEFAULTS", ["everyone", "everyone, everyone, yes, everyone, anyone, true"]],
    ["RATE_LIMITS", ["maybe"]],
    ["TRUST_PROXY", ["maybe", "9", "-1", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.1,,"]],
    ["CONNECTION_RATE_PER_S", ["0", "1.5", "100001"]],
    ["CONNECTION_BURST", ["0", "many"]],
    ["PENDING_CONNECTIONS_MAX", ["0", "100001"]],
    [
      "RATE_LIMIT_SEND",
      ["100", "0/s", "10/day", "-1/s", "10/s burst 0", "10/s burst", "1.5/s", "1/s burst 99999999"],
    ],
    ["CORS_ORIGIN", ["example.com", "https://a.example/", "https://a.example,,", "null"]],
    ["LOG_LEVEL", ["verbose"]],
  ])("[CFG3] %s is refused when it makes no sense", (name, values) => {
    const others = name === "DATABASE_URL" ? { JWT_SECRET: DATABASE.JWT_SECRET } : {};
    for (const value of values)
      expect([value, wrongNames({ ...others, [name]: value })]).toEqual([value, [name]]);
  });
});

describe("variables that need each other", () => {
  test("[CFG4] DATABASE_URL wants JWT_SECRET or JWT_JWKS_URL", () => {
    const env = { DATABASE_URL: DATABASE.DATABASE_URL };
    expect(wrongNames(env)).toEqual(["JWT_SECRET"]);
    expect(messageFor(env)).toContain("32 bytes");
    expect(messageFor(env)).toContain("JWT_JWKS_URL");
  });

  test("[CFG4] REDIS_URL wants DATABASE_URL", () => {
    expect(wrongNames({ REDIS_URL: "redis://127.0.0.1" })).toEqual(["REDIS_URL"]);
  });

  test("[CFG8] FILES_URL wants credentials, which stand in other variables", () => {
    const keys = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "hunter2" };
    const FILES_URL = "s3://files/chat?endpoint=https://s3.example.com/&region=eu-1";
    expect(wrongNames({ FILES_URL })).toEqual(["FILES_URL"]);
    expect(wrongNames({ FILES_URL, ...keys })).toEqual([]);
    for (const wrong of [
      "files",
      "https://files/chat",
      "s3://FI_LES/chat",
      "s3://key:hunter2@files/chat",
      "s3://files/../chat//a",
      "s3://files/chat?endpoint=ftp://s3.example.com",
      "s3://files/chat?region=a%20b",
      "s3://files/chat?acl=public",
    ]) {
      expect([wrong, wrongNames({ FILES_URL: wrong, ...keys })]).toEqual([wrong, ["FILES_URL"]]);
      expect(messageFor({ FILES_URL: wrong, ...keys })).not.toContain("hunter2");
    }
  });

  test("[CFG8] the parts of FILES_URL, and what holds without them", () => {
    const storeOf = (FILES_URL: string, more: Record<string, string> = {}) => {
      const keys = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
      const outcome = loadConfig({ FILES_URL, ...keys, ...more });
      return outcome.ok ? outcome.config.fileStore : null;
    };
    expect(storeOf("s3://files/a/b/?endpoint=http://s3:9000/&region=eu-1")).toEqual({
      bucket: "files",
      prefix: "a/b/",
      endpoint: "http://s3:9000",
      region: "eu-1",
      accessKeyId: "key",
      secretAccessKey: "secret",
      sessionToken: null,
    });
    expect(storeOf("s3://files", { AWS_REGION: "eu-2", AWS_SESSION_TOKEN: "t" })).toMatchObject({
      prefix: "",
      endpoint: "https://s3.eu-2.amazonaws.com",
      region: "eu-2",
      sessionToken: "t",
    });
    expect(storeOf("s3://files")).toMatchObject({ region: "us-east-1" });
  });

  test("[CFG4] a wrong partner is named once and does not drag the other in", () => {
    const env = { DATABASE_URL: "nonsense", REDIS_URL: "redis://r", JWT_SECRET: "short" };
    expect(wrongNames(env)).toEqual(["DATABASE_URL", "JWT_SECRET"]);
  });
});

describe("TLS", () => {
  let dir: string;
  const path = (name: string) => join(dir, name);

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "troupe-config-"));
    for (const name of ["a", "b"]) {
      const make = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
      ];
      const to = ["-keyout", path(`${name}.key`), "-out", path(`${name}.crt`), "-subj", "/CN=a"];
      execFileSync("openssl", [...make, ...to], { stdio: "ignore" });
    }
    writeFileSync(path("text"), "not a certificate");
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  test("[CFG5] a pair that belongs together is taken", () => {
    const env = { TLS_CERT: path("a.crt"), TLS_KEY: path("a.key") };
    expect(accepted(env)).toMatchObject({ tlsCert: path("a.crt"), tlsKey: path("a.key") });
  });

  test("[CFG5] one without the other is refused, naming the one that is missing", () => {
    expect(wrongNames({ TLS_CERT: path("a.crt") })).toEqual(["TLS_KEY"]);
    expect(wrongNames({ TLS_KEY: path("a.key") })).toEqual(["TLS_CERT"]);
  });

  test("[CFG5] files that cannot be read are both named", () => {
    const env = { TLS_CERT: path("none.crt"), TLS_KEY: dir };
    expect(wrongNames(env)).toEqual(["TLS_CERT", "TLS_KEY"]);
    expect(messageFor(env)).toContain("it does not exist");
    expect(messageFor(env)).toContain("it is a directory");
  });

  test("[CFG5] another key's certificate, or no certificate, is refused", () => {
    expect(wrongNames({ TLS_CERT: path("a.crt"), TLS_KEY: path("b.key") })).toEqual(["TLS_CERT"]);
    expect(wrongNames({ TLS_CERT: path("text"), TLS_KEY: path("a.key") })).toEqual(["TLS_CERT"]);
  });
});

describe("the message", () => {
  test("[CFG6] names every wrong variable with its meaning, what was found and what is right", () => {
    const env = { PORT: "http", WORKERS: "0", LOG_LEVEL: "loud", CORS_ORIGIN: "example.com" };
    const message = messageFor(env);
    expect(wrongNames(env)).toEqual(["CORS_ORIGIN", "LOG_LEVEL", "PORT", "WORKERS"]);
    for (const key of [CONFIG_KEYS.port, CONFIG_KEYS.workers, CONFIG_KEYS.logLevel]) {
      expect(message).toContain(key.name);
      expect(message).toContain(key.meaning);
      expect(message).toContain(`"${env[key.name as keyof typeof env]}"`);
      expect(message).toContain(key.wants);
    }
  });

  test("[CFG6] never shows a secret", () => {
    const message = messageFor({
      DATABASE_URL: "mysql://me:hunter2@db.example/x?password=hunter2",
      REDIS_URL: "http://me:hunter2@r.example",
      JWT_SECRET: "hunter2",
    });
    expect(message).not.toContain("hunter2");
    expect(message).toContain("7 bytes");
    expect(message).toContain("mysql://db.example/x");
  });

  test("[CFG7] every limit says what happens when it is too small and too large", () => {
    for (const key of Object.values(LIMIT_KEYS)) {
      expect(key.name).toMatch(/^RATE_LIMIT_[A-Z_]+$/);
      expect(key.tooSmall?.length).toBeGreaterThan(20);
      expect(key.tooLarge?.length).toBeGreaterThan(20);
    }
  });

  test("[CFG7] README names every limit with its default", () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    for (const key of Object.values(LIMIT_KEYS)) {
      expect(readme).toContain(`| \`${key.name}\` | \`${key.default}\` |`);
    }
  });

  test("[CFG7] every key that can be too small or too large says what happens then", () => {
    for (const key of Object.values(CONFIG_KEYS)) {
      expect(key.meaning.length).toBeGreaterThan(10);
      expect(key.wants.length).toBeGreaterThan(3);
    }
  });
});
