import { expect, test } from "vitest";
import { requestIds } from "../../src/edge/http/server/request-ids.ts";

test("[RID1] a request keeps the id that it was sent with, where it fits a header", () => {
  const idOf = requestIds();
  const withId = (id: string) => idOf({ headers: { "x-request-id": id } });
  expect(withId("abc-1/2")).toBe("abc-1/2");
  for (const bad of ["", "a b", "ü", "a\nb", "x".repeat(129)]) expect(withId(bad)).not.toBe(bad);
});

test("[RID1] ids that are made are unique, in one worker and over workers", () => {
  const makers = [requestIds(), requestIds()];
  const made = makers.flatMap((idOf) => Array.from({ length: 50 }, () => idOf({ headers: {} })));
  expect(new Set(made).size).toBe(100);
});
