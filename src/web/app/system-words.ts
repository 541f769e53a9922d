/** What a system message says, as a sentence; a service's says it itself. */
import type { Message } from "../../protocol/schemas.ts";
import { nameOf } from "./selection.ts";
import type { State } from "./state.ts";

export const isSystem = ({ type, sender_id }: Message): boolean =>
  type === "system" || sender_id === null;

export function systemWords(state: State, message: Message): string {
  if (message.deleted_at !== null) return "Message deleted";
  const { event, user_ids, title } = (message.data ?? {}) as {
    event?: string;
    user_ids?: string[];
    title?: string;
  };
  const actor = nameOf(state, message.sender_id ?? "");
  const names = (user_ids ?? []).map((id) => nameOf(state, id)).join(", ");
  switch (event) {
    case "troupe.member_added":
      return `${actor} added ${names}`;
    case "troupe.member_removed":
      return `${actor} removed ${names}`;
    case "troupe.member_joined":
      return `${actor} joined`;
    case "troupe.member_left":
      return `${actor} left`;
    case "troupe.title_changed":
      return `${actor} changed the title to ${title ?? ""}`;
    default:
      return message.body;
  }
}
