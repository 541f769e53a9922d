import { scryptSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createPasswordTurns, hashPassword, isPassword } from "../../src/edge/auth/passwords.ts";

describe("password hashes", () => {
  test("name their parameters, are salted, and know their password only", async () => {
    const hash = await hashPassword("correct horse");
    expect(hash).toMatch(/^scrypt\$16384\$8\$1\$[\w-]{22}\$[\w-]{43}$/);
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
  test("run so many at once, keep the rest in order, and refuse what is too much", async () => {
    const turns = createPasswordTurns(2, 3);
    const started: number[] = [];
    const ends: (() => void)[] = [];
    const calls = [0, 1, 2, 3, 4].map((n) =>
      turns.inTurn(async () => {
        started.push(n);
        await new Promise<void>((resolve) => ends.push(resolve));
        return n;
      }),
    );
    const refused = await turns.inTurn(() => Promise.resolve(5));
    expect(refused).toMatchObject({ ok: false, error: { code: "rate_limited" } });
    expect(started).toEqual([0, 1]);
    ends[1]?.();
    expect(await calls[1]).toEqual({ ok: true, value: 1 });
    await expect.poll(() => started).toEqual([0, 1, 2]);
    ends[0]?.();
    ends[2]?.();
    await expect.poll(() => started).toEqual([0, 1, 2, 3, 4]);
    ends[3]?.();
    ends[4]?.();
    expect(await Promise.all(calls)).toHaveLength(5);
  });

  test("a turn that fails is given on", async () => {
    const turns = createPasswordTurns(1, 1);
    await expect(turns.inTurn(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await turns.inTurn(() => Promise.resolve(1))).toEqual({ ok: true, value: 1 });
  });
});
