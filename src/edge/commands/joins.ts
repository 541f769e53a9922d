/** Joining and leaving conversations: what of them is live in a session from then on. */
import type { ConversationOps } from "../../protocol/actor-ops.ts";
import { REFUSALS, refused } from "../../protocol/errors.ts";
import { type ClientPayload, JOIN_LIMIT_DEFAULT } from "../../protocol/events.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { asConversationId, type Conversation } from "../../protocol/schemas.ts";
import { WATCHED_CHANNELS_MAX } from "../../protocol/session-bounds.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import { type PageTurns, TOO_MANY_READS } from "../limits/turns.ts";
import type { Channels } from "../live/channels.ts";
import type { Streams } from "../live/conversation-streams.ts";
import { typingEnded } from "../live/stream-packets.ts";
import type { ThreadStreams } from "../live/thread-streams.ts";
import type { Session } from "../session/session.ts";
import type { AckSink } from "./ack-sink.ts";
import type { Commands } from "./handler.ts";
import { JoinedTyping } from "./joined-typing.ts";
import { Ordered, withEnd } from "./ordered.ts";

const JOIN_CHANGES_DEFAULT = 100;
const TOO_MANY_CHANNELS = refused(
  "conflict",
  `A session watches at most ${WATCHED_CHANNELS_MAX} channels.`,
);

type JoinAnswer = ConversationOps["join"]["answer"];

export interface JoinDeps {
  gateway: Pick<Gateway, "tell" | "placement">;
  streams: Streams;
  threads: Pick<ThreadStreams, "entered">;
  channels: Pick<Channels, "entered" | "has">;
  /** Joins and `sync` of one user take turns. */
  pages: PageTurns;
}

/** Asks a conversation's actor; see commands.ts. */
type AskConversation = (
  session: Session,
  conversation: string,
  op: "join",
  body: Omit<ConversationOps["join"]["body"], "user" | "session">,
  ack: AckSink,
) => void;

export function createJoinCommands(
  deps: JoinDeps,
  askConversation: AskConversation,
): Pick<Commands, "join_conversation" | "leave_conversation"> {
  const { gateway, streams, channels, pages } = deps;
  const order = new Ordered();
  const typists = new JoinedTyping(gateway, streams);

  function join(
    session: Session,
    { conversation_id, after_rev, limit }: ClientPayload<"join_conversation">,
    ack: AckSink,
  ): void {
    const id = asConversationId(conversation_id);
    const after = after_rev ?? null;
    const isAttached = streams.movesUp(session, id) && !session.entering.has(id);
    const owner = typists.ownerOf(id);
    const window = {
      after_rev: after,
      limit: limit ?? (after === null ? JOIN_LIMIT_DEFAULT : JOIN_CHANGES_DEFAULT),
      ...(session.contract !== "1" && { streams: true as const }),
      // Where all conversations are live, nobody asks which was opened last.
      ...(session.isPartial && !isAttached && { isOpened: true as const }),
    };
    const entering: AckSink = {
      ok(answer) {
        if (session.isEnded) {
          ack.ok(answer);
          return;
        }
        // The answer comes before every event after it, so the session enters in order.
        const { conversation, typing } = JSON.parse(answer) as JoinAnswer;
        if (conversation.kind === "channel") {
          watch(session, conversation, typing, owner, answer, ack);
          return;
        }
        session.left.delete(id);
        const parent = conversation.parent?.conversation_id;
        const entering = streams.enter(
          session,
          id,
          conversation.rev,
          parent === undefined ? null : asConversationId(parent),
        );
        if (parent !== undefined) {
          session.joinedThreads.add(id);
          deps.threads.entered(session, [id]);
        }
        ack.ok(answer);
        settleTyping(session, id, typing, owner, entering);
      },
      refuse: (error) => ack.refuse(error),
    };
    const attached: AckSink = {
      ok(answer) {
        ack.ok(answer);
        typists.answered(session, id, (JSON.parse(answer) as JoinAnswer).typing, owner);
      },
      refuse: (error) => ack.refuse(error),
    };
    if (isAttached && streams.get(id)?.parent != null) session.joinedThreads.add(id);
    askConversation(session, conversation_id, "join", window, isAttached ? attached : entering);
  }

  function watch(
    session: Session,
    { id: channel, rev, members }: Conversation,
    typing: readonly UserId[],
    owner: string | null,
    answer: string,
    ack: AckSink,
  ): void {
    const id = asConversationId(channel);
    // Version 1 of the contract has no channels.
    if (session.contract === "1") {
      ack.refuse(REFUSALS.conversationNotFound.error);
      return;
    }
    if (session.channels >= WATCHED_CHANNELS_MAX && !streams.isFollowed(session, id)) {
      ack.refuse(TOO_MANY_CHANNELS.error);
      return;
    }
    const entering = streams.enter(session, id, rev, null, true);
    const from = members[0]?.visible_from_seq;
    if (from !== undefined) streams.get(id)?.visibleFrom.set(session.user, from);
    deps.channels.entered(session, id);
    ack.ok(answer);
    settleTyping(session, id, typing, owner, entering);
  }

  function leave(session: Session, id: ConversationId, ack: AckSink): void {
    session.joinedThreads.delete(id);
    const stream = streams.get(id);
    if (stream?.sessions.has(session)) {
      stream.detach(session);
      if (stream.isChannel) channels.has(session, id, stream.rev);
      else session.left.add(id);
      endTyping(session, id);
      ack.ok("{}");
      return;
    }
    // Nothing comes of it here; whether there is such a conversation only its actor knows.
    const window = { after_rev: null, limit: 1 };
    askConversation(session, id, "join", window, {
      ok(answer) {
        const { conversation } = JSON.parse(answer) as JoinAnswer;
        if (conversation.kind !== "channel") session.left.add(id);
        // Somebody may have added the user meanwhile, which attached the session.
        streams.get(id)?.detach(session);
        endTyping(session, id);
        ack.ok("{}");
      },
      refuse: (error) => ack.refuse(error),
    });
  }

  /** `owner` answered that these users type. `entering`: null where the session is in the stream. */
  function settleTyping(
    session: Session,
    id: ConversationId,
    typing: readonly UserId[],
    owner: string | null,
    entering: Promise<void> | null,
  ): void {
    if (entering === null) typists.answered(session, id, typing, owner);
    else if (typing.length > 0) void entering.then(() => endStaleTyping(session, id, typing));
  }

  /** Ends, for the session, the typing of users who stopped while it was joining the stream. */
  function endStaleTyping(session: Session, id: ConversationId, told: readonly UserId[]): void {
    const window = { after_rev: null, limit: 1 };
    const owner = typists.ownerOf(id);
    askConversation(session, id, "join", window, {
      ok(answer) {
        const { typing } = JSON.parse(answer) as JoinAnswer;
        for (const user of told) {
          if (!typing.includes(user)) session.send(typingEnded(id, user));
        }
        typists.answered(session, id, typing, owner);
      },
      refuse: () => typists.answered(session, id, told, null),
    });
  }

  /** [TYP4] */
  function endTyping(session: Session, id: ConversationId): void {
    if (!session.typingIn.delete(id)) return;
    gateway.tell("conversation", id, "session_closed", { session: session.id });
  }

  return {
    join_conversation(session, { conversation_id, after_rev, limit }, ack) {
      const id = asConversationId(conversation_id);
      order.run(session, id, ack, (answered) => {
        const isTaken = pages.take(session.user, (done) => {
          const sink = withEnd(answered, done);
          if (session.isEnded) sink.refuse(REFUSALS.unavailable.error);
          else join(session, { conversation_id, after_rev, limit }, sink);
        });
        if (!isTaken) answered.refuse(TOO_MANY_READS);
      });
    },

    leave_conversation(session, { conversation_id }, ack) {
      const id = asConversationId(conversation_id);
      order.run(session, id, ack, (answered) => leave(session, id, answered));
    },
  };
}
