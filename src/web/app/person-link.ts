/** A person's picture and name as buttons that open their card. */
import { createAvatar } from "./avatar.ts";
import { el, setAttr, setText } from "./dom.ts";
import { nameOf } from "./selection.ts";
import type { State } from "./state.ts";

export interface PersonLink {
  picture: HTMLButtonElement;
  name: HTMLButtonElement;
  update(state: State, userId: string): void;
}

export function createPersonLink(onOpen: (userId: string) => void): PersonLink {
  let shownId = "";
  const avatar = createAvatar(false);
  const open = (): void => onOpen(shownId);
  const attrs = { type: "button", "aria-haspopup": "dialog" };
  // The name beside it does the same: one stop for the keyboard and for screen readers.
  const hidden = { ...attrs, tabindex: "-1", "aria-hidden": "true" };
  const picture = el("button", { class: "person-picture", attrs: hidden, on: { click: open } });
  picture.append(avatar.node);
  const name = el("button", { class: "person-name", attrs, on: { click: open } });
  return {
    picture,
    name,
    update(state, userId) {
      shownId = userId;
      const words = nameOf(state, userId);
      // Of people whose presence does not reach this page nothing is known.
      avatar.update(userId, words, state.statuses.get(userId)?.status ?? null);
      setText(name, words);
      setAttr(name, "title", state.users.get(userId)?.username ?? null);
    },
  };
}
