/**
 * The state of a conversation's actor, and the steps that its parts share: see conversation.ts.
 */
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import type { Conversation, Member } from "../src/protocol/schemas.ts";
import type { ThreadRules, ThreadStanding } from "../src/protocol/threads.ts";
import type { Topic } from "../src/protocol/topics.ts";
import type { Context, Reply } from "./behaviour.ts";
import type { ChangeBucket } from "./changes.ts";
import { type ChannelState, noteActivity } from "./channel-state.ts";
import type { WaitingChanges } from "./gathered-changes.ts";
import type { HeldCalls } from "./held-messages.ts";
import type { Cleared } from "./joins.ts";
import type { Reactions } from "./reactions.ts";
import type { Ring } from "./ring.ts";
import type { SendPace } from "./slow-mode.ts";
import type { Streams } from "./stream-state.ts";
import type { Summaries } from "./thread-summaries.ts";
import type { Typing } from "./typing.ts";
import { typingChanged } from "./typing-notices.ts";

/** The further state of a thread's actor; see thread.ts. */
export interface ThreadState {
  parent: ConversationId;
  /** The `seq` of its root. */
  root: number;
  /** The rules that the parent's actor sent last. */
  rules: ThreadRules;
  /** Roles and silences of members of the parent, as far as they are known. */
  roles: { [user_id: string]: ThreadStanding };
  /** Which departures from the parent the followers take account of; null: none were asked for. */
  departures: number | null;
  /** Asks that the parent has not answered. */
  asked: number;
  /** Sends that the parent is asked about, with what waits for the same one. */
  judging: Map<string, (() => void)[]>;
}

export interface ConversationState {
  id: ConversationId;
  topic: Topic;
  conversation: Conversation;
  members: Map<UserId, Member>;
  /** A block stands between the two members of a direct conversation: only history remains. */
  isBlocked: boolean;
  /** Members of whom others do not see how far they have read: `members` has 0 there. */
  masked: ReadonlySet<UserId>;
  typing: Typing;
  /** Read on the first join. */
  ring: Ring | null;
  cleared: Cleared;
  /** Of title and members. */
  changes: ChangeBucket;
  /**
   * Sends that storage has not answered, by sender and client_id, with the other callers that wait.
   */
  sending: Map<string, Reply[]>;
  /** Sends and edits that the application is asked about. */
  held: HeldCalls;
  /** Changes of title and members that wait to be written together. */
  gathered: WaitingChanges;
  /** Reactions that wait to be written together, by message. */
  reactions: Reactions;
  pace: SendPace;
  /** Null: it is no thread. In a thread `members` are the followers. */
  thread: ThreadState | null;
  /** Null: it is no channel. In a channel `members` are its moderators and above. */
  channel: ChannelState | null;
  /** Another number says that members have left; this conversation's threads look at it. */
  departures: number;
  summaries: Summaries;
  /** Null until the first stream. */
  streams: Streams | null;
  /** How long messages are kept at most, in seconds; null: for ever. */
  retentionCapS: number | null;
}

/** Moves to a committed change's rev; a jump means that we are not the only activation. */
export function follow(state: ConversationState, rev: number, ctx: Context): void {
  if (rev !== state.conversation.rev + 1) stepAside(state, ctx);
  state.conversation.rev = Math.max(state.conversation.rev, rev);
  if (state.channel !== null) noteActivity(state.channel, ctx);
}

/** Another activation has written: the next one begins with what is stored. */
export function stepAside(state: ConversationState, ctx: Context): void {
  state.ring = null;
  // After passivation no activation could publish that they stopped typing.
  typingChanged(state, { type: "let_go" }, ctx);
  ctx.passivate();
}

export function adopt(state: ConversationState, conversation: Conversation): void {
  state.conversation = conversation;
  state.members = new Map(conversation.members.map((member) => [member.user_id as UserId, member]));
}
