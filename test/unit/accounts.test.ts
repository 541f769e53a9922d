/** Accounts over the HTTP API of one edge, with storage in memory. */
import { afterEach, describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../src/config/limit-keys.ts";
import { type HttpApi, startHttpApi } from "../support/http-api.ts";

const PASSWORD = "correct horse";

let http: HttpApi;
afterEach(() => http.stop());

const post = (path: string, body: object) => http.call("POST", `/api/auth/${path}`, { body });

describe("registration", () => {
  const register = (username: string, password = PASSWORD) =>
    post("register", { username, password });

  test("[ACR1] a common password and a repeated character are refused by name", async () => {
    http = await startHttpApi();
    for (const password of ["password", "Iloveyou", "zzzzzzzz"]) {
      const answer = await register("ann", password);
      expect([answer.status, answer.body.error.code]).toEqual([400, "invalid_payload"]);
      expect(answer.body.error.details).toMatchObject([{ in: "body", at: "password" }]);
    }
    expect((await register("ann")).status).toBe(201);
  });

  test("[ACR2] reserved names are taken", async () => {
    http = await startHttpApi();
    for (const name of ["admin", "Administrator", "support", "system", "root", "troupe", "all"]) {
      const answer = await register(name);
      expect([name, answer.status, answer.body.error.code]).toEqual([name, 409, "conflict"]);
    }
    for (const name of ["here", "everyone", "a.d.m.i.n", "_root_"]) {
      expect([name, (await register(name)).status]).toEqual([name, 409]);
    }
    expect((await register("administer")).status).toBe(201);
  });

  test("[ACR3] REGISTRATION=off forbids it, and logins go on", async () => {
    http = await startHttpApi({ registration: false });
    const answer = await register("ann");
    expect([answer.status, answer.body.error.code]).toEqual([403, "forbidden"]);
    expect((await post("login", { username: "ann", password: PASSWORD })).status).toBe(401);
  });

  test("[ACR4] an address makes so many accounts, then waits; its logins do not", async () => {
    const limits = { ...DEFAULT_LIMITS, register: { perS: 0.001, burst: 2 } };
    http = await startHttpApi({ limits });
    expect((await register("ann")).status).toBe(201);
    expect((await register("bob")).status).toBe(201);
    const refused = await register("eve");
    expect([refused.status, refused.body.error.code]).toEqual([429, "rate_limited"]);
    expect(refused.body.error.retry_after_ms).toBeGreaterThan(0);
    expect((await post("login", { username: "ann", password: PASSWORD })).status).toBe(200);
  });
});
