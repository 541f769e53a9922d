/**
 * The thread of a message: the message, its replies, and where one writes to them. It is made at
 * the server when it is first opened; whoever writes into it follows it.
 */
import { type ReactElement, useEffect, useMemo, useState } from "react";
import type { Message as WireMessage } from "../../protocol/schemas.ts";
import { attempt } from "../attached.ts";
import { TroupeError } from "../error.ts";
import { useConversation, useMe, useTroupe } from "../react.ts";
import { threadsOf } from "../threads.ts";
import type { ConversationView } from "../views.ts";
import { ConnectionBanner } from "./banner.tsx";
import { Composer } from "./composer.tsx";
import { useShared } from "./frame.tsx";
import { useMay } from "./may.ts";
import { Message } from "./message.tsx";
import { MessageList } from "./message-list.tsx";
import { Panel } from "./panel.tsx";
import type { ThreadProps } from "./parts.ts";
import { useTitle } from "./titles.tsx";
import { useWriting } from "./writing.ts";

export function Thread(props: ThreadProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Thread ?? OwnThread;
  return <Part {...props} />;
}

function OwnThread(props: ThreadProps): ReactElement {
  const { texts } = useShared();
  const { id, problem } = useThreadId(props);
  const parent = useConversation(props.conversationId);
  return (
    <Panel
      title={texts.thread}
      className="troupe-thread"
      onClose={props.onClose}
      actions={id !== null && <Follow id={id} />}
    >
      {id === null || parent === null ? (
        <p className="troupe-empty">{problem ?? texts.loading}</p>
      ) : (
        <Replies key={id} id={id} parent={parent} seq={props.seq} />
      )}
    </Panel>
  );
}

function useThreadId({ conversationId, seq }: ThreadProps): {
  id: string | null;
  problem: string | null;
} {
  const client = useTroupe();
  const [id, setId] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    let isOver = false;
    setId(null);
    setProblem(null);
    threadsOf(client)
      .of(conversationId, seq)
      .then(
        (found) => isOver || setId(found),
        (error: unknown) => {
          if (!(error instanceof TroupeError)) throw error;
          if (!isOver) setProblem(error.message);
        },
      );
    return () => {
      isOver = true;
    };
  }, [client, conversationId, seq]);
  return { id, problem };
}

function Follow({ id }: { id: string }): ReactElement | null {
  const client = useTroupe();
  const { texts } = useShared();
  const view = useConversation(id);
  const meId = useMe()?.id;
  if (view === null) return null;
  const isFollowed = view.conversation.members.some(({ user_id }) => user_id === meId);
  return (
    <button
      type="button"
      className="troupe-follow"
      aria-pressed={isFollowed}
      onClick={() => void attempt(threadsOf(client).follow(id, !isFollowed))}
    >
      {isFollowed ? texts.following : texts.follow}
    </button>
  );
}

interface RepliesProps {
  id: string;
  parent: ConversationView;
  seq: number;
}

function Replies({ id, parent, seq }: RepliesProps): ReactElement {
  const { texts } = useShared();
  const view = useConversation(id);
  const writing = useWriting(view);
  const { title } = useTitle(parent);
  const { onReply, onEdit, ...composer } = writing;
  return (
    <>
      <ConnectionBanner />
      <Root parent={parent} seq={seq} />
      <MessageList conversationId={id} onReply={onReply} onEdit={onEdit} />
      <Composer {...composer} conversationId={id} title={texts.threadIn(title)} isFirstFocused />
    </>
  );
}

const nothing = (): void => undefined;
const NONE: readonly string[] = [];

function Root({ parent, seq }: Omit<RepliesProps, "id">): ReactElement | null {
  const client = useTroupe();
  const meId = useMe()?.id;
  const may = useMay(parent);
  const here = useMemo(
    () => parent.messages.find((one) => one.seq === seq),
    [parent.messages, seq],
  );
  const [read, setRead] = useState<WireMessage | null>(null);
  const isMissing = here === undefined;
  const { id } = parent;
  useEffect(() => {
    if (!isMissing) return;
    void attempt(client.api("GET /api/conversations/:id/messages/:seq", { id, seq }).then(setRead));
  }, [client, id, seq, isMissing]);
  const message = here ?? read;
  if (message === null || message === undefined) return null;
  return (
    <div className="troupe-root">
      <Message
        message={message}
        isOwn={message.sender_id === meId}
        isFirst
        isLast
        isGroup={parent.conversation.kind !== "direct"}
        progress={null}
        quoted={null}
        own={parent.ownReactions.get(seq) ?? NONE}
        may={{ ...may, thread: false }}
        onJump={nothing}
      />
    </div>
  );
}
