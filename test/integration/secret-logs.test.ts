/**
 * [SEC] Secrets stay out of what Troupe says: at the loudest log level, through good and bad
 * logins, handshakes and calls, and while the database breaks under them.
 */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import type { Login } from "../support/person.ts";
import { administer } from "../support/postgres.ts";
import { RawConnection, RawWebSocket } from "../support/raw.ts";
import { Session } from "../support/session.ts";
import { JWT_SECRET, resigned } from "../support/tokens.ts";

/** A word that can be found again, and which secret it was. */
class Secrets {
  readonly words = new Map<string, string>();

  make(what: string): string {
    const word = `mark${randomBytes(9).toString("hex")}`;
    this.words.set(word, what);
    return word;
  }

  knows(what: string, word: string): void {
    this.words.set(word, what);
    // The signature alone makes a token good.
    const mark = word.split(".")[2];
    if (mark !== undefined && mark.length > 20) this.words.set(mark, `the signature of ${what}`);
  }

  in(text: string): string[] {
    return [...this.words].flatMap(([word, what]) => (text.includes(word) ? [what] : []));
  }
}

async function usesEverySecret(troupe: Troupe, secrets: Secrets): Promise<void> {
  const { http, port } = troupe;
  const username = `ann_${randomBytes(4).toString("hex")}`;
  const password = secrets.make("a password");
  const wrong = secrets.make("a wrong password");
  const keep = ({ body }: { body: Login }): Login => {
    secrets.knows("an access token", body.access_token);
    secrets.knows("a refresh token", body.refresh_token);
    return body;
  };
  keep(await http.post<Login>("/api/auth/register", { username, password }));
  await http.post("/api/auth/register", { username, password: wrong });
  await http.post("/api/auth/register", { username: `${wrong} ${password}`, password });
  const login = keep(await http.post<Login>("/api/auth/login", { username, password }));
  for (const name of [username, "nobody", "a\u0000b"]) {
    await http.post("/api/auth/login", { username: name, password: wrong });
  }
  await http.post("/api/auth/login", { username, password: wrong, extra: wrong });
  await http.post("/api/auth/login", undefined, { raw: `{"password": "${wrong}", ` });
  const { refresh_token } = login;
  const fresh = keep(await http.post<Login>("/api/auth/refresh", { refresh_token }));
  const made = secrets.make("a made-up refresh token");
  await http.post("/api/auth/refresh", { refresh_token: made });
  await http.post("/api/auth/logout", { refresh_token: made });

  const live = await Session.open(troupe, "ann", { token: fresh.access_token });
  const forged = await resigned(fresh.access_token, { iss: "x", jti: secrets.make("a claim") });
  secrets.knows("a forged token", forged);
  const noToken = secrets.make("what is no token");
  for (const token of [forged, noToken, `${noToken}.${noToken}.${noToken}`]) {
    await Session.refused(troupe, { token });
    await Session.refused(troupe, { token, tokenInHeader: true });
    await live.emits("refresh_token", { token });
    await http.get("/api/me", { headers: { authorization: `Bearer ${token}` } });
    await http.get("/api/me", { headers: { authorization: `Basic ${token}` } });
    await http.get("/api/me", { headers: { cookie: `token=${token}` } });
    await http.get(`/api/me?access_token=${token}`);
    await http.get(`/api/nowhere/${token}`);
    await http.get<string>(`/socket.io/?EIO=4&transport=polling&token=${token}`);
    await http.get<string>(`/socket.io/?EIO=3&transport=pigeon&token=${token}`);
    const raw = await RawConnection.to(port);
    raw.writes(`GET /api/me?token=${token} HTTP/9.9\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    await raw.untilClosed();
    const socket = await RawWebSocket.to(port);
    socket.writes(`40{"token":"${token}"`);
    await socket.untilClosed();
  }
  await live.emits("refresh_token", { token: forged, extra: noToken });
  await live.emits(noToken, { token: noToken });

  // And refusals by storage in the middle of logins, which log what went wrong.
  const calls = upTo(40).map((n) =>
    http.post("/api/auth/login", { username, password: n % 2 === 0 ? password : wrong }),
  );
  const cut =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
  const { databaseUrl } = troupe;
  if (databaseUrl !== null) for (const _ of upTo(5)) await administer(databaseUrl, cut);
  for (const answer of await Promise.all(calls)) {
    if (answer.status === 200) keep(answer as unknown as { body: Login });
  }
  await eventually("it serves again", async () => (await http.get("/readyz")).status === 200);
  const metrics = await http.get<string>("/metrics");
  expect(secrets.in(metrics.text)).toEqual([]);
}

describe("the log", () => {
  it("[SLG1] tells no secret at its loudest", async () => {
    const secrets = new Secrets();
    const troupe = await startTroupe({
      workers: 2,
      env: { LOG_LEVEL: "trace", RATE_LIMITS: "on" },
    });
    try {
      secrets.knows("the token secret", JWT_SECRET);
      const { password } = new URL(troupe.databaseUrl ?? "");
      if (password.length > 3) secrets.knows("the database's password", password);
      await usesEverySecret(troupe, secrets);
      expect(secrets.words.size).toBeGreaterThan(15);
    } finally {
      await troupe.stop();
    }
    const said = troupe.stdout + troupe.stderr;
    expect(said).toContain("worker_online");
    expect(secrets.in(said)).toEqual([]);
  });

  it("[SLG2] tells nothing of the secret and the database that it made for itself", async () => {
    const troupe = await startTroupe({ workers: 1, embedded: true, env: { LOG_LEVEL: "trace" } });
    const secrets = new Secrets();
    try {
      for (const name of ["jwt-secret", "postgres-password"]) {
        secrets.knows(name, (await readFile(join(troupe.dataDir, name), "utf8")).trim());
      }
      await usesEverySecret(troupe, secrets);
    } finally {
      await troupe.stop();
    }
    expect(secrets.in(troupe.stdout + troupe.stderr)).toEqual([]);
  });
});
