/**
 * Drafts that sessions write, on their way to become changes of their users' preferences.
 *
 * [DRF1] A draft becomes a change once its session has written no other one there for a second,
 *        and at once when the session ends.
 * [DRF2] A send that succeeds removes the draft that the same session wrote there before it: one
 *        that waits is dropped, one that was written is removed where no other session wrote since.
 * [DRF3] A change that could not be written is tried again a few times. While its session lives
 *        another draft of that session takes its place.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { UserOps } from "../../protocol/actor-ops.ts";
import type { ConversationId } from "../../protocol/ids.ts";
import type { Draft } from "../../protocol/prefs.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import type { Session } from "../session/session.ts";
import type { AckSink } from "./ack-sink.ts";

const WRITTEN_AFTER_MS = 1_000;
const RETRY_MS = 1_000;
const TRIES_MAX = 5;
/** Conversations of which one session's drafts are known; past it the oldest is written at once. */
const CONVERSATIONS_MAX = 200;

interface Entry {
  draft: Draft | null;
  /** Ends the wait; null: it was written. */
  cancel: (() => void) | null;
}

export interface DraftsOptions {
  clock: Clock;
  log: Log;
  gateway: Pick<Gateway, "ask">;
}

export class Drafts {
  readonly #options: DraftsOptions;
  /** In the order in which they were written last. */
  readonly #entries = new Map<Session, Map<ConversationId, Entry>>();
  readonly #retries = new Set<() => void>();
  #isClosed = false;

  constructor(options: DraftsOptions) {
    this.#options = options;
  }

  /** [DRF1] */
  wrote(session: Session, id: ConversationId, draft: Draft | null): void {
    if (session.isEnded) {
      this.#write(session, id, draft);
      return;
    }
    const own = this.#entries.get(session) ?? new Map<ConversationId, Entry>();
    this.#entries.set(session, own);
    own.get(id)?.cancel?.();
    own.delete(id);
    const entry: Entry = { draft, cancel: null };
    entry.cancel = this.#options.clock.after(WRITTEN_AFTER_MS, () => this.#due(session, id, entry));
    own.set(id, entry);
    for (const [oldest, { draft, cancel }] of own) {
      if (own.size <= CONVERSATIONS_MAX) break;
      own.delete(oldest);
      if (cancel === null) continue;
      cancel();
      this.#write(session, oldest, draft);
    }
  }

  /** The session's user is no member, so its draft is dropped. */
  forget(session: Session, id: ConversationId): void {
    this.#entries.get(session)?.get(id)?.cancel?.();
    this.#drop(session, id);
  }

  /** [DRF2] The acknowledgement of a send, which removes the draft where it succeeds. */
  removedBy(session: Session, id: ConversationId, ack: AckSink): AckSink {
    const entry = this.#entries.get(session)?.get(id);
    if (entry === undefined) return ack;
    return {
      ok: (answer) => {
        ack.ok(answer);
        // A draft that was written after the send is of the next message.
        if (this.#entries.get(session)?.get(id) !== entry) return;
        entry.cancel?.();
        this.#drop(session, id);
        this.#write(session, id, null, true);
      },
      refuse: (error) => ack.refuse(error),
    };
  }

  /** [DRF1] */
  ended(session: Session): void {
    const own = this.#entries.get(session);
    if (own === undefined) return;
    this.#entries.delete(session);
    for (const [id, { draft, cancel }] of own) {
      if (cancel === null) continue;
      cancel();
      this.#write(session, id, draft);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const session of [...this.#entries.keys()]) this.ended(session);
    for (const cancel of this.#retries) cancel();
  }

  #due(session: Session, id: ConversationId, entry: Entry): void {
    entry.cancel = null;
    // Without a draft there is nothing that a send could remove.
    if (entry.draft === null) this.#drop(session, id);
    this.#write(session, id, entry.draft);
  }

  #drop(session: Session, id: ConversationId): void {
    const own = this.#entries.get(session);
    own?.delete(id);
    if (own?.size === 0) this.#entries.delete(session);
  }

  #write(
    session: Session,
    id: ConversationId,
    draft: Draft | null,
    isOwnOnly = false,
    tries = 1,
  ): void {
    const { clock, log, gateway } = this.#options;
    const body: UserOps["set_prefs"]["body"] = {
      // No acknowledgement carries the number of this change.
      session: "",
      conversation_id: id,
      change: { draft },
      draft_by: session.id,
      ...(isOwnOnly && { own_draft_only: true as const }),
    };
    void gateway.ask("user", session.user, "set_prefs", body).then((result) => {
      if (result.ok || result.error.code !== "unavailable" || this.#isClosed) return;
      if (tries === TRIES_MAX) {
        log.warn({ event: "draft_lost", user: session.user, conversation: id });
        return;
      }
      // [DRF3]
      const before = this.#entries.get(session)?.get(id);
      const cancel = clock.after(RETRY_MS * tries, () => {
        this.#retries.delete(cancel);
        if (this.#entries.get(session)?.get(id) !== before) return;
        this.#write(session, id, draft, isOwnOnly, tries + 1);
      });
      this.#retries.add(cancel);
    });
  }
}
