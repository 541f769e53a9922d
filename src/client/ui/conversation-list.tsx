/** The conversations, newest activity first, with what is unread and who types. */
import { memo, type ReactElement } from "react";
import { useConversations, useIsListed, useMe } from "../react.ts";
import { Avatar, PersonAvatar } from "./avatar.tsx";
import { useShared } from "./frame.tsx";
import type { RowProps } from "./parts.ts";
import { useNames, useTitle } from "./titles.tsx";

export interface ConversationListProps {
  /** The one that is open. */
  selected?: string | null;
  onSelect(conversationId: string): void;
}

export function ConversationList({
  selected = null,
  onSelect,
}: ConversationListProps): ReactElement {
  const { texts } = useShared();
  const views = useConversations();
  const isListed = useIsListed();
  if (views.length === 0) {
    return (
      <div className="troupe-list" aria-busy={!isListed || undefined}>
        <p className="troupe-empty">{isListed ? texts.noConversations : texts.loading}</p>
      </div>
    );
  }
  return (
    <nav className="troupe-list" aria-label={texts.conversations}>
      <ul>
        {views.map((view) => (
          <li key={view.id}>
            <Row view={view} isSelected={view.id === selected} onSelect={onSelect} />
          </li>
        ))}
      </ul>
    </nav>
  );
}

const Row = memo(function Row(props: RowProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Row ?? OwnRow;
  return <Part {...props} />;
});

function OwnRow({ view, isSelected, onSelect }: RowProps): ReactElement {
  const { texts, words } = useShared();
  const { title, peerId } = useTitle(view);
  const meId = useMe()?.id;
  const { lastMessage, unread } = view;
  const isGroup = peerId === null;
  const senderId = lastMessage?.sender_id ?? null;
  const [sender] = useNames(isGroup && senderId !== null && senderId !== meId ? [senderId] : []);
  const typing = useNames(view.typing);
  const from = senderId === meId && lastMessage !== null ? texts.you : sender;
  const body = lastMessage?.deleted_at ? texts.deleted : (lastMessage?.body ?? "");
  const said = typing.length > 0 ? texts.typing(typing) : from ? `${from}: ${body}` : body;
  const at = lastMessage === null ? "" : words.short(lastMessage.created_at);
  return (
    <button
      type="button"
      className="troupe-row"
      aria-current={isSelected ? "true" : undefined}
      data-unread={unread > 0 || undefined}
      onClick={() => onSelect(view.id)}
    >
      {peerId === null ? <Avatar id={view.id} name={title} /> : <PersonAvatar userId={peerId} />}
      <span className="troupe-row-text">
        <span className="troupe-row-line">
          <span className="troupe-row-title">
            <bdi>{title}</bdi>
          </span>
          <time className="troupe-soft">{at}</time>
        </span>
        <span className="troupe-row-line">
          <span className="troupe-row-said" data-typing={typing.length > 0 || undefined}>
            <bdi>{said}</bdi>
          </span>
          {unread > 0 && (
            <span className="troupe-badge">
              <span aria-hidden="true">{unread > 99 ? "99+" : unread}</span>
              <span className="troupe-unseen">{texts.unread(unread)}</span>
            </span>
          )}
        </span>
      </span>
    </button>
  );
}
