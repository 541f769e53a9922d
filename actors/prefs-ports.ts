/**
 * What the user actor needs of storage for the user's own preferences; see ports.ts for the rules
 * that hold for all of them.
 */
import type { Result } from "../src/protocol/errors.ts";
import type { ConversationId, SessionId, UserId } from "../src/protocol/ids.ts";
import type { Prefs, PrefsChange } from "../src/protocol/prefs.ts";

export interface AskedPrefs {
  userId: UserId;
  conversationId: ConversationId;
  change: PrefsChange;
  /** The session whose acknowledgement carries the change; "": none. */
  session: SessionId | "";
  /** The session that wrote the draft of the change; "": none. */
  draftBy: SessionId | "";
  /** The draft goes only where `draftBy` wrote it last. */
  isOwnDraftOnly?: boolean;
}

export interface MembershipPrefs {
  userId: UserId;
  prefs: Prefs;
}

export interface PrefsStore {
  /**
   * Group-committed over all users of a thread. Changes of one user resolve in the order of the
   * calls, each with the next number of the user's stream; what changes nothing takes none.
   * Refuses: not_found (no member), conflict (too many pinned; hidden, where not direct).
   */
  change(asked: AskedPrefs): Promise<Result<{ prefs: Prefs; changed: boolean }>>;
  /** The preferences that these users had of the conversation and lost with their membership. */
  forgotten(id: ConversationId, users: readonly UserId[]): Promise<MembershipPrefs[]>;
  /** The preferences with which these users' memberships of a channel began. */
  begun(id: ConversationId, users: readonly UserId[]): Promise<MembershipPrefs[]>;
}
