import { describe, expect, test } from "vitest";
import { redisTrouble } from "../../src/base/redis-trouble.ts";

const withCode = (code: string) => Object.assign(new Error("x"), { code });

describe("why Redis cannot be used", () => {
  test("[RDT1] every usual reason is a sentence", () => {
    const of = (said: string) => redisTrouble(new Error(said));
    expect(of("WRONGPASS invalid username-password pair")).toMatch(/user or password/);
    expect(of("NOAUTH Authentication required.")).toMatch(/wants a password/);
    expect(of("NOPERM this user has no permissions to run the 'eval' command")).toMatch(
      /lacks a right \(NOPERM\): this user has no permissions to run the 'eval' command/,
    );
    expect(redisTrouble(withCode("ECONNREFUSED"))).toMatch(/connection refused/);
    expect(redisTrouble(withCode("ENOTFOUND"))).toMatch(/cannot be resolved/);
    expect(redisTrouble(withCode("DEPTH_ZERO_SELF_SIGNED_CERT"))).toMatch(/self-signed/);
    expect(redisTrouble(new AggregateError([withCode("ECONNREFUSED")]))).toMatch(/refused/);
  });
});
