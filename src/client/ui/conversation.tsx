/** A conversation: its header, its messages, and where one writes. */
import { type ReactElement, type ReactNode, useCallback, useRef, useState } from "react";
import type { Message } from "../../protocol/schemas.ts";
import { useConversation, useMe } from "../react.ts";
import type { ConversationView } from "../views.ts";
import { Avatar, PersonAvatar, Presence } from "./avatar.tsx";
import { ConnectionBanner } from "./banner.tsx";
import { Composer } from "./composer.tsx";
import { useShared } from "./frame.tsx";
import { Icon } from "./icons.tsx";
import { MessageList } from "./message-list.tsx";
import type { HeaderProps } from "./parts.ts";
import { useTitle } from "./titles.tsx";

export interface ConversationProps {
  /** null: none is chosen. */
  id: string | null;
  /** Shows a way back, for narrow pages. */
  onBack?: () => void;
  /** What stands at the end of the header. */
  actions?: ReactNode;
}

export function Conversation({ id, onBack, actions }: ConversationProps): ReactElement {
  const { texts } = useShared();
  const view = useConversation(id);
  if (id === null || view === null) {
    return (
      <section className="troupe-conversation" aria-label={texts.messages}>
        <ConnectionBanner />
        <p className="troupe-empty">{id === null ? texts.chooseConversation : texts.loading}</p>
      </section>
    );
  }
  return <Shown key={id} view={view} onBack={onBack} actions={actions} />;
}

interface ShownProps {
  view: ConversationView;
  onBack: (() => void) | undefined;
  actions: ReactNode;
}

function Shown({ view, onBack, actions }: ShownProps): ReactElement {
  const meId = useMe()?.id ?? "";
  const { title } = useTitle(view);
  const [replyTo, setReplyTo] = useState<Message | null>(null);
  const [editing, setEditing] = useState<Message | null>(null);
  const messages = useRef(view.messages);
  messages.current = view.messages;

  const cancel = useCallback((): void => {
    setReplyTo(null);
    setEditing(null);
  }, []);
  const reply = useCallback((message: Message): void => {
    setEditing(null);
    setReplyTo(message);
  }, []);
  const edit = useCallback((message: Message): void => {
    setReplyTo(null);
    setEditing(message);
  }, []);
  const editLast = (): void => {
    const own = messages.current.filter(
      ({ sender_id, client_id, deleted_at }) =>
        sender_id === meId && client_id !== null && deleted_at === null,
    );
    const last = own.at(-1);
    if (last !== undefined) edit(last);
  };

  return (
    <section className="troupe-conversation" aria-label={title}>
      <Header view={view} onBack={onBack} actions={actions} />
      <ConnectionBanner />
      <MessageList conversationId={view.id} onReply={reply} onEdit={edit} />
      <Composer
        conversationId={view.id}
        title={title}
        replyTo={replyTo}
        editing={editing}
        onCancel={cancel}
        onEditLast={editLast}
      />
    </section>
  );
}

/** The name of the conversation, with the presence of the other one of a pair. */
export function Header(props: HeaderProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Header ?? OwnHeader;
  return <Part {...props} />;
}

function OwnHeader({ view, onBack, actions }: HeaderProps): ReactElement {
  const { texts } = useShared();
  const { title, peerId } = useTitle(view);
  return (
    <header className="troupe-header">
      {onBack && (
        <button type="button" className="troupe-back" aria-label={texts.back} onClick={onBack}>
          <Icon name="back" />
        </button>
      )}
      {peerId === null ? <Avatar id={view.id} name={title} /> : <PersonAvatar userId={peerId} />}
      <div className="troupe-heading">
        <h2>
          <bdi>{title}</bdi>
        </h2>
        <span className="troupe-soft">
          {peerId === null ? texts.members(view.memberCount) : <Presence userId={peerId} />}
        </span>
      </div>
      {actions}
    </header>
  );
}
