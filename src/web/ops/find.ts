/**
 * Looking somebody or something up: a user by id or name, a message by id or place. What was
 * found is shown as a card, and marked in the picture.
 */
import type { Result } from "../../protocol/errors.ts";
import type { OpsEnded, OpsMessage, OpsUser } from "../../protocol/ops.ts";
import { el, setAttr, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { createMessageCard } from "./message-card.ts";
import { type Marks, NO_MARKS } from "./picture.ts";
import { createUserCard } from "./user-card.ts";
import { plural } from "./wording.ts";

export type Call = <T>(method: "GET" | "DELETE", path: string) => Promise<Result<T>>;

type Kind = "user" | "message";

const HINTS: Readonly<Record<Kind, string>> = {
  user: "Username or user id",
  message: "Message id, or conversation/seq such as 42/7",
};
const ID = /^[1-9][0-9]{0,18}$/;
const PLACE = /^([1-9][0-9]{0,18})\s*[/:# ]\s*([1-9][0-9]{0,15})$/;

export function createFind(call: Call, onMarks: (marks: Marks) => void): HTMLElement {
  let kind: Kind = "user";
  let asked = 0;
  const input = el("input", {
    attrs: {
      id: "find",
      type: "search",
      autocomplete: "off",
      spellcheck: "false",
      maxlength: "64",
    },
  });
  const label = el("label", { class: "visually-hidden", attrs: { for: "find" } });
  const submit = el(
    "button",
    { class: "button-primary", attrs: { type: "submit" } },
    icon("search"),
    "Find",
  );
  const said = el("p", { class: "said", attrs: { role: "status" } });
  const result = el("div", { class: "found" });
  const kinds = el("div", {
    class: "kinds-choice",
    attrs: { role: "group", "aria-label": "Look for" },
  });
  const buttons = (["user", "message"] as const).map((name) => {
    const button = el("button", {
      text: name === "user" ? "User" : "Message",
      attrs: { type: "button" },
      on: { click: () => choose(name) },
    });
    kinds.append(button);
    return { name, button };
  });
  const form = el("form", { attrs: { role: "search" } }, kinds, label, input, submit);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void look(input.value.trim());
  });
  const node = el("section", { class: "panel", attrs: { "aria-labelledby": "find-title" } });
  node.append(el("h2", { text: "Find", attrs: { id: "find-title" } }), form, said, result);
  choose("user");
  return node;

  function choose(name: Kind): void {
    kind = name;
    for (const { name: one, button } of buttons) {
      setAttr(button, "aria-pressed", one === kind ? "true" : "false");
    }
    setText(label, HINTS[kind]);
    setAttr(input, "placeholder", HINTS[kind]);
    clear();
  }

  function clear(): void {
    asked++;
    setText(said, "");
    result.replaceChildren();
    onMarks(NO_MARKS);
  }

  async function look(text: string): Promise<void> {
    clear();
    if (text === "") return;
    const mine = asked;
    setText(said, "Looking…");
    const card = await (kind === "user" ? userCard(text) : messageCard(text));
    if (mine !== asked) return;
    setText(said, typeof card === "string" ? card : "");
    if (typeof card !== "string") result.replaceChildren(card);
  }

  /** The card, or a text to show instead. */
  async function userCard(text: string): Promise<HTMLElement | string> {
    const name = text.replace(/^@/, "");
    const byName = `/api/ops/users?username=${encodeURIComponent(name)}`;
    let found = ID.test(text)
      ? await call<OpsUser>("GET", `/api/ops/users/${text}`)
      : await call<OpsUser>("GET", byName);
    // A name may consist of digits.
    if (!found.ok && found.error.code === "not_found" && ID.test(text)) {
      found = await call<OpsUser>("GET", byName);
    }
    if (!found.ok) return refusalText(found.error.code, found.error.message, "user", text);
    const { user, sessions, actor } = found.value;
    onMarks({
      actorSlot: actor.is_active ? actor.worker : null,
      sessionIncarnations: new Set(sessions.map(({ worker }) => worker)),
    });
    return createUserCard(found.value, {
      again: () => void look(text),
      async end() {
        const ended = await call<OpsEnded>("DELETE", `/api/ops/users/${user.id}/sessions`);
        await look(text);
        setText(said, ended.ok ? endedText(ended.value) : ended.error.message);
      },
    });
  }

  async function messageCard(text: string): Promise<HTMLElement | string> {
    const [, conversation, seq] = PLACE.exec(text) ?? [];
    if (conversation === undefined && !ID.test(text)) {
      return "A message id is a number; a place is conversation/seq, such as 42/7.";
    }
    const query =
      conversation === undefined ? `id=${text}` : `conversation_id=${conversation}&seq=${seq}`;
    const found = await call<OpsMessage>("GET", `/api/ops/messages?${query}`);
    if (!found.ok) return refusalText(found.error.code, found.error.message, "message", text);
    onMarks({ actorSlot: found.value.actor.worker, sessionIncarnations: new Set() });
    return createMessageCard(found.value);
  }
}

function refusalText(code: string, message: string, kind: Kind, text: string): string {
  if (code === "invalid_payload") return `“${text}” cannot be a ${kind}'s name or number.`;
  if (code !== "not_found") return message;
  return kind === "user"
    ? `There is no user “${text}”.`
    : `“${text}” is not committed. What was never committed was never acknowledged, and its sender tries again.`;
}

function endedText({ ended, silent }: OpsEnded): string {
  const text = `Ended ${plural(ended, "session")}.`;
  return silent.length === 0 ? text : `${text} No answer from ${silent.join(", ")}.`;
}
