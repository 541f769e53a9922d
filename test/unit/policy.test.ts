/** [AUZ] The table of acts agrees with the tables of routes, events and refusals. */
import { describe, expect, it } from "vitest";
import { CLIENT_EVENTS, type ClientEventName } from "../../src/protocol/events.ts";
import {
  ACT_OF_EVENT,
  ACT_OF_ROUTE,
  judge,
  RULES,
  type RuleName,
  rulesOf,
  SCOPES_OF_RULE,
} from "../../src/protocol/policy.ts";
import { type RouteSpec, refusalsOf } from "../../src/protocol/route-spec.ts";
import { ROUTES, type RouteName } from "../../src/protocol/routes.ts";

const ROUTE_NAMES = Object.keys(ROUTES) as RouteName[];

describe("the policy", () => {
  it("[AUZ3] names every route and every event, and nothing else", () => {
    expect(Object.keys(ACT_OF_ROUTE).sort()).toEqual([...ROUTE_NAMES].sort());
    expect(Object.keys(ACT_OF_EVENT).sort()).toEqual(Object.keys(CLIENT_EVENTS).sort());
  });

  it.each(ROUTE_NAMES)("[AUZ4] %s: its rules fit what the contract says of it", (name) => {
    const spec: RouteSpec = ROUTES[name];
    const rules = rulesOf(ACT_OF_ROUTE[name]);
    expect(rules.length > 0, "a token is wanted where anybody is refused").toBe(spec.token);
    const scopes = rules.flatMap((rule) =>
      Object.hasOwn(SCOPES_OF_RULE, rule)
        ? SCOPES_OF_RULE[rule as keyof typeof SCOPES_OF_RULE]
        : [],
    );
    expect(scopes).toEqual(spec.scope === undefined ? [] : [spec.scope].flat());
    const isForUsers = spec.token && spec.scope === undefined;
    expect(["reader", "finder", "jobAsker"].some((rule) => rules.includes(rule as RuleName))).toBe(
      isForUsers && spec.alsoScope === "users",
    );
    expect(rules.includes("exporter")).toBe(isForUsers && spec.alsoScope === "export");
    expect(rules.includes("speaker")).toBe(isForUsers && spec.alsoScope === "act");
    expect(rules.includes("user")).toBe(isForUsers && spec.alsoScope === undefined);
    const codes = rules.map((rule) => RULES[rule].error.code);
    expect(refusalsOf(spec)).toEqual(expect.arrayContaining(codes));
  });

  it("[AUZ5] no rule is without an act, and the first that does not hold is the refusal", () => {
    const acts = [
      ...Object.values(ACT_OF_ROUTE),
      ...Object.values(ACT_OF_EVENT),
      "connect" as const,
    ];
    const used = new Set(acts.flatMap((act) => rulesOf(act)));
    expect([...used].sort()).toEqual((Object.keys(RULES) as RuleName[]).sort());
    for (const act of new Set(acts)) {
      const rules = rulesOf(act);
      expect(judge(act, {})).toBeNull();
      expect(judge(act, Object.fromEntries(rules.map((rule) => [rule, true])))).toBeNull();
      for (const [at, rule] of rules.entries()) {
        const facts = Object.fromEntries(rules.map((each, i) => [each, i < at]));
        expect(judge(act, facts)).toEqual(RULES[rule].error);
      }
    }
  });

  it("[AUZ1] [AUZ2] [AUZ6] who may not see is told that nothing is there, who sees is told that they may not", () => {
    const unseen: RuleName[] = ["member", "visible", "shown"];
    for (const rule of Object.keys(RULES) as RuleName[]) {
      expect(RULES[rule].error.code).toBe(unseen.includes(rule) ? "not_found" : "forbidden");
    }
    const events = Object.keys(ACT_OF_EVENT) as ClientEventName[];
    for (const event of events) expect(rulesOf(ACT_OF_EVENT[event])).toContain("user");
  });
});
