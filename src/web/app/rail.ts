/**
 * The page's main navigation: a rail at the side on a desktop, a bar at the bottom on a phone.
 * Conversations, feed, and the bell, each with what is unread.
 */
import { el, setAttr } from "./dom.ts";
import { type IconName, icon } from "./icons.ts";
import { FEED_ADDRESS, talkAddress } from "./route.ts";
import { countedName } from "./wording.ts";

export interface Rail {
  node: HTMLElement;
  bell: HTMLButtonElement;
  update(view: "talks" | "feed" | "post", unreadTalks: number, unreadNotices: number): void;
}

/**
 * The number on `owner`, whose accessible name says it in words. The stylesheet shows it: as text it
 * would be a visible label that the name does not contain.
 */
function badge(
  owner: HTMLElement,
  name: string,
  what: string,
): { node: HTMLElement; update(count: number): void } {
  const node = el("span", { class: "badge rail-badge" });
  return {
    node,
    update(count) {
      setAttr(node, "data-count", count > 99 ? "99+" : String(count));
      setAttr(owner, "aria-label", countedName(name, count, what));
      node.hidden = count === 0;
    },
  };
}

const face = (name: IconName, label: string): [Node, Node] => [
  icon(name),
  el("span", { class: "rail-label", text: label }),
];

export function createRail(onBell: () => void): Rail {
  const talks = el("a", { class: "rail-item", attrs: { href: talkAddress(null) } });
  const talksBadge = badge(talks, "Talks", "unread message");
  talks.append(...face("talks", "Talks"), talksBadge.node);
  const feed = el("a", { class: "rail-item", attrs: { href: FEED_ADDRESS } });
  feed.append(...face("feed", "Feed"));
  const bell = el("button", {
    class: "rail-item bell",
    attrs: { type: "button", "aria-expanded": "false", "aria-controls": "notices" },
  });
  const bellBadge = badge(bell, "Notifications", "unread notification");
  bell.append(...face("bell", "Notifications"), bellBadge.node);
  bell.addEventListener("click", onBell);
  return {
    node: el("nav", { class: "rail", attrs: { "aria-label": "Main" } }, talks, feed, bell),
    bell,
    update(view, unreadTalks, unreadNotices) {
      setAttr(talks, "aria-current", view === "talks" ? "page" : null);
      setAttr(feed, "aria-current", view === "talks" ? null : "page");
      talksBadge.update(unreadTalks);
      bellBadge.update(unreadNotices);
    },
  };
}
