/** One message: its bubble, who wrote it where a run begins, its state where a run ends. */
import { memo, type ReactElement, useCallback, useRef, useState } from "react";
import type { Message as WireMessage } from "../../protocol/schemas.ts";
import { attempt } from "../attached.ts";
import { useMe, useTroupe } from "../react.ts";
import type { Outgoing } from "../state.ts";
import { streamsOf } from "../streams.ts";
import { Attachments } from "./attachments.tsx";
import { PersonAvatar, useName } from "./avatar.tsx";
import { Body, Text } from "./body.tsx";
import { useShared } from "./frame.tsx";
import { Icon } from "./icons.tsx";
import { Actions, PressedActions } from "./message-actions.tsx";
import type { MessageProps } from "./parts.ts";
import { useLongPress } from "./press.ts";
import { Reactions } from "./reactions.tsx";
import { Receipts } from "./receipts.tsx";
import { ThreadLink } from "./thread-link.tsx";
import { useNames } from "./titles.tsx";
import { gistOf, tintOf } from "./words.ts";

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
  const bubble = useRef<HTMLDivElement>(null);
  const [isPressed, setPressed] = useState(false);
  const release = useCallback((): void => setPressed(false), []);
  const press = useLongPress(() => setPressed(!isGone));
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
      <div className="troupe-stack">
        <div ref={bubble} className="troupe-bubble" {...press}>
          {isGroup && !isOwn && isFirst && <Writer id={props.senderId} />}
          {message.reply_to_seq !== null && (
            <Quote seq={message.reply_to_seq} quoted={props.quoted} onJump={props.onJump} />
          )}
          <Attachments message={message} />
          {(isGone || message.body !== "") && (
            <p className="troupe-body" dir="auto" data-gone={isGone || undefined}>
              {isGone ? texts.deleted : <Body message={message} />}
            </p>
          )}
          {message.stream?.state === "open" && <Growing {...props} />}
          {(isLast || message.edited_at !== null || message.pinned_at !== undefined) && (
            <span className="troupe-meta">
              {message.pinned_at !== undefined && (
                <span className="troupe-pin-mark" role="img" aria-label={texts.pinnedMark}>
                  <Icon name="pin" />
                </span>
              )}
              {message.edited_at !== null && !isGone && <span>{texts.edited}</span>}
              <time dateTime={message.created_at}>{words.time(message.created_at)}</time>
              {progress !== null && <Receipts progress={progress} />}
            </span>
          )}
        </div>
        <Reactions message={message} own={props.own} mayReact={props.may.react} />
        {message.thread !== undefined && props.onThread !== undefined && (
          <ThreadLink message={message} thread={message.thread} onThread={props.onThread} />
        )}
      </div>
      {!isGone && <Actions {...props} />}
      {isPressed && <PressedActions {...props} at={bubble} close={release} />}
    </article>
  );
}

/** Below a text that still grows: who may can ask its writer to stop. */
function Growing({ message, isOwn, quoted, may }: MessageProps): ReactElement {
  const client = useTroupe();
  const { texts } = useShared();
  const meId = useMe()?.id;
  const { conversation_id, seq } = message;
  const mayStop = !isOwn && (may.stopAny || quoted?.sender_id === meId);
  return (
    <span className="troupe-growing">
      {texts.writing}
      {mayStop && (
        <button
          type="button"
          onClick={() => void attempt(streamsOf(client).stop(conversation_id, seq))}
        >
          {texts.stop}
        </button>
      )}
    </span>
  );
}

function Writer({ id }: { id: string }): ReactElement {
  return (
    <span className="troupe-writer" data-tint={tintOf(id)}>
      {useName(id)}
    </span>
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
      {quoted === null ? "…" : quoted.deleted_at === null ? gistOf(quoted, texts) : texts.deleted}
    </button>
  );
}

/** A message on its way, or one that the server refused. */
export function OutgoingMessage({ outgoing }: { outgoing: Outgoing }): ReactElement {
  const client = useTroupe();
  const { texts } = useShared();
  const { problem, clientId } = outgoing;
  return (
    <article className="troupe-message" data-own data-first data-last data-outgoing>
      <div className="troupe-bubble troupe-stack">
        {(outgoing.more?.attachments?.length ?? 0) > 0 && (
          <span className="troupe-file">
            <Icon name="file" />
            {texts.files(outgoing.more!.attachments!.length)}
          </span>
        )}
        {outgoing.body !== "" && (
          <p className="troupe-body" dir="auto">
            <Text text={outgoing.body} />
          </p>
        )}
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
