/** What the replaceable parts of the kit are given: a part of an application takes the same. */
import type { ComponentType, ReactNode } from "react";
import type { Role } from "../../protocol/permissions.ts";
import type { Member, Message, PresenceStatus, User } from "../../protocol/schemas.ts";
import type { Notification } from "../../protocol/social.ts";
import type { ConversationView } from "../views.ts";
import type { May } from "./may.ts";

export interface AvatarProps {
  /** The person or the conversation; gives the tint. */
  id: string;
  name: string;
  /** Left out: no dot, as for groups. */
  presence?: PresenceStatus | null;
  size?: "small" | "medium";
}

export interface MessageProps {
  message: Message;
  isOwn: boolean;
  /** The first, and the last, of those that one person wrote one after the other. */
  isFirst: boolean;
  isLast: boolean;
  /** In a group the writer's name stands above a run. */
  isGroup: boolean;
  /** How far it has come; null where that is not shown. */
  progress: "sent" | "delivered" | "read" | null;
  /** The message that it replies to, where it is here. */
  quoted: Message | null;
  /** This user's own reactions to it. */
  own: readonly string[];
  may: May;
  /** Left out where there is nowhere to reply, to edit, or to show a thread. */
  onReply?: ((message: Message) => void) | undefined;
  onEdit?: ((message: Message) => void) | undefined;
  onThread?: ((message: Message) => void) | undefined;
  onJump(seq: number): void;
}

export interface ReactionsProps {
  message: Message;
  own: readonly string[];
  mayReact: boolean;
}

export interface AttachmentsProps {
  message: Message;
}

export interface MemberProps {
  member: Member;
  role: Role;
  /** Left out where this user may not remove them. */
  onRemove?: () => void;
}

export interface ComposerProps {
  conversationId: string;
  title: string;
  /** What is written is a reply to this one. */
  replyTo: Message | null;
  /** What is written takes the place of this one's text. */
  editing: Message | null;
  onCancel(): void;
  /** Up in an empty field: the last own message is wanted. */
  onEditLast(): void;
  /** Files that were dropped on the conversation; each drop is a new array. */
  dropped?: readonly File[];
  /** Takes the focus when it is shown. */
  isFirstFocused?: boolean;
}

export interface HeaderProps {
  view: ConversationView;
  onBack: (() => void) | undefined;
  /** Show what is pinned, and who the members are. */
  onPins: () => void;
  onMembers: () => void;
  actions: ReactNode;
}

export interface RowProps {
  view: ConversationView;
  isSelected: boolean;
  onSelect(conversationId: string): void;
}

export interface ThreadProps {
  /** The conversation of the message. */
  conversationId: string;
  /** The message that it is about. */
  seq: number;
  onClose?: () => void;
}

export interface ReceiptsProps {
  progress: "sent" | "delivered" | "read";
}

export interface NotificationsProps {
  /** What one of them leads to. */
  onOpen?(notification: Notification): void;
  /** Shows a way to close it. */
  onClose?(): void;
  /** Default false: only "mark all" and what is opened elsewhere count as read. */
  isReadWhenSeen?: boolean;
}

export interface SearchProps {
  onConversation(conversationId: string): void;
  /** Somebody was chosen, with whom there may be no conversation yet. */
  onPerson(user: User): void;
  onMessage(conversationId: string, seq: number): void;
  onClose(): void;
}

export interface PresenceProps {
  userId: string;
}

/** Parts that can be replaced, each by a component of the same props. */
export interface Parts {
  Avatar: ComponentType<AvatarProps>;
  Message: ComponentType<MessageProps>;
  Composer: ComponentType<ComposerProps>;
  Header: ComponentType<HeaderProps>;
  Row: ComponentType<RowProps>;
  Reactions: ComponentType<ReactionsProps>;
  Attachments: ComponentType<AttachmentsProps>;
  Member: ComponentType<MemberProps>;
  Thread: ComponentType<ThreadProps>;
  Receipts: ComponentType<ReceiptsProps>;
  Notifications: ComponentType<NotificationsProps>;
  Search: ComponentType<SearchProps>;
  ConnectionBanner: ComponentType;
  Presence: ComponentType<PresenceProps>;
}
