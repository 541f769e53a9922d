/**
 * The event `message.unread`, from which a back end writes its e-mails: a job that looks every few
 * seconds for as long as the event log is kept.
 *
 * [UNR1] A message is announced once to each reader, also when hosts die: the event and the note of
 *        it are one transaction.
 * [UNR2] A user who has a session, or had one since the message, gets no event. The user's actor knows
 *        of the sessions; while it is not sure, the user waits.
 * [UNR3] A conversation that is muted, or that has been read anywhere, causes no event.
 */
import type { Log } from "../base/log.ts";
import type { JobEnd } from "../ports/jobs.ts";
import type { UnreadStore } from "../ports/unread.ts";
import type { Result } from "../protocol/errors.ts";
import type { UserId } from "../protocol/ids.ts";
import type { JobHandlers } from "./runner.ts";

export const TELL_UNREAD = "events.unread";

const USERS_AT_ONCE = 100;
const EVERY_MS_MAX = 15_000;
const EVERY_MS_MIN = 500;

interface UnreadDeps {
  store: UnreadStore;
  gateway: {
    ask(
      kind: "user",
      id: string,
      op: "has_session",
      body: Record<string, never>,
    ): Promise<Result<{ has: boolean | null }>>;
  };
  /** How long a message is unread before the event, in seconds. */
  afterS: number;
  log: Log;
}

export function unreadJobs({ store, gateway, afterS, log }: UnreadDeps): JobHandlers {
  const everyMs = Math.min(EVERY_MS_MAX, Math.max(EVERY_MS_MIN, (afterS * 1000) / 4));

  /** [UNR2] */
  async function tell(user: UserId): Promise<void> {
    const asked = await gateway.ask("user", user, "has_session", {});
    if (!asked.ok || asked.value.has === null) return;
    if (asked.value.has) await store.drop(user);
    else await store.tell(user);
  }

  return {
    async [TELL_UNREAD](_job, { signal }) {
      try {
        return await round(signal);
      } catch (err) {
        // PostgreSQL was out of reach for a while: the next round does it.
        log.warn({ event: "unread_waits", err });
        return { is: "again", inMs: everyMs };
      }
    },
  };

  async function round(signal: AbortSignal): Promise<JobEnd> {
    for (let isMore = true; isMore && !signal.aborted; ) {
      const { isOn, hasMore } = await store.look(afterS);
      if (!isOn) return { is: "done" };
      isMore = hasMore;
    }
    for (let after = "0"; !signal.aborted; ) {
      const users = await store.due(after, USERS_AT_ONCE);
      await Promise.all(users.map(tell));
      if (users.length < USERS_AT_ONCE) break;
      after = users.at(-1)!;
    }
    return { is: "again", inMs: everyMs };
  }
}
