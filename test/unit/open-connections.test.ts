import { Socket } from "node:net";
import { beforeEach, describe, expect, test } from "vitest";
import { OpenConnections } from "../../src/primary/open-connections.ts";

let open: OpenConnections;
const [one, two] = [{ worker: 1 }, { worker: 2 }];

beforeEach(() => {
  open = new OpenConnections(3);
});

/** Sockets that were let in. */
function enters(address: string, count: number): Socket[] {
  const sockets = Array.from({ length: count }, () => new Socket());
  return sockets.filter((socket) => open.enter(socket, address));
}

describe("open connections of an address", () => {
  test("[OCN1] are bounded, and one address' are not another's", () => {
    expect(enters("a", 5)).toHaveLength(3);
    expect(enters("b", 5)).toHaveLength(3);
    expect(open.countOf("a")).toBe(3);
  });

  test("[OPC2] those that end while the primary holds them make room", () => {
    const [first] = enters("a", 3);
    first?.emit("close");
    expect(open.countOf("a")).toBe(2);
    expect(enters("a", 2)).toHaveLength(1);
  });

  test("[OPC2] those that were handed over end by their worker's report", () => {
    for (const socket of enters("a", 3)) open.handedTo(socket, one);
    open.ended(one, { a: 2 });
    expect(open.countOf("a")).toBe(1);
    expect(enters("a", 3)).toHaveLength(2);
  });

  test("[OPC2] a worker takes its own along, and what it reports late counts for nothing", () => {
    const [first, second, third] = enters("a", 3) as [Socket, Socket, Socket];
    open.handedTo(first, one);
    open.handedTo(second, one);
    open.handedTo(third, two);
    open.ownerGone(one);
    open.ended(one, { a: 2 });
    expect(open.countOf("a")).toBe(1);
    // The primary closes what it had given to the dead worker.
    first.emit("close");
    expect(open.countOf("a")).toBe(1);
  });

  test("[OPC2] what a worker could not take is the primary's again, also of a dead one", () => {
    const [first, second] = enters("a", 2) as [Socket, Socket];
    open.handedTo(first, one);
    open.takenBack(first);
    open.ownerGone(one);
    expect(open.countOf("a")).toBe(2);
    open.handedTo(second, two);
    open.ownerGone(two);
    open.takenBack(second);
    expect(open.countOf("a")).toBe(2);
    first.emit("close");
    second.emit("close");
    expect([open.countOf("a"), open.addresses]).toEqual([0, 0]);
  });

  test("[OPC2] a report that comes before the hand-over is known is not lost", () => {
    const [first] = enters("a", 2) as [Socket];
    open.handedTo(first, one);
    open.ended(one, { a: 1 });
    expect(open.countOf("a")).toBe(1);
  });
});
