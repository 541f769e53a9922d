import { expect, test } from "vitest";
import { contractOf, translationIn, withTranslation } from "../../src/protocol/contract.ts";

test.each([undefined, null, "1", "1.0", "0.9", "0"])(
  "[CTR1] a session that asks for %o speaks version 1",
  (asked) => {
    expect(contractOf(asked)).toEqual({ ok: true, value: "1" });
  },
);

test.each(["1.1", "1.2", "1.10", "2", "2.0", "999999.999999"])(
  "[CTR2] a session that asks for %o speaks the newest",
  (asked) => {
    expect(contractOf(asked)).toEqual({ ok: true, value: "1.1" });
  },
);

test.each([
  1.1,
  1,
  "",
  "v1.1",
  "1.",
  ".1",
  "1.1.1",
  "1.1 ",
  "-1",
  "1e3",
  {},
  [],
  true,
  "9".repeat(64),
])("[CTR1] %o is no version and is refused with a sentence", (asked) => {
  expect(contractOf(asked)).toMatchObject({
    ok: false,
    error: { code: "invalid_payload", message: expect.stringMatching(/auth\.contract/) },
  });
});

test("[CTR3] an event and its translation are one text, and two again", () => {
  const body = JSON.stringify({ text: "one\ntwo\u2028three" });
  const former = { name: "message_updated", body: JSON.stringify({ text: "a b\nc" }) } as const;
  expect(translationIn(withTranslation(body, former))).toEqual({ body, former });
  expect(translationIn(body)).toEqual({ body, former: null });
});
