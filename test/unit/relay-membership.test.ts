import { describe, expect, test } from "vitest";
import type { HostMembers } from "../../src/ports/relay.ts";
import { Membership } from "../../src/primary/membership.ts";
import { PLACEMENT, Placement, type View } from "../../src/runtime/view.ts";

const membersOf = (host: string, ...workers: number[]): HostMembers => ({
  workers: workers.map((n) => ({ incarnation: `${host}.${n}.1`, slot: `${host}/${n}` })),
  draining: [],
  placement: PLACEMENT,
});
const older = (host: string, ...workers: number[]): HostMembers => {
  const { placement: _, ...members } = membersOf(host, ...workers);
  return members;
};
const online = (n: number) => ({
  ref: { incarnation: `a.${n}.1`, slot: `a/${n}` },
  phase: "online" as const,
});

/** Host a, with a relay that the test plays. */
function hostA(slots = 0) {
  const views: View[] = [];
  const announced: { members: HostMembers; floor: number }[] = [];
  const relay = {
    state: "connected" as "connected" | "away",
    announce: (members: HostMembers, floor: number) => announced.push({ members, floor }),
  };
  const membership = new Membership((view) => views.push(view), "a", relay, slots);
  const cluster = (number: number, ...hosts: [string, HostMembers][]) =>
    membership.onCluster({ number, hosts: new Map(hosts), away: new Map() });
  return { views, announced, relay, membership, cluster };
}

describe("membership with a relay", () => {
  test("[HMB1] a change here is announced, and is a view only when the relay has numbered it", () => {
    const { views, announced, membership, cluster } = hostA();
    membership.update([online(0)], false);
    expect(views).toEqual([]);
    expect(announced).toEqual([{ members: membersOf("a", 0), floor: 0 }]);
    cluster(7, ["a", membersOf("a", 0)], ["b", membersOf("b", 0)]);
    expect(views.map(({ number, workers }) => [number, workers.length])).toEqual([[7, 2]]);
  });

  test("[HMB1] nothing changed: nothing announced, no view", () => {
    const { views, announced, membership, cluster } = hostA();
    membership.update([online(0)], false);
    membership.update([online(0)], false);
    expect(announced).toHaveLength(1);
    cluster(7, ["a", membersOf("a", 0)]);
    cluster(7, ["a", membersOf("a", 0)]);
    cluster(6, ["a", membersOf("a", 0)], ["b", membersOf("b", 0)]);
    expect(views.map(({ number }) => number)).toEqual([7]);
  });

  test("[HMB3] all place by shards once every host knows them, draining ones included", () => {
    const { views, announced, relay, membership, cluster } = hostA();
    membership.update([online(0)], false);
    expect(announced[0]?.members.placement).toBe(PLACEMENT);
    const starting = hostA();
    starting.membership.updateKinds(null);
    expect(starting.announced[0]?.members).toMatchObject({ workers: [], placement: PLACEMENT });
    cluster(7, ["a", membersOf("a", 0)], ["b", older("b", 0)]);
    cluster(8, ["a", membersOf("a", 0)], ["b", { workers: [], draining: ["b.0.1"] }]);
    cluster(9, ["a", membersOf("a", 0)], ["c", { ...membersOf("c", 0), placement: 3 }]);
    cluster(10, ["a", membersOf("a", 0)], ["d", older("d", 0)]);
    expect(views.map(({ placement }) => placement)).toEqual([
      undefined,
      undefined,
      PLACEMENT,
      undefined,
    ]);
    // By itself it goes on as it was.
    relay.state = "away";
    membership.onAway();
    expect(views.at(-1)).not.toHaveProperty("placement");
  });

  test("[PLC6] a host of which a worker is missing says how many it has", () => {
    const { views, announced, membership, cluster } = hostA(2);
    membership.update([online(0)], false);
    expect(announced.at(-1)?.members.slots).toBe(2);
    cluster(7, ["a", announced.at(-1)!.members], ["b", membersOf("b", 0)]);
    expect(views.at(-1)?.slots).toEqual({ a: 2 });
    membership.update([online(0), online(1)], false);
    expect(announced.at(-1)?.members).not.toHaveProperty("slots");
    cluster(8, ["a", announced.at(-1)!.members], ["b", membersOf("b", 0)]);
    expect(views.at(-1)).not.toHaveProperty("slots");
  });

  test("[HMB2] away: this host's own view under its own number, the others away and not gone", () => {
    const { views, announced, relay, membership, cluster } = hostA();
    membership.update([online(0)], false);
    cluster(7, ["a", membersOf("a", 0)], ["b", membersOf("b", 0, 1)]);
    relay.state = "away";
    membership.onAway();
    const view = views.at(-1)!;
    expect(view).toMatchObject({ number: 8, draining: [], away: ["b.0.1", "b.1.1"] });
    expect(view.workers.map(({ incarnation }) => incarnation)).toEqual(["a.0.1"]);
    // The announcement has the number that the relay must not give to another view.
    expect(announced.at(-1)?.floor).toBe(8);
    const placement = new Placement(view);
    expect(placement.isAway("b.0.1")).toBe(true);
    expect(placement.isSolo).toBe(false);
    expect([...placement.goneSince(new Placement(views[0]!))]).toEqual([]);
    expect([...placement.lostSince(new Placement(views[0]!))]).toEqual(["b.0.1", "b.1.1"]);
  });

  test("[HMB2] changes while away are views of its own, numbered on, and known to the relay", () => {
    const { views, announced, relay, membership, cluster } = hostA();
    membership.update([online(0)], false);
    cluster(7, ["a", membersOf("a", 0)]);
    relay.state = "away";
    membership.onAway();
    membership.update([online(0), online(1)], false);
    membership.update([online(1)], false);
    expect(views.map(({ number }) => number)).toEqual([7, 8, 9, 10]);
    expect(announced.at(-1)?.floor).toBe(10);
  });

  test("[HMB1] back: the cluster's number is taken when it is above every number used here", () => {
    const { views, relay, membership, cluster } = hostA();
    membership.update([online(0)], false);
    cluster(7, ["a", membersOf("a", 0)], ["b", membersOf("b", 0)]);
    relay.state = "away";
    membership.onAway();
    relay.state = "connected";
    cluster(8, ["a", membersOf("a", 0)], ["b", membersOf("b", 0)]);
    expect(views.at(-1)?.number).toBe(8);
    expect(views.at(-1)?.away).toEqual(["b.0.1"]);
    cluster(9, ["a", membersOf("a", 0)], ["b", membersOf("b", 0)]);
    expect(views.at(-1)).toMatchObject({ number: 9, away: [] });
    for (let i = 1; i < views.length; i++) {
      expect(views[i]!.number).toBeGreaterThan(views[i - 1]!.number);
    }
  });

  test("[HMB2] a host that died meanwhile is gone in the first view after", () => {
    const { views, relay, membership, cluster } = hostA();
    membership.update([online(0)], false);
    cluster(7, ["a", membersOf("a", 0)], ["b", membersOf("b", 0)]);
    relay.state = "away";
    membership.onAway();
    cluster(9, ["a", membersOf("a", 0)]);
    const [before, now] = views.slice(-2).map((view) => new Placement(view));
    expect([...now!.goneSince(before!)]).toEqual(["b.0.1"]);
  });

  test("[HMB1] a host that the relay knows as away is away here, owns nothing, and is not gone", () => {
    const { views, membership, cluster } = hostA();
    membership.update([online(0)], false);
    cluster(7, ["a", membersOf("a", 0)], ["b", membersOf("b", 0)]);
    const own = new Map([["a", membersOf("a", 0)]]);
    membership.onCluster({ number: 8, hosts: own, away: new Map([["b", membersOf("b", 0)]]) });
    const view = views.at(-1)!;
    expect(view).toMatchObject({ number: 8, away: ["b.0.1"] });
    expect(view.workers.map(({ incarnation }) => incarnation)).toEqual(["a.0.1"]);
    const [before, now] = views.slice(-2).map((it) => new Placement(it));
    expect([...now!.goneSince(before!)]).toEqual([]);
    expect([...now!.lostSince(before!)]).toEqual(["b.0.1"]);
    membership.onCluster({ number: 9, hosts: own, away: new Map() });
    expect([...new Placement(views.at(-1)!).goneSince(now!)]).toEqual(["b.0.1"]);
  });

  test("[HMB2] a host that was away for the others is away for one that is cut off as well", () => {
    const { views, relay, membership } = hostA();
    membership.update([online(0)], false);
    const hosts = new Map([
      ["a", membersOf("a", 0)],
      ["c", membersOf("c", 0)],
    ]);
    membership.onCluster({ number: 8, hosts, away: new Map([["b", membersOf("b", 0)]]) });
    relay.state = "away";
    membership.onAway();
    expect(views.at(-1)).toMatchObject({ number: 9, away: ["b.0.1", "c.0.1"] });
  });

  test("[HMB1] stopping, its workers give up their places where others can take them", () => {
    const { announced, membership, cluster } = hostA();
    membership.update([online(0)], false);
    cluster(7, ["a", membersOf("a", 0)], ["b", membersOf("b", 0)]);
    membership.update([{ ...online(0), phase: "draining" }], true);
    expect(announced.at(-1)?.members).toMatchObject({ workers: [], draining: ["a.0.1"] });
  });

  test("[HMB2] stopping alone or cut off, they keep them", () => {
    const { announced, relay, membership, cluster } = hostA();
    membership.update([online(0)], false);
    cluster(7, ["a", membersOf("a", 0)], ["b", membersOf("b", 0)]);
    relay.state = "away";
    membership.onAway();
    membership.update([{ ...online(0), phase: "draining" }], true);
    expect(announced.at(-1)?.members.workers).toHaveLength(1);
  });
});

describe("across a gap", () => {
  test("[HST5] are the lives of that host, or of every other one", () => {
    const view: View = {
      number: 1,
      workers: [...membersOf("a", 0, 1).workers, ...membersOf("b", 0).workers],
      draining: ["c.0.1"],
      away: ["d.0.1"],
    };
    const placement = new Placement(view);
    expect([...placement.incarnationsAcross("a.0.1", "b")]).toEqual(["b.0.1"]);
    expect([...placement.incarnationsAcross("a.0.1", "")].sort()).toEqual([
      "b.0.1",
      "c.0.1",
      "d.0.1",
    ]);
  });
});
