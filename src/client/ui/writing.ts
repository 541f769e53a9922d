/** What is being written in a conversation: a reply, a change of an own message, or a new one. */
import { useCallback, useRef, useState } from "react";
import type { Message } from "../../protocol/schemas.ts";
import { useMe } from "../react.ts";
import type { ConversationView } from "../views.ts";

export interface Writing {
  replyTo: Message | null;
  editing: Message | null;
  onReply(message: Message): void;
  onEdit(message: Message): void;
  onCancel(): void;
  /** Begins to edit the last own message. */
  onEditLast(): void;
}

export function useWriting(view: ConversationView | null): Writing {
  const meId = useMe()?.id ?? "";
  const [replyTo, setReplyTo] = useState<Message | null>(null);
  const [editing, setEditing] = useState<Message | null>(null);
  const messages = useRef(view?.messages);
  messages.current = view?.messages;

  const onCancel = useCallback((): void => {
    setReplyTo(null);
    setEditing(null);
  }, []);
  const onReply = useCallback((message: Message): void => {
    setEditing(null);
    setReplyTo(message);
  }, []);
  const onEdit = useCallback((message: Message): void => {
    setReplyTo(null);
    setEditing(message);
  }, []);
  const onEditLast = (): void => {
    const own = (messages.current ?? []).filter(
      ({ sender_id, client_id, deleted_at }) =>
        sender_id === meId && client_id !== null && deleted_at === null,
    );
    const last = own.at(-1);
    if (last !== undefined) onEdit(last);
  };
  return { replyTo, editing, onReply, onEdit, onCancel, onEditLast };
}
