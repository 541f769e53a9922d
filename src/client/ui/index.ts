"use client";

/**
 * `troupe-client/ui`: React components on the client's state, each of which can be replaced.
 *
 *   const client = connect({ url, getToken });
 *   createRoot(document.body).render(<Chat client={client} />);
 *
 * Parts stand inside `<TroupeUI>`, which carries client, theme, texts and locale.
 */
export { Avatar, type AvatarProps, PersonAvatar, Presence } from "./avatar.tsx";
export { ConnectionBanner } from "./banner.tsx";
export { Chat, type ChatProps } from "./chat.tsx";
export { Composer, type ComposerProps } from "./composer.tsx";
export { Conversation, type ConversationProps, Header, type HeaderProps } from "./conversation.tsx";
export {
  ConversationList,
  type ConversationListProps,
  type RowProps,
} from "./conversation-list.tsx";
export { type Look, type Parts, TroupeUI, type TroupeUIProps } from "./frame.tsx";
export { Message, type MessageProps } from "./message.tsx";
export { MessageList, type MessageListProps } from "./message-list.tsx";
export { Notifications, type NotificationsProps } from "./notifications.tsx";
export { Receipts, type ReceiptsProps } from "./receipts.tsx";
export { TEXTS, type Texts } from "./texts.ts";
