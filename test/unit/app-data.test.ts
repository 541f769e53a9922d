import Type from "typebox";
import { describe, expect, test } from "vitest";
import { createReader } from "../../src/edge/validation.ts";
import { AppData, appDataProblem } from "../../src/protocol/app-data.ts";
import { Request } from "../../src/protocol/schemas.ts";

const problemOf = (json: string, bytesMax = 1024) =>
  appDataProblem(JSON.parse(json) as AppData, bytesMax);
const nested = (depth: number): string =>
  depth === 1 ? "{}" : `{"a":${depth % 2 === 0 ? nested(depth - 1) : `[${nested(depth - 1)}]`}}`;

describe("an application's own object", () => {
  test("[APD1] the bytes of its JSON text are counted, and the largest passes", () => {
    for (const character of ["a", "é", "€", "😀", '"', "\u0001"]) {
      const rest = (count: number) => JSON.stringify({ k: character.repeat(count) });
      const each = Buffer.byteLength(rest(1)) - Buffer.byteLength(rest(0));
      const fits = Math.floor((1024 - Buffer.byteLength(rest(0))) / each);
      expect([character, problemOf(rest(fits))]).toEqual([character, null]);
      expect(problemOf(rest(fits + 1))).toContain("more than 1024 bytes");
    }
  });

  test("[APD2] six containers inside each other pass, seven do not", () => {
    expect(problemOf('{"a":{"b":[{"c":[{"d":1}]}]}}')).toBeNull();
    expect(problemOf('{"a":{"b":[{"c":[{"d":{}}]}]}}')).toContain("6 deep");
    expect(problemOf(nested(60_000 / 20))).toContain("6 deep");
  });

  test("[APD3] keys have 1 to 64 code points and none changes a prototype", () => {
    expect(problemOf(`{"${"😀".repeat(64)}":1}`)).toBeNull();
    expect(problemOf(`{"${"😀".repeat(65)}":1}`)).toContain("1–64");
    expect(problemOf('{"":1}')).toContain("1–64");
    for (const key of ["__proto__", "constructor", "prototype"]) {
      expect(problemOf(`{"a":[{"${key}":1}]}`)).toBe(`must not have the key ${key}`);
      expect(problemOf(`{"a":"${key}"}`)).toBeNull();
    }
  });

  test("[APD4] what JSON or PostgreSQL cannot give back is refused, in keys and values", () => {
    for (const json of ['{"a":"x\\u0000"}', '{"a\\u0000":1}', '{"a":"\\ud800"}', '{"\\udc00":1}']) {
      expect(problemOf(json)).toContain("NUL");
    }
    expect(problemOf('{"a":[1e999]}')).toContain("number");
    expect(problemOf('{"a":[1e300,-0.5,null,true,"\\ud83d\\ude00"]}')).toBeNull();
  });

  test("[APD5] a payload of 64 KiB is refused within a millisecond", () => {
    const many = `{"a":[${"1,".repeat(30_000)}1]}`;
    const keys = `{${Array.from({ length: 6000 }, (_, n) => `"${n}":1`).join(",")}}`;
    for (const json of [many, keys, `{"a":"${"x".repeat(60_000)}"}`]) {
      const value = JSON.parse(json) as AppData;
      const times = Array.from({ length: 20 }, () => {
        const beganMs = performance.now();
        expect(appDataProblem(value, 4096)).toContain("more than 4096 bytes");
        return performance.now() - beganMs;
      });
      expect(Math.min(...times)).toBeLessThan(1);
    }
  });

  test("[APD1] a reader names the place and the problem", () => {
    const read = createReader("payload", Request({ data: Type.Optional(AppData(1024)) }));
    const refusalOf = (value: unknown) => {
      const { ok, ...rest } = read(value);
      return ok ? null : (rest as { error: object }).error;
    };
    expect(refusalOf({ data: { a: 1 } })).toBeNull();
    expect(refusalOf({})).toBeNull();
    for (const [data, problem] of [
      [{ "": 1 }, "must have keys of 1–64 characters"],
      [[1], "must be object"],
      ["text", "must be object"],
      [null, "must be object"],
    ] as const) {
      expect(refusalOf({ data })).toMatchObject({
        code: "invalid_payload",
        details: [{ in: "payload", at: "data", problem }],
      });
    }
  });
});
