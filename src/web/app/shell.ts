/**
 * The signed-in page: the rail, the conversations, and beside them (or over them on a phone)
 * the open talk, the feed or a post, with the connection's signs; what is open is in step with
 * the address.
 */

import { isolated } from "../../protocol/isolated.ts";
import type { Account } from "./account.ts";
import { createAvatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { createConnectionSigns } from "./connection-chip.ts";
import { el, iconButton, setAttr, setText } from "./dom.ts";
import { createFeedPane } from "./feed-pane.ts";
import { openFindPerson } from "./find-person-dialog.ts";
import { createMessageMenu } from "./message-menu.ts";
import { openNewTalk } from "./new-talk-dialog.ts";
import { createNoticePanel } from "./notice-panel.ts";
import { openPerson } from "./person-card.ts";
import { createPostPane } from "./post-pane.ts";
import { createRail } from "./rail.ts";
import { FEED_ADDRESS, routeOf, talkAddress } from "./route.ts";
import { unreadTotal } from "./selection.ts";
import type { State } from "./state.ts";
import { createTalkList } from "./talk-list.ts";
import { createTalkPane } from "./talk-pane.ts";
import { caughtUpText } from "./wording.ts";

/** "last seen 5 min ago" and "Today" grow old without any event. */
const REFRESH_MS = 30_000;

export interface Shell {
  node: HTMLElement;
  showCaughtUp(fresh: number): void;
  stop(): void;
}

export function createShell(chat: Chat, account: Account): Shell {
  const { social } = chat;
  const signs = createConnectionSigns(chat.retryConnection);
  const live = el("div", { class: "visually-hidden", attrs: { "aria-live": "polite" } });
  const goTo = (address: string): void => {
    location.hash = address;
  };
  const compose = (): void => openNewTalk(chat, (id) => goTo(talkAddress(id)));
  const showPerson = (userId: string): void => openPerson(chat, userId);
  const onProblem = (text: string): void => signs.notice(text, "bad");
  const list = createTalkList(chat, compose);
  const pane = createTalkPane(chat, {
    chip: signs.smallChip(),
    onBack: () => goTo(talkAddress(null)),
    openPerson: showPerson,
    announce: (text) => setText(live, text),
    onProblem,
  });
  const menu = createMessageMenu();
  const postActions = {
    social,
    state: chat.store.get,
    menu,
    openPerson: showPerson,
    onProblem,
  };
  const feedPane = createFeedPane(chat, {
    ...postActions,
    chip: signs.smallChip(),
    findPeople: () => openFindPerson(chat, (user) => showPerson(user.id)),
  });
  const postPane = createPostPane(chat, {
    ...postActions,
    chip: signs.smallChip(),
    onBack: () => goTo(FEED_ADDRESS),
  });
  const rail = createRail(() => {
    if (notices.isOpen()) notices.close(true);
    else notices.open();
  });
  const notices = createNoticePanel(chat, rail.bell, showPerson);

  const avatar = createAvatar(false);
  const name = el("span", { class: "me-name" });
  const me = el("div", { class: "me" }, avatar.node, name, signs.chip);
  const tools = el("div", { class: "tools" });
  tools.append(
    iconButton("compose", "New conversation", compose),
    iconButton("sign-out", "Sign out", () => void account.signOut()),
  );
  const side = el("nav", { class: "side", attrs: { "aria-label": "Conversations" } });
  const brand = el("p", { class: "brand", text: "Troupe", attrs: { "aria-hidden": "true" } });
  // One for all views: on a phone the side with the name is not always there.
  const heading = el("h1", { class: "visually-hidden", text: "Troupe" });
  side.append(el("header", { class: "side-header" }, brand, tools), list.node, me);
  const main = el("main", { class: "content" }, heading, notices.node, side, pane.node);
  main.append(feedPane.node, postPane.node);
  const node = el("div", { class: "shell" }, rail.node, main);
  node.append(menu.node, signs.banner, live);

  let shownId: string | null = null;
  let route = routeOf(location.hash);

  const showUnread = (): void => {
    const talks = unreadTotal(chat.store.get());
    const { unread } = social.inbox.store.get();
    rail.update(route.view, talks, unread);
    const title = talks + unread > 0 ? `(${talks + unread}) Troupe` : "Troupe";
    if (document.title !== title) document.title = title;
  };

  const render = (state: State): void => {
    const { display_name, username, id } = state.me;
    avatar.update(id, isolated(display_name || username), null);
    setText(name, isolated(display_name || username));
    signs.update(state);
    list.update(state);
    pane.update(state);
    feedPane.refresh();
    postPane.refresh();
    notices.refresh();
    setAttr(node, "data-open", state.openId !== null || route.view !== "talks");
    showUnread();
    // The open talk is gone: this user was removed, or the address was never right.
    const addressId = route.view === "talks" ? route.talkId : null;
    if (shownId !== null && state.openId === null && addressId === shownId) {
      goTo(talkAddress(null));
    }
    shownId = state.openId;
  };

  const followAddress = (): void => {
    route = routeOf(location.hash);
    menu.close();
    notices.close(false);
    setAttr(node, "data-view", route.view);
    // What is written to, or read alone, has the whole of a phone.
    setAttr(
      node,
      "data-alone",
      route.view === "post" || (route.view === "talks" && !!route.talkId),
    );
    pane.node.hidden = route.view !== "talks";
    feedPane.setShown(route.view === "feed");
    postPane.setPost(route.view === "post" ? route.postId : null);
    social.feed.setShown(route.view !== "talks");
    chat.open(route.view === "talks" ? route.talkId : null);
    render(chat.store.get());
  };

  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    if (notices.isOpen()) notices.close(true);
    else if (route.view === "post") goTo(FEED_ADDRESS);
    else if (route.view === "talks") goTo(talkAddress(null));
  };

  const unsubscribes = [chat.store.subscribe(render), social.inbox.store.subscribe(showUnread)];
  const refreshTimer = setInterval(() => render(chat.store.get()), REFRESH_MS);
  addEventListener("hashchange", followAddress);
  addEventListener("keydown", onKey);
  followAddress();

  return {
    node,
    showCaughtUp: (fresh) => signs.notice(caughtUpText(fresh)),
    stop() {
      for (const unsubscribe of unsubscribes) unsubscribe();
      clearInterval(refreshTimer);
      removeEventListener("hashchange", followAddress);
      removeEventListener("keydown", onKey);
      signs.stop();
      pane.stop();
      feedPane.stop();
      postPane.stop();
      notices.stop();
      document.title = "Troupe";
    },
  };
}
