/**
 * Every word that the kit shows, in one object for translation: pass what differs to
 * `<TroupeUI texts={…}>`.
 */
export const TEXTS = {
  conversations: "Conversations",
  messages: "Messages",
  message: "Message",
  writeTo: (title: string) => `Write to ${title}`,
  send: "Send",
  back: "Back to conversations",
  reply: "Reply",
  edit: "Edit",
  remove: "Delete",
  copy: "Copy",
  retry: "Try again",
  discard: "Discard",
  cancel: "Cancel",
  editing: "Editing your message",
  replyingTo: (name: string) => `Replying to ${name}`,
  deleted: "This message was deleted",
  edited: "edited",
  you: "You",
  someone: "Someone",
  online: "online",
  away: "away",
  offline: "offline",
  lastSeen: (when: string) => `last seen ${when}`,
  members: (count: number) => (count === 1 ? "1 member" : `${count} members`),
  typing: (names: readonly string[]) =>
    names.length === 1
      ? `${names[0]} is typing…`
      : names.length === 2
        ? `${names[0]} and ${names[1]} are typing…`
        : `${names.length} people are typing…`,
  memberAdded: (actor: string, names: string) => `${actor} added ${names}`,
  memberRemoved: (actor: string, names: string) => `${actor} removed ${names}`,
  memberJoined: (name: string) => `${name} joined`,
  memberLeft: (name: string) => `${name} left`,
  titleChanged: (actor: string, title: string) => `${actor} changed the title to “${title}”`,
  unread: (count: number) => (count === 1 ? "1 unread message" : `${count} unread messages`),
  newMessages: "New messages",
  toNewest: "To the newest messages",
  loading: "Loading…",
  noConversations: "No conversations yet",
  noMessages: "No messages yet. Say hello.",
  chooseConversation: "Choose a conversation",
  noConversation: "This conversation is not here, or you are not in it.",
  sending: "sending",
  sent: "sent",
  delivered: "delivered",
  read: "read",
  notSent: "Not sent",
  reconnecting: "No connection. What you write is sent when it is back.",
  closed: "Disconnected.",
  reconnect: "Reconnect",
  notifications: "Notifications",
  noNotifications: "Nothing yet",
  markAllRead: "Mark all as read",
  older: "Show older",
  today: "Today",
  yesterday: "Yesterday",
} as const satisfies Record<string, string | ((...given: never[]) => string)>;

export type Texts = {
  [K in keyof typeof TEXTS]: (typeof TEXTS)[K] extends string ? string : (typeof TEXTS)[K];
};
