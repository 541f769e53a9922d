/** One simulated host: the shipped switchboard, membership and relay, and workers. */
import { Tally } from "../../src/base/metrics.ts";
import { type Member, Membership } from "../../src/primary/membership.ts";
import { Switchboard } from "../../src/primary/switchboard.ts";
import type { MemoryBus } from "../../src/relay/memory.ts";
import { HostRelay } from "../../src/relay/relay.ts";
import type { ClusterIdentity } from "../../src/relay/seal.ts";
import type { PrimaryOrders } from "../../src/runtime/control.ts";
import { FRAME, type Frame, frame } from "../../src/runtime/frames.ts";
import type { View } from "../../src/runtime/view.ts";
import { CountingBus } from "./sim-bus.ts";
import { SimWorker, type SimWorld } from "./sim-worker.ts";

export class SimHost {
  readonly id: string;
  readonly bus: MemoryBus;
  readonly workers: SimWorker[] = [];
  readonly relay: HostRelay;
  readonly #world: SimWorld;
  readonly #switchboard: Switchboard;
  readonly #membership: Membership;
  #incarnations = 0;
  isStopping = false;

  /** `slots`: its workers when all are up. */
  constructor(
    world: SimWorld,
    id: string,
    bus: MemoryBus,
    identity: ClusterIdentity,
    slots: number,
  ) {
    this.#world = world;
    this.id = id;
    this.bus = bus;
    const { clock, counts, log, bugs } = world;
    const drops = {
      note: (source: string, reason: string) => void bugs.push(`${source}: ${reason}`),
    };
    this.relay = new HostRelay({
      bus: new CountingBus(bus, counts, clock),
      host: id,
      identity,
      witness: world.witness.another(),
      clock,
      log,
      drops,
    });
    this.#switchboard = new Switchboard(this.relay, { tally: new Tally(), drops }, () => undefined);
    const announce = (view: View) => this.#announce(viewFrame(view));
    this.#membership = new Membership(announce, id, this.relay, slots);
    // As a host does, so that it says which placement it knows before it has workers.
    this.#membership.updateKinds(null);
  }

  get alive(): SimWorker[] {
    return this.workers.filter((worker) => !worker.isDead);
  }

  get viewNumber(): number {
    return this.#membership.view.number;
  }

  async start(workers: number): Promise<void> {
    const joined = this.relay.start({
      frames: (bytes) => this.#fromUplink(bytes),
      cluster: (cluster) => this.#membership.onCluster(cluster),
      away: () => this.#membership.onAway(),
      gap: (host) => this.#announce(order("gap", { host })),
      doubt: (doubt) => this.#announce(order("doubt", doubt)),
    });
    await this.#world.clock.advance(1);
    await joined;
    const started: SimWorker[] = [];
    for (let n = 0; n < workers; n++) started.push(this.addWorker());
    this.changed();
    const begun = Promise.all(started.map((worker) => worker.start()));
    await this.#world.clock.advance(1);
    await begun;
  }

  /** `changed` announces it. */
  addWorker(): SimWorker {
    const incarnation = `${this.id}.${++this.#incarnations}`;
    const taken = new Set(this.alive.map((other) => other.slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    const worker: SimWorker = new SimWorker(this.#world, incarnation, slot, (bytes) => {
      this.#world.counts.add("frames");
      if (!worker.isDead) this.#switchboard.fromWorker(incarnation, bytes);
    });
    const { toEdge } = worker;
    this.#switchboard.attach(incarnation, toEdge);
    this.workers.push(worker);
    return worker;
  }

  killWorker(worker: SimWorker): void {
    worker.die();
    this.#switchboard.detach(worker.incarnation);
    this.changed();
  }

  /** Announces the workers as they are now. */
  changed(): void {
    const members: Member[] = this.alive.map(({ incarnation, slot }) => ({
      ref: { incarnation, slot: `${this.id}/${slot}` },
      phase: "online",
    }));
    this.#membership.update(members, this.isStopping);
  }

  /** The host dies, and its lease ends by itself. */
  die(): void {
    for (const worker of this.alive) worker.die();
    this.bus.close();
  }

  /** The host gives up its lease and ends. */
  async leave(): Promise<void> {
    this.isStopping = true;
    for (const worker of this.alive) {
      worker.die();
      this.#switchboard.detach(worker.incarnation);
    }
    const closed = this.relay.close();
    await this.#world.clock.advance(600);
    await closed;
  }

  #fromUplink(bytes: Buffer): void {
    this.#world.counts.add("frames");
    this.#switchboard.fromUplink(bytes);
  }

  #announce(announced: Frame): void {
    this.#world.counts.add("frames", this.alive.length);
    this.#switchboard.announce(announced);
  }
}

function viewFrame(view: View): Frame {
  return frame(FRAME.view, { view: view.number, body: JSON.stringify(view) });
}

function order<N extends "gap" | "doubt">(name: N, body: PrimaryOrders[N]): Frame {
  return frame(FRAME.control, { name, body: JSON.stringify(body) });
}
