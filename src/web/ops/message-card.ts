/** Where a message is: the steps it has taken, and who has it. Its text is not an operator's. */
import type { OpsMessage } from "../../protocol/ops.ts";
import { el } from "./dom.ts";
import { icon } from "./icons.ts";
import { momentText, plural } from "./wording.ts";

interface Step {
  name: string;
  text: string;
  is: "done" | "part" | "open";
}

export function createMessageCard(found: OpsMessage): HTMLElement {
  const { message, conversation, actor } = found;
  const title = conversation.title ?? `${conversation.kind} conversation`;
  const head = el(
    "div",
    { class: "card-head" },
    el(
      "div",
      { class: "card-names" },
      el("h3", { text: `Message ${message.seq} of conversation ${conversation.id}` }),
      el("p", {
        text: `${title} · message id ${message.id} · ${plural(message.body_length, "character")}`,
      }),
    ),
  );
  const steps = el("ol", { class: "steps" });
  for (const { name, text, is } of stepsOf(found)) {
    steps.append(
      el(
        "li",
        { attrs: { "data-step": name.toLowerCase(), "data-is": is } },
        icon(is === "open" ? "circle" : "check"),
        el("div", {}, el("b", { text: name }), el("span", { text })),
      ),
    );
  }
  const card = el("article", { class: "card", attrs: { "data-message": message.id } }, head, steps);
  const notes = [
    `Its conversation's actor belongs to ${actor.worker === null ? "no worker" : `worker ${actor.worker}`}.`,
    ...(message.edited_at === null ? [] : [`Edited ${momentText(message.edited_at)}.`]),
    ...(message.deleted_at === null ? [] : [`Deleted ${momentText(message.deleted_at)}.`]),
    `The conversation stands at seq ${conversation.last_seq}, rev ${conversation.rev}.`,
  ];
  card.append(el("p", { class: "hint", text: notes.join(" ") }), memberTable(found));
  return card;
}

function stepsOf(found: OpsMessage): Step[] {
  const { message, member_count, delivered_count, read_count } = found;
  const others = Math.max(
    0,
    found.members.some(({ is_sender }) => is_sender) ? member_count - 1 : member_count,
  );
  const reached = (count: number): Step["is"] =>
    count >= others ? "done" : count > 0 ? "part" : "open";
  return [
    {
      name: "Accepted",
      text: `from user ${message.sender_id}, client_id ${message.client_id}`,
      is: "done",
    },
    {
      name: "Committed",
      text: `${momentText(message.created_at)} as seq ${message.seq}, now rev ${message.rev}`,
      is: "done",
    },
    { name: "Delivered", text: `to ${delivered_count} of ${others}`, is: reached(delivered_count) },
    { name: "Read", text: `by ${read_count} of ${others}`, is: reached(read_count) },
  ];
}

function memberTable({ members, member_count }: OpsMessage): HTMLElement {
  const head = el("tr");
  for (const name of ["Member", "State", "Delivered up to", "Read up to"]) {
    head.append(el("th", { text: name, attrs: { scope: "col" } }));
  }
  const body = el("tbody");
  for (const member of members) {
    body.append(
      el(
        "tr",
        { attrs: { "data-member": member.user_id } },
        el("td", { text: `@${member.username}` }),
        el(
          "td",
          {},
          el("span", {
            class: "chip",
            text: member.is_sender ? "sender" : member.state,
            attrs: { "data-state": member.is_sender ? "sender" : member.state },
          }),
        ),
        el("td", { text: String(member.delivered_seq) }),
        el("td", { text: String(member.read_seq) }),
      ),
    );
  }
  const frame = el("div", {
    class: "table-frame",
    attrs: { tabindex: "0", role: "region", "aria-label": "Members" },
  });
  frame.append(el("table", {}, el("thead", {}, head), body));
  if (member_count > members.length) {
    frame.append(
      el("p", { class: "hint", text: `${member_count} members; those who lag most are shown.` }),
    );
  }
  return frame;
}
