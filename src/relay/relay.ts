/**
 * The relay over a bus: each topic has a channel, actor frames go on the target host's channel, and
 * membership is a lease (lease.ts). The bus never holds the only copy of anything.
 *
 * [RLY1] `away`: nothing can be received and no lease is kept, since a host that receives nothing
 *        is not a member.
 * [RLY2] `joining`: everything is subscribed again, but hosts known before are still missing (a
 *        Redis that was killed comes back empty): they are awaited for a while.
 * [RLY3] `connected`. Entering this state is a gap: it is announced here after the cluster's view,
 *        and to every other host before all frames that follow. Only a host that has just started
 *        has missed nothing.
 * [RLY4] Every failure and time-out leads to `away`, from where everything starts over.
 * [RLY7] Frames that one host has not taken are a gap with that host alone.
 * [RLY8] Topics whose events could not be published, or were not because this host was `away`,
 *        are named to every other host when this host is connected. A host that was `away` doubts
 *        every topic itself.
 * [RLY9] Anybody who reaches Redis can publish on any channel. A message that does not verify,
 *        cannot be read or has arrived before is dropped and counted, and changes nothing.
 * [RLY10] Clusters on one Redis are separate: channels and keys begin with the cluster's id. A
 *        host that starts and finds hosts of a copy of its database refuses to start.
 * [RLY11] While Redis is away, `why` says in words for what reason. Each reason is logged once.
 * [RLY12] A host that cannot hear Redis signs in PostgreSQL (second-witness.ts), and the others keep it
 *        as `away`. When Redis has lost its data, hosts known before that still sign are put back.
 */
import { type Clock, stopwatch } from "../base/clock.ts";
import type { Drops } from "../base/drops.ts";
import { StartRefusal, unreachable } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { redisTrouble } from "../base/redis-trouble.ts";
import type { Cluster, HostMembers, Relay, RelayCounts, RelayEvents } from "../ports/relay.ts";
import type { Witness } from "../ports/witness.ts";
import type { Doubt } from "../protocol/doubt.ts";
import { later, type Monotonic, msBetween } from "../protocol/time.ts";
import { hostOfIncarnation } from "../runtime/view.ts";
import type { Bus } from "./bus.ts";
import { KIND, type Kind } from "./envelope.ts";
import { ForeignMembers } from "./foreign-members.ts";
import { Incoming } from "./incoming.ts";
import { KnownLease } from "./known-lease.ts";
import { type LeaseAnswer, RENEW_MS, sealedMembers, type Verdict } from "./lease.ts";
import { Outbox } from "./outbox.ts";
import { Publisher } from "./publisher.ts";
import type { ClusterIdentity } from "./seal.ts";
import { SecondWitness } from "./second-witness.ts";
import { Subscriptions } from "./subscriptions.ts";
import { UnpublishedTopics } from "./unpublished-topics.ts";
import { Voice } from "./voice.ts";

/** How long hosts known before are awaited; all reconnect within half of it. */
const REJOIN_MS = 1_500;
const REJOIN_LOOK_MS = 250;
const LAST_WORDS_MS = 500;
/** A lease that has ended is a moment past its end. */
const JUST_AFTER_MS = 5;

export interface HostRelayOptions {
  bus: Bus;
  witness: Witness;
  host: string;
  identity: ClusterIdentity;
  clock: Clock;
  log: Log;
  drops: Pick<Drops, "note">;
}

type State =
  | { is: "away" }
  /** `asked`: whether the witness was asked about hosts that are missing, and has answered the script. */
  | { is: "joining"; untilMs: Monotonic; asked: "no" | "under_way" | "told" }
  | { is: "connected" };

export class HostRelay implements Relay {
  readonly counts: RelayCounts = { in: 0, out: 0, gaps: 0 };
  #pingMs: number | null = null;
  #why: string | null = null;
  readonly #options: HostRelayOptions;
  readonly #subscriptions: Subscriptions;
  readonly #outboxes = new Map<string, Outbox>();
  readonly #incoming: Incoming;
  readonly #foreign: ForeignMembers;
  #events: RelayEvents | null = null;
  /** Called once, when the start has ended, with or without a refusal. */
  #settleStart: (refusal?: StartRefusal) => void = () => undefined;
  #isStarting = true;
  #state: State = { is: "away" };
  /** Everything wanted is subscribed. */
  #isHearing = false;
  #members: HostMembers = { workers: [], draining: [] };
  /** The highest number used here and its digest; "" for a view of this host alone. */
  #mark = { number: 0, digest: "" };
  #known: Cluster = { number: 0, hosts: new Map(), away: new Map() };
  readonly #lease: KnownLease;
  readonly #witness: SecondWitness;
  /** What the witness said, for the next renewal. */
  #verdicts: Verdict[] = [];
  readonly #publisher: Publisher;
  readonly #voice: Voice;
  /** [RLY7] Hosts that have not taken their frames. */
  readonly #lostTo = new Set<string>();
  /** [RLY8] */
  readonly #unpublished: UnpublishedTopics;
  /** Everything published until then has arrived here. */
  #heardUntilMs: Monotonic;
  #renewing: Promise<void> | null = null;
  #renewAgain = false;
  readonly #cancels = new Map<"tick" | "look", () => void>();
  #isClosed = false;

  constructor(options: HostRelayOptions) {
    this.#options = options;
    this.#voice = new Voice(options);
    this.#heardUntilMs = options.clock.monotonicMs();
    this.#unpublished = new UnpublishedTopics(options.clock);
    this.#publisher = new Publisher({
      clock: options.clock,
      nextNumber: () => this.#voice.nextNumber(),
      deliver: (topic, number, frames) =>
        this.#say(this.#voice.channelOf(topic), KIND.events, number, frames),
      onDoubted: (topic) => this.#unpublished.add(topic),
    });
    this.#foreign = new ForeignMembers(options.log);
    this.#witness = new SecondWitness(options);
    this.#lease = new KnownLease(options.identity);
    this.#incoming = new Incoming(options.identity.key, options.host);
    this.#subscriptions = new Subscriptions(options.bus, (error) => this.#fail("subscribe", error));
    void this.#subscriptions.want(this.#voice.newsChannel, true);
    void this.#subscriptions.want(this.#voice.hostChannel(options.host), true);
  }

  get state(): "connected" | "away" {
    return this.#state.is === "away" ? "away" : "connected";
  }

  get why(): string | null {
    return this.state === "away" ? this.#why : null;
  }

  get pingMs(): number | null {
    return this.state === "connected" ? this.#pingMs : null;
  }

  start(events: RelayEvents): Promise<void> {
    this.#events = events;
    const settled = new Promise<void>((resolve, reject) => {
      this.#settleStart = (refusal) => {
        this.#isStarting = false;
        if (refusal === undefined) resolve();
        else reject(refusal);
      };
    });
    this.#options.bus.start({
      opened: () => void this.#onOpened(),
      broken: (why, error) => this.#goAway(why, error),
      message: (channel, message) => this.#onMessage(channel, message),
    });
    this.#tick();
    return settled;
  }

  announce(members: HostMembers, floor: number): void {
    this.#members = members;
    if (floor > this.#mark.number) this.#mark = { number: floor, digest: "" };
    void this.#renew();
  }

  publish(topic: string, bytes: Buffer): void {
    if (this.#state.is === "away") this.#unpublished.add(topic);
    else this.#publisher.push(topic, bytes);
  }

  send(incarnation: string, bytes: Buffer): boolean {
    if (this.#state.is === "away") return false;
    this.#outboxTo(hostOfIncarnation(incarnation)).push(bytes);
    return true;
  }

  interest(topic: string, wanted: boolean): Promise<void> | null {
    const effect = this.#subscriptions.want(this.#voice.channelOf(topic), wanted);
    return wanted ? effect : null;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#settleStart();
    for (const cancel of this.#cancels.values()) cancel();
    this.#publisher.flush();
    const { bus, host, identity, clock } = this.#options;
    // The last answers should still be delivered.
    const outboxes = [...this.#outboxes.values()];
    await Promise.race([
      Promise.all(outboxes.map((outbox) => outbox.sent())),
      new Promise<void>((resolve) => clock.after(LAST_WORDS_MS, resolve)),
    ]);
    for (const outbox of outboxes) outbox.close();
    await this.#renewing;
    try {
      if (this.#isHearing) {
        const nothing = { mayLook: false, has: this.#lease.has, verdicts: [] };
        await bus.renew({ cluster: identity.id, host, members: "", ...this.#mark, ...nothing });
        await this.#voice.sayNews();
      }
    } catch {
      // Redis is unreachable: the lease expires by itself.
    }
    this.#publisher.clear();
    bus.close();
    await this.#witness.close();
  }

  #outboxTo(host: string): Outbox {
    let outbox = this.#outboxes.get(host);
    if (outbox === undefined) {
      outbox = new Outbox({
        clock: this.#options.clock,
        nextNumber: () => this.#voice.nextNumber(),
        deliver: ({ number, isAfterGap, doubt, frames }) => {
          const to = this.#voice.hostChannel(host);
          if (doubt !== null) {
            return this.#say(to, KIND.doubt, number, [Buffer.from(JSON.stringify(doubt))]);
          }
          return this.#say(to, isAfterGap ? KIND.framesAfterGap : KIND.frames, number, frames);
        },
        onLost: () => {
          this.#options.log.warn({ event: "frames_lost", host });
          this.#lostTo.add(host);
        },
      });
      this.#outboxes.set(host, outbox);
    }
    return outbox;
  }

  #say(
    channel: string,
    kind: Kind,
    number: number,
    frames: readonly Uint8Array[],
  ): Promise<number> {
    this.counts.out++;
    return this.#voice.say(channel, kind, number, frames);
  }

  async #onOpened(): Promise<void> {
    if (!(await this.#subscriptions.connected())) return;
    this.#isHearing = true;
    await this.#renew();
  }

  #tick(): void {
    if (this.#isClosed) return;
    const { bus, clock } = this.#options;
    const cancel = clock.after(RENEW_MS, () => {
      if (this.#isHearing) {
        const askedAtMs = clock.monotonicMs();
        bus.probe().then(
          () => {
            this.#heardUntilMs = askedAtMs;
          },
          (error: unknown) => this.#fail("silent", error),
        );
        void this.#renew();
      }
      this.#tick();
    });
    this.#cancels.set("tick", cancel);
  }

  /** One renewal at a time; a call during a renewal causes one more. */
  #renew(): Promise<void> {
    if (this.#isClosed || !this.#isHearing) return Promise.resolve();
    if (this.#renewing !== null) {
      this.#renewAgain = true;
      return this.#renewing;
    }
    this.#renewing = this.#renewOnce().finally(() => {
      this.#renewing = null;
      if (!this.#renewAgain) return;
      this.#renewAgain = false;
      void this.#renew();
    });
    return this.#renewing;
  }

  async #renewOnce(): Promise<void> {
    const { bus, host, identity } = this.#options;
    const asked = this.#mark;
    const verdicts = this.#verdicts;
    this.#verdicts = [];
    let answer: LeaseAnswer;
    try {
      const elapsedMs = stopwatch();
      const members = sealedMembers(identity, host, this.#members);
      const { mayLook } = this.#witness;
      const { has } = this.#lease;
      const request = { cluster: identity.id, host, members, ...asked, mayLook, has, verdicts };
      answer = await bus.renew(request);
      this.#pingMs = Math.round(elapsedMs() * 100) / 100;
      if (answer.isNew) await this.#voice.sayNews();
    } catch (error) {
      this.#fail("lease", error);
      return;
    }
    if (!this.#isHearing || this.#isClosed) return;
    if (verdicts.length > 0 && this.#state.is === "joining") this.#state.asked = "told";
    if (answer.claimed.length > 0) void this.#ask(answer.claimed);
    if (answer.nextMs < RENEW_MS) this.#lookAgainIn(answer.nextMs + JUST_AFTER_MS);
    // Asked before a number of this host's own was used, so the answer may not be above it.
    if (this.#mark !== asked && answer.number <= this.#mark.number) {
      this.#renewAgain = true;
      return;
    }
    this.#onLease(answer);
  }

  #onLease(answer: LeaseAnswer): void {
    const { clock, log } = this.#options;
    const { digest, wasOut } = answer;
    const taken = this.#lease.take(answer);
    if (taken === null) {
      this.#renewAgain = true;
      return;
    }
    const { cluster, foreign } = taken;
    const refusal = this.#foreign.look(foreign);
    if (refusal !== null && this.#isStarting) {
      this.#settleStart(new StartRefusal(refusal));
      return;
    }
    if (this.#state.is === "away") {
      const untilMs = later(clock.monotonicMs(), REJOIN_MS);
      this.#state = { is: "joining", untilMs, asked: "no" };
    }
    const isJoining = this.#state.is === "joining";
    const { workers, draining } = this.#members;
    const isNewborn = this.#known.number === 0 && workers.length + draining.length === 0;
    if (this.#state.is === "joining") {
      if (this.#isAwaited(this.#state, cluster)) return;
      this.#state = { is: "connected" };
      this.#why = null;
      this.#witness.rests();
      this.#lease.joined();
      log.info({ event: "relay_joined", hosts: cluster.hosts.size });
    }
    this.#mark = { number: cluster.number, digest };
    if (cluster.number !== this.#known.number) {
      this.#known = cluster;
      for (const [id, outbox] of this.#outboxes) {
        if (cluster.hosts.has(id)) continue;
        outbox.close();
        this.#outboxes.delete(id);
      }
      this.#events?.cluster(cluster);
    }
    const unpublished = this.#unpublished.take();
    if (!isNewborn) {
      // This host was not a member though it believed so: the others counted its workers as gone.
      if (isJoining || wasOut) this.#gap([...this.#known.hosts.keys()], "");
      else for (const id of this.#lostTo) this.#gap([id], id);
      if (unpublished !== null) this.#doubt(unpublished);
      // [RLY8]
      const ageMs = msBetween(this.#heardUntilMs, clock.monotonicMs());
      if (isJoining) this.#events?.doubt({ topics: null, ageMs });
    }
    this.#lostTo.clear();
    this.#settleStart();
  }

  /** [RLY2] Whether hosts known before are missing that may still come, or sign. [RLY12] */
  #isAwaited(joining: State & { is: "joining" }, { hosts, away }: Cluster): boolean {
    const isMissing = (id: string) => !hosts.has(id) && !away.has(id);
    const missing = [...this.#known.hosts.keys()].filter(isMissing);
    if (missing.length > 0 && this.#options.clock.monotonicMs() < joining.untilMs) {
      this.#lookAgainIn(REJOIN_LOOK_MS);
      return true;
    }
    const unseen = [...missing, ...[...this.#known.away.keys()].filter(isMissing)];
    if (unseen.length === 0 || joining.asked === "told") return false;
    if (joining.asked === "no") {
      joining.asked = "under_way";
      void this.#ask(unseen, true);
    }
    return true;
  }

  /**
   * Asks the witness about these hosts, and brings the script what it says. `vouches`: Redis may
   * have lost them, and those that sign are put back. [RLY12]
   */
  async #ask(hosts: readonly string[], vouches = false): Promise<void> {
    const verdicts = await this.#witness.look(hosts);
    if (this.#isClosed || !this.#isHearing) return;
    const vouched = verdicts.flatMap(({ host, is }): Verdict[] => {
      const sealed = this.#lease.sealedOf(host);
      return vouches && is === "signs" && sealed !== undefined
        ? [{ host, is: "vouched", sealed }]
        : [];
    });
    this.#verdicts.push(...verdicts, ...vouched);
    await this.#renew();
    // One that is away stays so until PostgreSQL answers.
    const isUrgent = ({ host, is }: Verdict) => is === "unknown" && this.#known.hosts.has(host);
    if (!verdicts.some(isUrgent)) return;
    // Another host may be able to ask.
    await this.#voice.sayNews().catch(() => undefined);
  }

  #lookAgainIn(ms: number): void {
    this.#cancels.get("look")?.();
    this.#cancels.set(
      "look",
      this.#options.clock.after(ms, () => void this.#renew()),
    );
  }

  /** [RLY3] Frames between this host and these may be lost; `told` is the host of the gap event here. */
  #gap(hosts: readonly string[], told: string): void {
    this.counts.gaps++;
    for (const id of hosts) {
      if (id !== this.#options.host && this.#known.hosts.has(id)) this.#outboxTo(id).gap();
    }
    this.#events?.gap(told);
  }

  /** [RLY8] */
  #doubt(doubt: Doubt): void {
    this.counts.gaps++;
    for (const id of this.#known.hosts.keys()) {
      if (id !== this.#options.host) this.#outboxTo(id).doubt(doubt);
    }
  }

  /** [RLY4] */
  #fail(why: "subscribe" | "silent" | "lease", error: unknown): void {
    // One failure ends the connection; later ones of the same connection are ignored.
    if (!this.#isHearing && why !== "subscribe") return;
    this.#goAway(why, error);
    this.#options.bus.reset();
  }

  #goAway(why: string, error?: unknown): void {
    this.#isHearing = false;
    this.#verdicts = [];
    this.#lease.left();
    this.#subscriptions.disconnected();
    this.#settleStart();
    if (this.#isClosed) return;
    this.#logAway(why, error);
    // The others know a host once it has been a member. [RLY12]
    if (this.#known.number > 0) this.#witness.signs();
    if (this.#state.is === "away") return;
    this.#state = { is: "away" };
    this.#cancels.get("look")?.();
    this.#publisher.clear();
    for (const outbox of this.#outboxes.values()) {
      if (outbox.untaken !== null) this.#unpublished.addAgain(outbox.untaken);
      outbox.close();
    }
    this.#outboxes.clear();
    this.#events?.away();
  }

  /** [RLY11] */
  #logAway(what: string, error: unknown): void {
    const why = error === undefined ? what : redisTrouble(error);
    if (this.#state.is === "away" && this.#why === why) return;
    this.#why = why;
    this.#options.log.warn({ event: "relay_away", what, why });
  }

  /** [RLY9] */
  #onMessage(channel: string, message: Buffer): void {
    const verdict = this.#incoming.judge(channel, message);
    switch (verdict.is) {
      case "own":
        return;
      case "dropped":
        this.#options.drops.note("relay", verdict.reason);
        return;
      case "news":
        void this.#renew();
        return;
      case "doubt":
        this.counts.in++;
        this.counts.gaps++;
        this.#events?.doubt(verdict.doubt);
        return;
      case "frames":
        this.counts.in++;
        if (verdict.isAfterGap) {
          this.counts.gaps++;
          this.#events?.gap(verdict.host);
        }
        if (verdict.frames.length > 0) this.#events?.frames(verdict.frames);
        return;
      default:
        unreachable(verdict);
    }
  }
}
