/** What this user may do in a conversation, so that the kit offers nothing that is refused. */
import { useMemo } from "react";
import {
  isAtLeast,
  type Ruled,
  roleMayDo,
  roleMayDoTo,
  roleOf,
} from "../../protocol/permissions.ts";
import type { Conversation } from "../../protocol/schemas.ts";
import { useMe, useReadable, useTroupe } from "../react.ts";
import type { Readable } from "../store.ts";
import type { ConversationView } from "../views.ts";

export interface May {
  send: boolean;
  react: boolean;
  attach: boolean;
  pin: boolean;
  /** Threads have no threads. */
  thread: boolean;
  mentionAll: boolean;
  /** To stop a streamed message that answers nobody here. */
  stopAny: boolean;
  addMembers: boolean;
  /** All of them, a page at a time. */
  listMembers: boolean;
  /** To change the title. */
  editInfo: boolean;
  /** Whether a message of this sender may be deleted: their role is below one's own. */
  deleteOf(senderId: string): boolean;
  removeMember(userId: string): boolean;
}

const UNKNOWN: Readable<null> = { get: () => null, subscribe: () => () => undefined };

/** A thread has the rights of its parent; the same object until they change. */
export function useMay(view: ConversationView): May {
  const client = useTroupe();
  const meId = useMe()?.id ?? "";
  const parentId = view.conversation.parent?.conversation_id ?? null;
  const parent = useReadable<ConversationView | null>(
    useMemo(
      () => (parentId === null ? UNKNOWN : client.conversation(parentId)),
      [client, parentId],
    ),
  );
  const isThread = view.conversation.kind === "thread";
  const ruling: Conversation | null = isThread ? (parent?.conversation ?? null) : view.conversation;
  return useMemo(() => rightsOf(ruling, meId, isThread), [ruling, meId, isThread]);
}

/** Where the parent is not known here, the server decides. */
const ANYTHING: May = {
  send: true,
  react: true,
  attach: true,
  pin: true,
  thread: false,
  mentionAll: false,
  stopAny: false,
  addMembers: false,
  listMembers: false,
  editInfo: false,
  deleteOf: () => false,
  removeMember: () => false,
};

export function rightsOf(
  conversation: (Ruled & Pick<Conversation, "members">) | null,
  meId: string,
  isThread: boolean,
): May {
  if (conversation === null) return ANYTHING;
  const role = roleOf(conversation, meId);
  const isDirect = conversation.kind === "direct";
  return {
    send: roleMayDo(conversation, role, "send"),
    react: roleMayDo(conversation, role, "react"),
    attach: roleMayDo(conversation, role, "attach"),
    pin: roleMayDo(conversation, role, "pin"),
    thread: !isThread && roleMayDo(conversation, role, "thread"),
    mentionAll: roleMayDo(conversation, role, "mention_all"),
    stopAny: isDirect || isAtLeast(role, "moderator"),
    listMembers: roleMayDo(conversation, role, "list_members"),
    addMembers: !isDirect && roleMayDo(conversation, role, "add_members"),
    editInfo: !isDirect && roleMayDo(conversation, role, "edit_info"),
    deleteOf: (senderId) =>
      roleMayDoTo(conversation, role, "delete_any", roleOf(conversation, senderId)),
    removeMember: (userId) =>
      !isDirect && roleMayDoTo(conversation, role, "remove_members", roleOf(conversation, userId)),
  };
}
