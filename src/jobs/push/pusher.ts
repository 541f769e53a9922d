/**
 * Pushes, from what happened to what devices receive; one job over all hosts runs it for as long as
 * there is a device. Each step is one transaction, so that another host goes on when this one dies:
 *
 * fed → pending (for a reader): it waits while a session of the reader may read it
 *     → sending (for each device): claimed, then delivered, or tried again later
 * or, anywhere on the way, not pushed, with a reason that the reader can look up.
 *
 * [PSH4] Nobody who is here is disturbed: without a session, or with none but away or invisible ones,
 *        it goes at once; while one is online, or has just ended, it waits for 15 s at most, counted
 *        from the first message that has not been read.
 * [PSH5] What decides is looked at again at the moment of sending.
 * [PSH6] A host that dies makes no push come twice, but for those in the moment of sending, and none
 *        never.
 * [PSH7] What a provider does not take is tried again, later each time, for 24 hours.
 * [PSH8] A provider that hangs keeps back only its own: each host has a part of the room, and what is due
 *        for one whose part is full is not looked at.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import {
  type ClaimedPush,
  laneOf,
  type NotedDecision,
  type PendingPush,
  type PushEnd,
  type PushFacts,
  type PushQueue,
  type PushSubject,
  type SettledPushes,
} from "../../ports/push.ts";
import type { PushSender, SendOutcome } from "../../ports/push-senders.ts";
import type { PushReach } from "../../protocol/actor-ops.ts";
import type { Result } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { PushContent, PushKind, PushReason } from "../../protocol/push.ts";
import { type Monotonic, msBetween } from "../../protocol/time.ts";
import { whyNot } from "./decision.ts";
import { payloadOf } from "./payload.ts";

/** A rest is at least as long as the round before it took, so that a flood makes pushes late. */
const REST_MS = 200;
const REST_MS_MAX = 2_000;
const FEED_MOST = 200;
const PENDING_MOST = 500;
/** How long a session that is online has to read. */
const HELD_MS = 15_000;
/** An actor that has just moved is asked again. */
const UNSURE_MS = 500;
const DEVICES_EVERY_MS = 60_000;
const SENDS_MAX = 96;
const SENDS_A_HOST_MAX = 32;
/** Longer than any request takes. */
const CLAIM_MS = 60_000;
const CROWDED_MS = 500;
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const RETRY_MS = [5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, HOUR_MS];
const GIVEN_UP_MS = 24 * HOUR_MS;

export interface PusherOptions {
  queue: PushQueue;
  sender: PushSender;
  gateway: {
    ask(
      kind: "user",
      id: UserId,
      op: "push_reach",
      body: { hold: boolean },
    ): Promise<Result<{ reach: PushReach }>>;
  };
  content: PushContent;
  basePath: string;
  /** A push has ended so. */
  count(provider: string, outcome: string): void;
  clock: Clock;
  log: Log;
}

export class Pusher {
  readonly #options: PusherOptions;
  readonly #sending = new Map<ClaimedPush, { host: string; ended: Promise<void> }>();
  #fault: unknown = null;
  #wake: () => void = () => undefined;

  constructor(options: PusherOptions) {
    this.#options = options;
  }

  /**
   * Resolves when there is no device any more, or when `signal` is aborted and what is being sent has
   * ended, so that a host which stops sends nothing twice. Rejects as storage does.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, queue } = this.#options;
    const woken = () => this.#wake();
    signal.addEventListener("abort", woken);
    try {
      let looked: Monotonic | null = null;
      while (!signal.aborted && this.#fault === null) {
        const begun = clock.monotonicMs();
        if (looked === null || msBetween(looked, begun) >= DEVICES_EVERY_MS) {
          if (!(await queue.keepFeed())) return;
          looked = begun;
        }
        const isMore = await this.#round();
        const tookMs = msBetween(begun, clock.monotonicMs());
        if (!isMore) await this.#rest(Math.min(REST_MS_MAX, Math.max(REST_MS, tookMs)), signal);
      }
    } finally {
      signal.removeEventListener("abort", woken);
      await Promise.all([...this.#sending.values()].map(({ ended }) => ended));
    }
    if (this.#fault !== null) throw this.#fault;
  }

  /** True where there is more to do at once. */
  async #round(): Promise<boolean> {
    const isFed = await this.#feed();
    const isDecided = await this.#decide();
    const isClaimed = await this.#claim();
    return isFed || isDecided || isClaimed;
  }

  async #feed(): Promise<boolean> {
    const { queue } = this.#options;
    const feed = await queue.feed(FEED_MOST);
    if (feed.ids.length === 0) return false;
    await queue.settleFeed(feed);
    return feed.ids.length === FEED_MOST;
  }

  async #decide(): Promise<boolean> {
    const { queue } = this.#options;
    const due = await queue.due(PENDING_MOST);
    if (due.length === 0) return false;
    const facts = await queue.facts(due);
    const settled: SettledPushes = { sent: [], dropped: [], later: [], decisions: [] };
    const open: { push: PendingPush; facts: PushFacts }[] = [];
    for (const [n, push] of due.entries()) {
      const reason = this.#whyNot(push, facts[n]!);
      if (reason === null) open.push({ push, facts: facts[n]! });
      else {
        settled.dropped.push(push);
        settled.decisions.push(decisionOn(push, reason));
      }
    }
    const reaches = await this.#reaches(open.map(({ push }) => push.userId));
    for (const one of open) {
      this.#settle(settled, one.push, one.facts, reaches.get(one.push.userId)!);
    }
    await queue.settle(settled);
    return due.length === PENDING_MOST;
  }

  /** [PSH4] */
  #settle(
    settled: SettledPushes,
    push: PendingPush,
    { conversation }: PushFacts,
    reach: PushReach,
  ): void {
    const leftMs = HELD_MS - Math.min(push.ageMs, conversation?.unread_ms ?? push.ageMs);
    if (reach === "now" || leftMs <= 0) {
      settled.sent.push(push);
    } else if (reach === "wait") {
      settled.later.push({ subject: push, isHeld: true, inMs: leftMs });
      if (!push.isHeld) settled.decisions.push(decisionOn(push, "active_session"));
    } else {
      settled.later.push({ subject: push, isHeld: false, inMs: UNSURE_MS });
    }
  }

  /** Once for each user. An actor that does not answer is not sure. */
  async #reaches(of: readonly UserId[]): Promise<Map<UserId, PushReach>> {
    const { gateway } = this.#options;
    const users = [...new Set(of)];
    const answers = await Promise.all(
      users.map(async (user) => {
        const asked = await gateway.ask("user", user, "push_reach", { hold: true });
        if (asked.ok) return asked.value.reach;
        return asked.error.code === "not_found" ? "now" : "unsure";
      }),
    );
    return new Map(users.map((user, n) => [user, answers[n]!]));
  }

  /** True where all rooms were filled and more may be due. */
  async #claim(): Promise<boolean> {
    const { queue } = this.#options;
    const room = SENDS_MAX - this.#sending.size;
    if (room === 0) return false;
    const claimed = await queue.claim(room, CLAIM_MS, this.#crowded());
    if (claimed.length === 0) return false;
    const facts = await queue.facts(claimed.map(({ subject }) => subject));
    const users = [...new Set(claimed.map(({ subject }) => subject.userId))];
    const badges = new Map(
      await Promise.all(users.map(async (user) => [user, await queue.badge(user)] as const)),
    );
    for (const [n, push] of claimed.entries()) {
      this.#begin(push, facts[n]!, badges.get(push.subject.userId)!);
    }
    return claimed.length === room;
  }

  /** The lanes whose host has no room. */
  #crowded(): string[] {
    const counts = new Map<string, number>();
    for (const { host } of this.#sending.values()) counts.set(host, (counts.get(host) ?? 0) + 1);
    const lanes = new Set<string>();
    for (const [push, { host }] of this.#sending) {
      if ((counts.get(host) ?? 0) >= SENDS_A_HOST_MAX) lanes.add(laneOf(push));
    }
    return [...lanes];
  }

  #begin(push: ClaimedPush, facts: PushFacts, badge: number): void {
    const { sender } = this.#options;
    const host = sender.hostOf(push);
    let there = 0;
    for (const other of this.#sending.values()) if (other.host === host) there++;
    // [PSH8]
    const work =
      there >= SENDS_A_HOST_MAX
        ? this.#end(push, { is: "later", retryInMs: CROWDED_MS }, null)
        : this.#send(push, facts, badge);
    const ended = work
      .catch((fault: unknown) => {
        // Storage is out of reach: the job is tried again.
        this.#fault ??= fault;
      })
      .finally(() => {
        this.#sending.delete(push);
        this.#wake();
      });
    this.#sending.set(push, { host, ended });
  }

  async #send(push: ClaimedPush, facts: PushFacts, badge: number): Promise<void> {
    const { sender, content, basePath } = this.#options;
    const { kind, subject } = push;
    // [PSH5] What was read stays read.
    const reason = kind === "read" ? null : this.#whyNot(subject, facts);
    if (reason !== null) {
      await this.#end(push, { is: "dropped" }, reason);
      return;
    }
    const outcome = await sender.send({
      id: `psh_${push.device}_${topicOf(kind, subject)}_${subject.seq}`,
      userId: subject.userId,
      device: push,
      payload: payloadOf(kind, subject, facts, badge, { content, basePath }),
      topic: topicOf(kind, subject),
    });
    await this.#took(push, outcome);
  }

  /** [PSH7] */
  async #took(push: ClaimedPush, outcome: SendOutcome): Promise<void> {
    this.#options.count(push.provider, outcome.is);
    switch (outcome.is) {
      case "sent":
        return this.#end(push, { is: "sent" }, "sent");
      case "gone":
        return this.#end(push, { is: "gone" }, "device_gone", outcome.detail);
      case "refused":
        return this.#end(push, { is: "dropped" }, "provider_error", outcome.detail);
      case "failed": {
        const planned = RETRY_MS[Math.min(push.attempts, RETRY_MS.length) - 1]!;
        const retryInMs = Math.max(planned, outcome.retryAfterMs);
        if (push.ageMs + retryInMs > GIVEN_UP_MS) {
          const detail = `given up: ${outcome.detail}`;
          return this.#end(push, { is: "dropped" }, "provider_error", detail);
        }
        // The first failure is noted, and the last.
        const reason = push.attempts === 1 ? "provider_error" : null;
        return this.#end(push, { is: "failed", retryInMs }, reason, outcome.detail);
      }
    }
  }

  #end(push: ClaimedPush, end: PushEnd, reason: PushReason | null, detail?: string): Promise<void> {
    const { kind, subject, deviceId } = push;
    const decision: NotedDecision | null =
      reason === null
        ? null
        : { subject, kind, deviceId, reason, ...(detail !== undefined && { detail }) };
    return this.#options.queue.end(push, end, decision);
  }

  #whyNot(subject: PushSubject, facts: PushFacts): PushReason | null {
    return whyNot(subject, facts, this.#options.clock.wallMs());
  }

  #rest(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted || this.#fault !== null) {
        resolve();
        return;
      }
      const cancel = this.#options.clock.after(ms, () => this.#wake());
      this.#wake = () => {
        this.#wake = () => undefined;
        cancel();
        resolve();
      };
    });
  }
}

const kindOf = ({ conversationId }: PushSubject): PushKind =>
  conversationId === null ? "notification" : "message";

const decisionOn = (subject: PushSubject, reason: PushReason): NotedDecision => ({
  subject,
  kind: kindOf(subject),
  deviceId: null,
  reason,
});

/** A push replaces the one of the same topic. */
function topicOf(kind: PushKind, { conversationId, notificationId }: PushSubject): string {
  if (kind === "read") return `r${conversationId}`;
  return conversationId === null ? `n${notificationId}` : `c${conversationId}`;
}
