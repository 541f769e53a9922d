import { scryptSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { passwordProblem } from "../../src/edge/auth/account-rules.ts";
import { createPasswordQueue, hashPassword, isPassword } from "../../src/edge/auth/passwords.ts";

describe("password hashes", () => {
  test("name their parameters, are salted, and know their password only", async () => {
    const hash = await hashPassword("correct horse");
    expect(hash).toMatch(/^scrypt\$16384\$8\$5\$[\w-]{22}\$[\w-]{43}$/);
    expect(await hashPassword("correct horse")).not.toBe(hash);
    expect(await isPassword("correct horse", hash)).toBe(true);
    expect(await isPassword("correct horsf", hash)).toBe(false);
    expect(await isPassword("", hash)).toBe(false);
  });

  test("a letter is the same composed or decomposed", async () => {
    const hash = await hashPassword("caf\u00e9 au lait");
    expect(await isPassword("cafe\u0301 au lait", hash)).toBe(true);
  });

  test("are compared with the parameters they were made with", async () => {
    const cheap = "scrypt$1024$8$1$AAAAAAAAAAAAAAAAAAAAAA$";
    const key = scryptSync("pw", Buffer.alloc(16), 32, { N: 1024, r: 8, p: 1 });
    expect(await isPassword("pw", cheap + key.toString("base64url"))).toBe(true);
  });

  test("no account: never true, for any password", async () => {
    expect(await isPassword("", null)).toBe(false);
    expect(await isPassword("correct horse", null)).toBe(false);
  });

  test("a damaged hash, or one that asks for gigabytes, is a fault", async () => {
    const tail = "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA";
    for (const hash of [
      "",
      "scrypt$1",
      `bcrypt$16384$8$1$${tail}`,
      `scrypt$9999999$999$9$${tail}`,
    ]) {
      await expect(isPassword("x", hash)).rejects.toThrow("damaged");
    }
  });
});

describe("turns", () => {
  /** Work that starts in its turn and ends when the test says so. */
  function scene(bounds: { concurrent: number; waitingPerAddress: number; waitingMax: number }) {
    const turns = createPasswordQueue(bounds);
    const started: string[] = [];
    const ends = new Map<string, () => void>();
    const ask = (address: string, name: string) =>
      turns.inTurn(address, async () => {
        started.push(name);
        await new Promise<void>((resolve) => ends.set(name, resolve));
        return name;
      });
    /** Ends what runs, one after another, until nothing is left. */
    const drain = async () => {
      await new Promise(setImmediate);
      while (ends.size > 0) {
        const [name, end] = [...ends][0]!;
        ends.delete(name);
        end();
        await new Promise(setImmediate);
      }
    };
    return { ask, started, ends, drain };
  }

  test("[PWD1] run so many at once, and refuse what is too much of an address or of all", async () => {
    const { ask, started, drain } = scene({ concurrent: 2, waitingPerAddress: 2, waitingMax: 3 });
    const calls = ["1", "2", "3", "4"].map((name) => ask("a", name));
    const busy = { ok: false, error: { code: "rate_limited", retry_after_ms: 1000 } };
    expect(await ask("a", "5")).toMatchObject(busy);
    calls.push(ask("b", "6"));
    expect(await ask("c", "7")).toMatchObject(busy);
    expect(started).toEqual(["1", "2"]);
    await drain();
    expect(started).toEqual(["1", "2", "3", "6", "4"]);
    expect((await Promise.all(calls)).map((call) => call.ok)).toEqual(Array(5).fill(true));
  });

  test("[PWD2] 300 registrations of one address delay another's login by one hash", async () => {
    const { ask, started, drain } = scene({
      concurrent: 1,
      waitingPerAddress: 300,
      waitingMax: 1000,
    });
    const flood = Array.from({ length: 300 }, (_, n) => ask("flood", `flood ${n}`));
    const logins = [ask("home", "login"), ask("home", "login 2"), ask("office", "login 3")];
    await drain();
    await Promise.all([...flood, ...logins]);
    expect(started).toHaveLength(303);
    expect(started.slice(0, 6)).toEqual([
      "flood 0",
      "flood 1",
      "login",
      "login 3",
      "flood 2",
      "login 2",
    ]);
  });

  test("a turn that fails is handed on", async () => {
    const turns = createPasswordQueue({ concurrent: 1, waitingPerAddress: 1, waitingMax: 1 });
    const fails = turns.inTurn("a", () => Promise.reject(new Error("no")));
    await expect(fails).rejects.toThrow("no");
    expect(await turns.inTurn("a", () => Promise.resolve(1))).toEqual({ ok: true, value: 1 });
  });
});

describe("a chosen password", () => {
  test.each(["password", "PassWord1", "12345678", "87654321", "iloveyou", "qwertyuiop"])(
    "[ACR1] is not one of the most common: %s",
    (password) => expect(passwordProblem(password)).toContain("most common"),
  );

  test.each(["aaaaaaaa", "        ", "🎭🎭🎭🎭🎭🎭🎭🎭"])(
    "[ACR1] is not one repeated character: %s",
    (password) => expect(passwordProblem(password)).toContain("repeated"),
  );

  test.each([
    "correct horse",
    "a long secret",
    "pass\nword",
    "# Passwords of",
    "pässwörd",
    "passwor",
  ])("[ACR1] may be anything else: %s", (password) => expect(passwordProblem(password)).toBe(null));
});
