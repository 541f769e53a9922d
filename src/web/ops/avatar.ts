/** The round picture of a person or group: initials on one of eight tints, and presence. */

import { initialsOf } from "../../client/ui/words.ts";
import type { PresenceStatus } from "../../protocol/schemas.ts";
import { el, setAttr, setText } from "./dom.ts";
import { icon } from "./icons.ts";

const TINTS = 8;

export interface Avatar {
  node: HTMLElement;
  /** `presence` null: no dot, as for groups. */
  update(id: string, name: string, presence: PresenceStatus | null): void;
}

export function createAvatar(isGroup: boolean): Avatar {
  const initials = el("span", { class: "avatar-initials" });
  const dot = el("span", { class: "presence-dot" });
  const node = el("span", { class: "avatar", attrs: { "aria-hidden": "true" } });
  node.append(isGroup ? icon("group") : initials, dot);
  return {
    node,
    update(id, name, presence) {
      // Ids are decimal and may pass what a number holds: their last digits are enough.
      setAttr(node, "data-tint", String(Number(id.slice(-6)) % TINTS));
      if (!isGroup) setText(initials, initialsOf(name));
      setAttr(dot, "data-presence", presence);
      dot.hidden = presence === null;
    },
  };
}
