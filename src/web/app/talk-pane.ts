/**
 * The open conversation: who it is with and how they are, its messages, the composer.
 */
import { createAvatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { type Composer, createComposer } from "./composer.ts";
import { askToConfirm } from "./dialog.ts";
import { el, iconButton, setAttr, setText } from "./dom.ts";
import { openGroup } from "./group-dialog.ts";
import { createMessageList } from "./message-list.ts";
import { createMessageMenu, type MenuItem } from "./message-menu.ts";
import { nameOf, openTalkOf, peerIdOf, presenceOf, titleOf } from "./selection.ts";
import type { State, Talk } from "./state.ts";
import type { MessageRow } from "./timeline.ts";
import { presenceText, typingText } from "./wording.ts";

export interface TalkPane {
  node: HTMLElement;
  update(state: State): void;
  closeMenu(): void;
  stop(): void;
}

export interface TalkPaneHooks {
  /** Shown at the end of the header. */
  chip: HTMLElement;
  onBack(): void;
  openPerson(userId: string): void;
  announce(text: string): void;
  onProblem(text: string): void;
}

function subtitleOf(state: State, talk: Talk): string {
  const peerId = peerIdOf(state, talk);
  const names = talk.typing.map((userId) => nameOf(state, userId));
  if (names.length > 0) return peerId === null ? typingText(names) : "typing…";
  if (peerId !== null) return presenceText(state.statuses.get(peerId), Date.now());
  const { members, members_partial } = talk.conversation;
  const here = members.filter((m) => presenceOf(state, m.user_id) !== "offline").length;
  // In a large group only some members are known and watched, so they are not counted.
  const isCounted = here > 1 && !members_partial;
  return `${talk.memberCount} members${isCounted ? `, ${here} here` : ""}`;
}

export function createTalkPane(chat: Chat, hooks: TalkPaneHooks): TalkPane {
  const menu = createMessageMenu();
  const title = el("h2");
  const subtitle = el("p", { class: "subtitle" });
  const personAvatar = createAvatar(false);
  const groupAvatar = createAvatar(true);
  const back = iconButton("back", "Back to conversations", hooks.onBack);
  back.classList.add("back");
  const heading = el("div", { class: "talk-heading" }, title, subtitle);
  const person = iconButton("person", "About this person", () => {
    const state = chat.store.get();
    const talk = openTalkOf(state);
    const peerId = talk && peerIdOf(state, talk);
    if (peerId) hooks.openPerson(peerId);
  });
  const group = iconButton("group", "Group details", () => {
    const { openId } = chat.store.get();
    if (openId !== null) openGroup(chat, openId);
  });
  const header = el("header", { class: "talk-header" });
  header.append(back, personAvatar.node, groupAvatar.node, heading, hooks.chip, person, group);

  const messageItems = (row: MessageRow, talkId: string, seq: number): MenuItem[] => {
    const name = row.isOwn ? "yourself" : nameOf(chat.store.get(), row.senderId);
    const items: MenuItem[] = [
      {
        label: "Reply",
        choose: () => composer.setPurpose({ kind: "reply", seq, label: `Replying to ${name}` }),
      },
      {
        label: "Copy text",
        choose: () =>
          void navigator.clipboard
            ?.writeText(row.body)
            .catch(() => hooks.onProblem("The browser does not allow copying here.")),
      },
    ];
    if (!row.isOwn) return items;
    items.push(
      { label: "Edit", choose: () => composer.setPurpose({ kind: "edit", seq, body: row.body }) },
      {
        label: "Delete",
        isDangerous: true,
        choose: () =>
          askToConfirm("Delete this message for everyone?", "Delete", async () => {
            const answer = await chat.remove(talkId, seq);
            if (!answer.ok) hooks.onProblem(`Not deleted. ${answer.error.message}`);
          }),
      },
    );
    return items;
  };

  const list = createMessageList(
    chat,
    {
      chat,
      openMenu(row, button) {
        const talkId = chat.store.get().openId;
        if (talkId !== null && row.seq !== null)
          menu.open(messageItems(row, talkId, row.seq), button);
      },
    },
    hooks.announce,
  );
  const composer: Composer = createComposer(chat, list.scrollToEnd, hooks.onProblem);

  const nothing = el("div", { class: "empty talk-none" });
  nothing.append(
    el("p", { class: "empty-title", text: "Pick a conversation" }),
    el("p", { text: "Or start a new one: someone may be waiting for your line." }),
  );
  const talkNode = el("div", { class: "talk" }, header, list.node, composer.node);
  const node = el("section", { class: "pane", attrs: { "aria-label": "Conversation" } });
  node.append(talkNode, nothing, menu.node);
  let shownId: string | null = null;

  return {
    node,
    update(state) {
      const talk = openTalkOf(state);
      talkNode.hidden = !talk;
      nothing.hidden = talk !== undefined || state.openId !== null;
      const talkId = talk ? talk.conversation.id : null;
      composer.setTalk(talkId);
      list.update(state);
      if (talk) {
        const peerId = peerIdOf(state, talk);
        personAvatar.node.hidden = peerId === null;
        groupAvatar.node.hidden = peerId !== null;
        group.hidden = peerId !== null;
        person.hidden = peerId === null;
        const avatar = peerId === null ? groupAvatar : personAvatar;
        const presence = peerId === null ? null : presenceOf(state, peerId);
        avatar.update(peerId ?? talk.conversation.id, titleOf(state, talk), presence);
        setText(title, titleOf(state, talk));
        setText(subtitle, subtitleOf(state, talk));
        setAttr(subtitle, "data-typing", talk.typing.length > 0);
        chat.people.need(talk.typing);
      }
      if (talkId !== shownId) {
        shownId = talkId;
        menu.close();
        // On a phone the keyboard would cover half of what was just opened.
        if (talkId !== null && matchMedia("(pointer: fine)").matches) composer.focus();
      }
    },
    closeMenu: menu.close,
    stop: list.stop,
  };
}
