/** One message: its bubble, who wrote it where a run begins, its state where a run ends. */
import { memo, type ReactElement } from "react";
import type { Message as WireMessage } from "../../protocol/schemas.ts";
import { useTroupe } from "../react.ts";
import type { Outgoing } from "../state.ts";
import { PersonAvatar, useName } from "./avatar.tsx";
import { useShared } from "./frame.tsx";
import { Icon, type IconName } from "./icons.tsx";
import type { MessageProps } from "./parts.ts";
import { Receipts } from "./receipts.tsx";
import { useNames } from "./titles.tsx";
import { splitLinks, tintOf } from "./words.ts";

export const Message = memo(function Message(props: MessageProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Message ?? OwnMessage;
  return <Part {...props} />;
});

function OwnMessage(props: MessageProps): ReactElement {
  const { sender_id, type } = props.message;
  if (sender_id === null || type === "system") return <SystemMessage message={props.message} />;
  return <Bubble {...props} senderId={sender_id} />;
}

/** What happened to the conversation, in words; a service's system message says it itself. */
function SystemMessage({ message }: { message: WireMessage }): ReactElement {
  const { texts } = useShared();
  const { event, user_ids, title } = (message.data ?? {}) as {
    event?: string;
    user_ids?: string[];
    title?: string;
  };
  const [actor = texts.someone] = useNames(message.sender_id === null ? [] : [message.sender_id]);
  const names = useNames(user_ids ?? []).join(", ");
  const said = (): string => {
    switch (event) {
      case "troupe.member_added":
        return texts.memberAdded(actor, names);
      case "troupe.member_removed":
        return texts.memberRemoved(actor, names);
      case "troupe.member_joined":
        return texts.memberJoined(names === "" ? actor : names);
      case "troupe.member_left":
        return texts.memberLeft(names === "" ? actor : names);
      case "troupe.title_changed":
        return texts.titleChanged(actor, title ?? "");
      default:
        return message.body;
    }
  };
  return (
    <p className="troupe-system" data-seq={message.seq}>
      <bdi>{message.deleted_at === null ? said() : texts.deleted}</bdi>
    </p>
  );
}

function Bubble(props: MessageProps & { senderId: string }): ReactElement {
  const { message, isOwn, isFirst, isLast, isGroup, progress } = props;
  const { texts, words } = useShared();
  const isGone = message.deleted_at !== null;
  return (
    <article
      className="troupe-message"
      data-own={isOwn || undefined}
      data-first={isFirst || undefined}
      data-last={isLast || undefined}
      data-seq={message.seq}
    >
      {isGroup && !isOwn && (
        <span className="troupe-message-picture">
          {isLast && <PersonAvatar userId={props.senderId} size="small" />}
        </span>
      )}
      <div className="troupe-bubble">
        {isGroup && !isOwn && isFirst && <Writer id={props.senderId} />}
        {message.reply_to_seq !== null && (
          <Quote seq={message.reply_to_seq} quoted={props.quoted} onJump={props.onJump} />
        )}
        <p className="troupe-body" dir="auto" data-gone={isGone || undefined}>
          {isGone ? texts.deleted : <Body text={message.body} />}
        </p>
        {(isLast || message.edited_at !== null) && (
          <span className="troupe-meta">
            {message.edited_at !== null && !isGone && <span>{texts.edited}</span>}
            <time dateTime={message.created_at}>{words.time(message.created_at)}</time>
            {progress !== null && <Receipts progress={progress} />}
          </span>
        )}
      </div>
      {!isGone && <Actions {...props} />}
    </article>
  );
}

function Writer({ id }: { id: string }): ReactElement {
  return (
    <span className="troupe-writer" data-tint={tintOf(id)}>
      {useName(id)}
    </span>
  );
}

/** Text with its links; nothing of it is ever read as HTML. */
export function Body({ text }: { text: string }): ReactElement {
  return (
    <>
      {splitLinks(text).map((part, at) =>
        part.href === null ? (
          part.text
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: a text's parts have only their place
          <a key={at} href={part.href} target="_blank" rel="noopener noreferrer nofollow">
            {part.text}
          </a>
        ),
      )}
    </>
  );
}

interface QuoteProps {
  seq: number;
  quoted: WireMessage | null;
  onJump(seq: number): void;
}

function Quote({ seq, quoted, onJump }: QuoteProps): ReactElement {
  const { texts } = useShared();
  return (
    <button type="button" className="troupe-quote" dir="auto" onClick={() => onJump(seq)}>
      {quoted === null ? "…" : quoted.deleted_at === null ? quoted.body : texts.deleted}
    </button>
  );
}

function Actions({ message, isOwn, onReply, onEdit }: MessageProps): ReactElement {
  const client = useTroupe();
  const { texts } = useShared();
  const remove = (): void => {
    // What the server refuses stays as it is; the message says the rest.
    void client.remove(message.conversation_id, message.seq).catch(() => undefined);
  };
  const copy = (): void => void navigator.clipboard?.writeText(message.body).catch(() => undefined);
  const action = (icon: IconName, label: string, run: () => void): ReactElement => (
    <button type="button" title={label} aria-label={label} onClick={run}>
      <Icon name={icon} />
    </button>
  );
  return (
    <div className="troupe-actions">
      {action("reply", texts.reply, () => onReply(message))}
      {action("copy", texts.copy, copy)}
      {isOwn && action("edit", texts.edit, () => onEdit(message))}
      {isOwn && action("remove", texts.remove, remove)}
    </div>
  );
}

/** A message on its way, or one that the server refused. */
export function OutgoingMessage({ outgoing }: { outgoing: Outgoing }): ReactElement {
  const client = useTroupe();
  const { texts } = useShared();
  const { problem, clientId } = outgoing;
  return (
    <article className="troupe-message" data-own data-first data-last data-outgoing>
      <div className="troupe-bubble">
        <p className="troupe-body" dir="auto">
          <Body text={outgoing.body} />
        </p>
        {problem === null ? (
          <span className="troupe-meta">{texts.sending}</span>
        ) : (
          <span className="troupe-meta" role="alert">
            <span className="troupe-problem">
              {texts.notSent}: {problem.message}
            </span>
            <button type="button" onClick={() => client.retry(clientId)}>
              {texts.retry}
            </button>
            <button type="button" onClick={() => client.discard(clientId)}>
              {texts.discard}
            </button>
          </span>
        )}
      </div>
    </article>
  );
}
