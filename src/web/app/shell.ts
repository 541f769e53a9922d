/**
 * The signed-in page: side bar with the conversations, the open one beside it (or over it on
 * a phone), the connection's signs, and the address `#/c/{id}` in step with what is open.
 */
import type { Account } from "./account.ts";
import { createAvatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { createConnectionSigns } from "./connection-chip.ts";
import { el, iconButton, setAttr, setText } from "./dom.ts";
import { openNewTalk } from "./new-talk-dialog.ts";
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

function openIdOfAddress(): string | null {
  return /^#\/c\/([1-9]\d{0,18})$/.exec(location.hash)?.[1] ?? null;
}

export function createShell(chat: Chat, account: Account): Shell {
  const signs = createConnectionSigns(chat.retryConnection);
  const live = el("div", { class: "visually-hidden", attrs: { "aria-live": "polite" } });
  const showTalk = (conversationId: string): void => {
    location.hash = `#/c/${conversationId}`;
  };
  const compose = (): void => openNewTalk(chat, showTalk);
  const list = createTalkList(chat, compose);
  const pane = createTalkPane(chat, {
    chip: signs.smallChip,
    onBack: () => {
      location.hash = "#/";
    },
    announce: (text) => setText(live, text),
    onProblem: (text) => signs.notice(text, "bad"),
  });

  const avatar = createAvatar(false);
  const name = el("span", { class: "me-name" });
  const me = el("div", { class: "me" }, avatar.node, name, signs.chip);
  const tools = el("div", { class: "tools" });
  tools.append(
    iconButton("compose", "New conversation", compose),
    iconButton("sign-out", "Sign out", () => void account.signOut()),
  );
  const side = el("nav", { class: "side", attrs: { "aria-label": "Conversations" } });
  const brand = el("h1", { class: "brand", text: "Troupe" });
  side.append(el("header", { class: "side-header" }, brand, tools), list.node, me);
  const node = el("div", { class: "shell" }, side, pane.node, signs.banner, live);

  let shownId: string | null = null;
  const render = (state: State): void => {
    const { display_name, username, id } = state.me;
    avatar.update(id, display_name || username, null);
    setText(name, display_name || username);
    signs.update(state);
    list.update(state);
    pane.update(state);
    setAttr(node, "data-open", state.openId !== null);
    const unread = unreadTotal(state);
    const title = unread > 0 ? `(${unread}) Troupe` : "Troupe";
    if (document.title !== title) document.title = title;
    // The open talk is gone: this user was removed, or the address was never right.
    if (shownId !== null && state.openId === null && openIdOfAddress() === shownId) {
      location.hash = "#/";
    }
    shownId = state.openId;
  };

  const followAddress = (): void => chat.open(openIdOfAddress());
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    location.hash = "#/";
  };

  const unsubscribe = chat.store.subscribe(render);
  const refreshTimer = setInterval(() => render(chat.store.get()), REFRESH_MS);
  addEventListener("hashchange", followAddress);
  addEventListener("keydown", onKey);
  followAddress();
  render(chat.store.get());

  return {
    node,
    showCaughtUp: (fresh) => signs.notice(caughtUpText(fresh)),
    stop() {
      unsubscribe();
      clearInterval(refreshTimer);
      removeEventListener("hashchange", followAddress);
      removeEventListener("keydown", onKey);
      signs.stop();
      pane.stop();
      document.title = "Troupe";
    },
  };
}
