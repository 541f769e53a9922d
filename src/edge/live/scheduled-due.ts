/**
 * Sends scheduled messages when their time comes, each as its user through the conversation's
 * actor. A message that was sent before is found by its `client_id`: where a worker died and a second
 * one sends its messages again, each is sent once.
 *
 * [SCD1] A message is sent within 2 s of its time, whichever worker dies in the moment of sending:
 *        a look later it is claimed, `CLAIM_MS` after the death it may be claimed again, and a look
 *        later it is. A host that dies takes the conversation's actor with it where it owned it;
 *        the message then waits, like every other send, until the hosts have a view without it.
 * [SCD2] Messages of one conversation that are due at the same look are sent in the order of their
 *        times.
 *        A worker whose claim has run out sends none of the rest.
 * [SCD3] Slow mode and rate limits delay it, and storage that is away, too. Every other refusal is
 *        final: the user receives the notification `scheduled_failed`.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { DueMessage, ScheduledStore } from "../../ports/scheduled.ts";
import { type ErrorObject, REFUSALS } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/ids.ts";
import { RULES } from "../../protocol/policy.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import { DueWork } from "./due-work.ts";
import { CLAIM_MS, ScheduledClaim } from "./scheduled-claim.ts";

const FOUND_MAX = 200;
const RETRY_MS = 500;

export interface DueScheduledOptions {
  clock: Clock;
  log: Log;
  scheduled: Pick<
    ScheduledStore,
    "claimScheduled" | "renewScheduled" | "scheduledDone" | "scheduledLater"
  >;
  gateway: Pick<Gateway, "ask">;
  /** Charges the user's limit of sends; 0, or the milliseconds to wait. */
  chargeSend(user: UserId): number;
  isSuspended(user: UserId): boolean;
}

interface Found {
  message: DueMessage;
  claim: ScheduledClaim;
}

export function dueScheduled(options: DueScheduledOptions) {
  const { clock, log, scheduled } = options;
  const claims = new Set<ScheduledClaim>();
  return new DueWork<Found>({
    kind: "scheduled",
    log,
    event: "scheduled_wait",
    foundMax: FOUND_MAX,
    async claim(limit) {
      const askedMs = clock.monotonicMs();
      const { claim: name, due } = await scheduled.claimScheduled(limit, CLAIM_MS);
      if (due.length === 0) return [];
      const ids = due.map(({ id }) => id);
      const claim = new ScheduledClaim(ids, name, askedMs, options);
      claims.add(claim);
      return due.map((message) => ({ message, claim }));
    },
    take(found) {
      const { claim } = found[0]!;
      const queues = new Map<string, DueMessage[]>();
      for (const { message } of found) {
        const queue = queues.get(message.conversationId);
        if (queue === undefined) queues.set(message.conversationId, [message]);
        else queue.push(message);
      }
      const sent = [...queues.values()].map((queue) =>
        sendAll(queue, claim, options).catch((err: unknown) => {
          log.warn({ event: "scheduled_wait", err });
          for (const { id } of queue) claim.leave(id);
        }),
      );
      void Promise.all(sent).then(() => claims.delete(claim));
    },
    close() {
      for (const claim of claims) claim.close();
    },
  });
}

/** [SCD2] Messages of a user whose earlier one is delayed are delayed with it. */
async function sendAll(
  queue: readonly DueMessage[],
  claim: ScheduledClaim,
  options: DueScheduledOptions,
): Promise<void> {
  const delayed = new Map<UserId, number>();
  for (const message of queue) {
    if (!claim.holds(message.id)) throw new Error("the claim on scheduled messages has run out");
    const delayMs = delayed.get(message.userId) ?? (await sendNow(message, options));
    if (delayMs !== null) {
      delayed.set(message.userId, delayMs);
      await options.scheduled.scheduledLater(message.id, claim.claim, delayMs);
    }
    claim.leave(message.id);
  }
}

/** Null: it is done with; else after how long it is tried again. */
async function sendNow(message: DueMessage, options: DueScheduledOptions): Promise<number | null> {
  const { scheduled, gateway, chargeSend, isSuspended } = options;
  const { userId, conversationId, clientId, body, replyToSeq, content } = message;
  if (isSuspended(userId)) return failed(message, RULES.admitted.error, options);
  const waitMs = chargeSend(userId);
  if (waitMs > 0) return waitMs;
  const sent = await gateway.ask("conversation", conversationId, "send", {
    user: userId,
    session: "",
    client_id: clientId,
    body,
    reply_to_seq: replyToSeq,
    ...(Object.keys(content).length > 0 && { content }),
  });
  if (sent.ok) {
    await scheduled.scheduledDone(message.id);
    return null;
  }
  const { code, retry_after_ms } = sent.error;
  if (code === "rate_limited") return retry_after_ms ?? RETRY_MS;
  if (code === "unavailable" || code === "internal") return RETRY_MS;
  return failed(message, sent.error, options);
}

/**
 * The notification comes first: where a worker dies in between, it comes twice and is not lost.
 * Answers as `sendNow` does.
 */
async function failed(
  { id, userId, conversationId, clientId }: DueMessage,
  { code, message }: ErrorObject,
  { gateway, scheduled }: DueScheduledOptions,
): Promise<number | null> {
  const told = await gateway.ask("user", userId, "notify", {
    type: "scheduled_failed",
    message: `A scheduled message was not sent: ${message}`,
    actor_id: null,
    post_id: null,
    comment_id: null,
    data: { conversation_id: conversationId, scheduled_id: id, client_id: clientId, code },
  });
  if (!told.ok && told.error.code !== REFUSALS.userNotFound.error.code) return RETRY_MS;
  await scheduled.scheduledDone(id);
  return null;
}
