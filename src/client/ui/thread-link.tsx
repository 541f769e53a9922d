/** Below a message: its replies, and how many of a followed thread are new. */
import { type ReactElement, useMemo } from "react";
import type { Message } from "../../protocol/schemas.ts";
import { useReadable, useTroupe } from "../react.ts";
import type { ConversationView } from "../views.ts";
import { useShared } from "./frame.tsx";

interface ThreadLinkProps {
  message: Message;
  thread: NonNullable<Message["thread"]>;
  onThread(message: Message): void;
}

const unreadIn = (view: ConversationView | null): number => view?.unread ?? 0;

export function ThreadLink(props: ThreadLinkProps): ReactElement {
  const { message, thread, onThread } = props;
  const client = useTroupe();
  const { texts, words } = useShared();
  const id = thread.conversation_id;
  const unread = useReadable(
    useMemo(() => client.conversation(id), [client, id]),
    unreadIn,
  );
  const at = thread.last_reply_at;
  return (
    <button type="button" className="troupe-thread-link" onClick={() => onThread(message)}>
      <span>{texts.replies(thread.reply_count)}</span>
      {at !== null && <time dateTime={at}>{words.short(at)}</time>}
      {unread > 0 && (
        <span className="troupe-badge">
          <span aria-hidden="true">{unread > 99 ? "99+" : unread}</span>
          <span className="troupe-unseen">{texts.unread(unread)}</span>
        </span>
      )}
    </button>
  );
}
