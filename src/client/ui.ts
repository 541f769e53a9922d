"use client";

/**
 * `troupe-client/ui`: React components on the client's state, each of which can be replaced.
 *
 *   const client = connect({ url, getToken });
 *   createRoot(document.body).render(<Chat client={client} />);
 *
 * Parts stand inside `<TroupeUI>`, which carries client, theme, texts and locale.
 */
export { Attachments } from "./ui/attachments.tsx";
export { Avatar, PersonAvatar, Presence } from "./ui/avatar.tsx";
export { ConnectionBanner } from "./ui/banner.tsx";
export { Chat, type ChatProps } from "./ui/chat.tsx";
export { Composer } from "./ui/composer.tsx";
export {
  Conversation,
  type ConversationProps,
  Header,
} from "./ui/conversation.tsx";
export {
  ConversationList,
  type ConversationListProps,
} from "./ui/conversation-list.tsx";
export { type Look, TroupeUI, type TroupeUIProps } from "./ui/frame.tsx";
export type { May } from "./ui/may.ts";
export { Members, type MembersProps } from "./ui/members.tsx";
export { Message } from "./ui/message.tsx";
export { MessageList, type MessageListProps, type Target } from "./ui/message-list.tsx";
export { Notifications } from "./ui/notifications.tsx";
export type {
  AttachmentsProps,
  AvatarProps,
  ComposerProps,
  HeaderProps,
  MemberProps,
  MessageProps,
  NotificationsProps,
  Parts,
  PresenceProps,
  ReactionsProps,
  ReceiptsProps,
  RowProps,
  SearchProps,
  ThreadProps,
} from "./ui/parts.ts";
export { Pins, type PinsProps } from "./ui/pins.tsx";
export { ReactionPicker, Reactions } from "./ui/reactions.tsx";
export { Receipts } from "./ui/receipts.tsx";
export { placeOfMessage, Search, useSearchKey } from "./ui/search.tsx";
export { TEXTS, type Texts } from "./ui/texts.ts";
export { Thread } from "./ui/thread.tsx";
