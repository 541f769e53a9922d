import { describe, expect, test } from "vitest";
import { membersOf } from "../../src/commands/demo/world.ts";

describe("the demo's groups", () => {
  test("[DEM8] every group has somebody besides its owner, with any number of people", () => {
    for (let count = 2; count <= 20; count++) {
      const people = Array.from({ length: count }, (_, n) => n);
      for (let n = 0; n < 8; n++) {
        const members = membersOf(people, n);
        expect(members.length).toBeGreaterThan(1);
        expect(new Set(members).size).toBe(members.length);
      }
    }
  });
});
