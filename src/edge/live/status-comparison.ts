/**
 * Compares the statuses that this edge sent to its sessions with the present ones of the users' actors:
 * after a gap between hosts, and when actors have moved. Called by `Watches`.
 *
 * One ask carries many users of one worker and is answered only with the statuses that differ,
 * so that the cost follows what differs and the number of workers, not the users watched.
 *
 * [CMP1] The users and asks under way are bounded; the others wait for their turn.
 * [CMP2] Only the users of an ask that failed are asked about again, each time a little later.
 * [CMP3] A user whose last sent status is "offline" is not activated for the comparison.
 */
import type { Clock } from "../../base/clock.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { PresenceStatus, Status } from "../../protocol/schemas.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import type { Watch } from "../session/session.ts";

/** Users in one ask: about 10 KB, and less than a millisecond of the actor thread. */
const USERS_IN_ASK = 1_000;
/** Twelve rounds of 0.3 s for 200,000 users. */
const USERS_UNDER_WAY_MAX = 16_000;
/** Less than the gateway's budget for recovery. */
const ASKS_UNDER_WAY_MAX = 1_000;
const RETRY_MS = 500;
const RETRY_MS_MAX = 8_000;

export interface StatusComparisonOptions {
  clock: Clock;
  gateway: Gateway;
  /** The status that the sessions were sent last; null: there is none, so nothing to compare. */
  sent(user: UserId): SentStatus | null;
  /** The worker that the user's actor moved from, where that cannot be reached now. */
  former(user: UserId): string | undefined;
  /** The user's status is another than `sent`, which it was when the actor was asked. */
  differs(status: Status, sent: SentStatus): void;
}

/** The status that the edge last sent, and how many status events it had received by then. */
export interface SentStatus {
  status: PresenceStatus;
  watch: Watch;
  heardCount: number;
}

export class StatusComparison {
  readonly #options: StatusComparisonOptions;
  /** Users that wait for their turn, by the worker that owned them when they were added. */
  readonly #waiting = new Map<string, UserId[]>();
  readonly #isWaiting = new Set<UserId>();
  /** To be asked about again. */
  #failed: UserId[] = [];
  #retryMs = RETRY_MS;
  #cancelRetry: (() => void) | null = null;
  #usersUnderWay = 0;
  #asksUnderWay = 0;
  #isClosed = false;

  constructor(options: StatusComparisonOptions) {
    this.#options = options;
  }

  compare(users: Iterable<UserId>): void {
    const { placement } = this.#options.gateway;
    for (const user of users) {
      if (this.#isWaiting.has(user)) continue;
      this.#isWaiting.add(user);
      const worker = placement.ownerOf(`user:${user}`) ?? "";
      const waiting = this.#waiting.get(worker);
      if (waiting === undefined) this.#waiting.set(worker, [user]);
      else waiting.push(user);
    }
    this.#next();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry?.();
    this.#forget();
  }

  /** [CMP1] One ask for each worker in turn. */
  #next(): void {
    // A host that is cut off has nothing to compare with; its return is another gap.
    if (this.#isClosed || this.#options.gateway.placement.isCutOff) {
      this.#forget();
      return;
    }
    while (this.#usersUnderWay < USERS_UNDER_WAY_MAX && this.#asksUnderWay < ASKS_UNDER_WAY_MAX) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      const [worker, users] = next;
      this.#waiting.delete(worker);
      const some = users.splice(0, USERS_IN_ASK);
      if (users.length > 0) this.#waiting.set(worker, users);
      for (const user of some) this.#isWaiting.delete(user);
      void this.#ask(worker, some);
    }
  }

  async #ask(worker: string, users: readonly UserId[]): Promise<void> {
    const { gateway, differs } = this.#options;
    const sent = new Map<UserId, SentStatus>();
    for (const user of users) {
      const last = this.#options.sent(user);
      if (last !== null) sent.set(user, last);
    }
    if (sent.size === 0) return;
    this.#asksUnderWay++;
    this.#usersUnderWay += users.length;
    const answer = await gateway.askMany("user", worker, "compare_status", this.#lettersOf(sent));
    this.#asksUnderWay--;
    this.#usersUnderWay -= users.length;
    if (answer.ok) {
      for (const status of answer.value.answers) {
        const before = status === null ? undefined : sent.get(status.user_id as UserId);
        if (status !== null && before !== undefined) differs(status, before);
      }
      if (answer.value.undone.length > 0) this.#failedFor(answer.value.undone as UserId[]);
      else this.#retryMs = RETRY_MS;
    } else this.#failedFor([...sent.keys()]);
    this.#next();
  }

  /** [CMP2] */
  #failedFor(users: readonly UserId[]): void {
    this.#failed = this.#failed.concat(users);
    if (this.#cancelRetry !== null || this.#isClosed) return;
    this.#cancelRetry = this.#options.clock.after(this.#retryMs, () => {
      this.#cancelRetry = null;
      const failed = this.#failed;
      this.#failed = [];
      this.compare(failed);
    });
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  #forget(): void {
    this.#waiting.clear();
    this.#isWaiting.clear();
    this.#failed = [];
  }

  /** A list for each status that users were sent, and each unreachable worker of theirs. */
  #lettersOf(sent: ReadonlyMap<UserId, SentStatus>) {
    const letters = new Map<string, { told: PresenceStatus; former?: string; ids: UserId[] }>();
    for (const [user, { status: told }] of sent) {
      // [CMP3]
      const former = told === "offline" ? undefined : this.#options.former(user);
      const kind = `${told} ${former}`;
      const letter = letters.get(kind);
      if (letter === undefined) letters.set(kind, { told, ...(former && { former }), ids: [user] });
      else letter.ids.push(user);
    }
    return [...letters.values()].map(({ ids, ...body }) => {
      return { body, isPeek: body.told === "offline", ids };
    });
  }
}
