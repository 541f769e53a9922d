/**
 * What a message, a session and a fault cost, counted in simulated clusters of 2 to 64 hosts with
 * constant users a host, on the shipped edges, actors and relay; and the fits with which it is judged.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { lineChart, standalone } from "../../bench/report/charts.ts";
import { type Counted, countCluster } from "../../bench/scale/causes.ts";
import type { Measure } from "../../bench/scale/counts.ts";
import { fitOf } from "../../bench/scale/fit.ts";
import {
  type Growth,
  growthsOf,
  isGrowing,
  isKnown,
  surprisesOf,
} from "../../bench/scale/judge.ts";
import { hostsHearing } from "../../src/capacity/load.ts";

const HOSTS = [2, 4, 8, 16, 32, 64];
const MOST = HOSTS.at(-1)!;
/** Half a minute of CPU, which beside other work takes long. */
const LIMIT_MS = 600_000;

const growth = (value: (hosts: number) => number, cause: Growth["cause"] = "send"): Growth => ({
  cause,
  measure: "deliveries",
  values: HOSTS.map(value),
  fit: fitOf(HOSTS.map((hosts) => ({ hosts, value: value(hosts) }))),
});

describe("the fit", () => {
  it("[SCL4] tells what saturates from what grows", () => {
    expect(
      isGrowing(
        growth(() => 7),
        MOST,
      ),
    ).toBe(false);
    expect(
      isGrowing(
        growth((hosts) => 4 * (1 - 1 / hosts)),
        MOST,
      ),
    ).toBe(false);
    expect(
      isGrowing(
        growth((hosts) => hostsHearing(hosts, 9)),
        MOST,
      ),
    ).toBe(false);
    expect(
      isGrowing(
        growth((hosts) => 7 + (hosts % 3) / 3),
        MOST,
      ),
    ).toBe(false);
    expect(
      isGrowing(
        growth((hosts) => 7 + hosts / 4),
        MOST,
      ),
    ).toBe(true);
    expect(
      isGrowing(
        growth((hosts) => hosts - 1),
        MOST,
      ),
    ).toBe(true);
    expect(
      isGrowing(
        growth((hosts) => 7 + hosts ** 2 / 500),
        MOST,
      ),
    ).toBe(true);
    // Every host must learn of a fault, and may cost each of them a little.
    expect(
      isGrowing(
        growth((hosts) => 100 + 10 * hosts, "death"),
        MOST,
      ),
    ).toBe(false);
    expect(
      isGrowing(
        growth((hosts) => 100 + 40 * hosts, "death"),
        MOST,
      ),
    ).toBe(true);
    expect(
      isGrowing(
        growth((hosts) => 100 + hosts ** 2, "death"),
        MOST,
      ),
    ).toBe(true);
  });

  it("[SCL4] finds the terms of which a count was made", () => {
    const points = HOSTS.map((hosts) => ({
      hosts,
      value: 3 - 2 / hosts + 0.5 * hosts + 0.01 * hosts ** 2,
    }));
    const { a, b, c, d } = fitOf(points);
    expect(a).toBeCloseTo(3, 4);
    expect(b).toBeCloseTo(0.5, 5);
    expect(c).toBeCloseTo(0.01, 6);
    expect(d).toBeCloseTo(-2, 4);
  });

  it("[SCL3] what grows and is not listed is found, and what is listed and grows no more", () => {
    expect(surprisesOf([growth((hosts) => hosts)], MOST)).toHaveLength(1);
    expect(surprisesOf([growth(() => 3)], MOST)).toEqual([]);
    expect(surprisesOf([growth((hosts) => hosts, "logout")], MOST)).toEqual([]);
    expect(surprisesOf([growth(() => 3, "logout")], MOST)[0]).toMatch(/take it out of KNOWN/);
  });
});

it("[SCL6] a chart is a picture of its own, with its title, its keys and its colours", () => {
  const points = [2, 64].map((x) => ({ x, y: 64 / x }));
  const lines = [{ label: "now", ink: 1, points }];
  const svg = standalone(lineChart("A message", "deliveries", lines, "hosts"));
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" viewBox="0 -40 /);
  expect(svg).toContain(">A message, deliveries</text>");
  expect(svg).toContain(">now</text>");
  expect(svg).toContain("--ink-1:#0969da");
  expect(svg).toMatch(/>\d+ hosts<\/text>/);
  expect(svg.trimEnd().endsWith("</svg>")).toBe(true);
});

describe("clusters of 2 to 64 hosts", () => {
  const counted: Counted[] = [];

  beforeAll(async () => {
    for (const hosts of HOSTS) counted.push(await countCluster(hosts));
  }, LIMIT_MS);

  it("[SCL1] [SCL2] [SCL3] nothing grows with the hosts but what is known to", () => {
    expect(surprisesOf(growthsOf(counted), MOST)).toEqual([]);
  });

  it("[SCL1] a message, a mark, typing and a status cost the same on any number of hosts", () => {
    for (const cause of ["send", "mark", "typing", "presence"] as const) {
      const growths = growthsOf(counted).filter((one) => one.cause === cause);
      for (const one of growths) {
        expect(isGrowing(one, MOST) || isKnown(one), `${cause}: ${one.measure}`).toBe(false);
      }
    }
  });

  it("[SCL5] the capacity model has the counts of the simulation", () => {
    // With few hosts it depends on the draw how many of the actors are at home.
    for (const { hosts, by } of counted.filter((one) => one.hosts >= 8)) {
      const crossing = 1 - 1 / hosts;
      const near = (measure: Measure, wanted: number) => {
        const found = by.send[measure];
        const off = Math.abs(found - wanted) / wanted;
        expect(off, `${hosts} hosts: ${measure} ${found}, of ${wanted}`).toBeLessThan(0.1);
      };
      near("publishes", 1 + 2 * crossing);
      near("writes", 3);
    }
  });
});
