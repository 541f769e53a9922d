/** What an operator sees of one user: who, where the actor is, and every session. */
import type { OpsSession, OpsUser } from "../../protocol/ops.ts";
import { createAvatar } from "./avatar.ts";
import { askToConfirm } from "./dialog.ts";
import { el } from "./dom.ts";
import { bytesText, momentText, plural, spanText } from "./wording.ts";

export interface UserActions {
  again(): void;
  end(): void;
}

export function createUserCard(found: OpsUser, actions: UserActions): HTMLElement {
  const { user, actor, sessions, session_count, silent } = found;
  const avatar = createAvatar(false);
  avatar.update(user.id, user.display_name, found.presence);
  const head = el(
    "div",
    { class: "card-head" },
    avatar.node,
    el(
      "div",
      { class: "card-names" },
      el("h3", { text: user.display_name }),
      el("p", { text: `@${user.username} · user ${user.id}` }),
    ),
    el("span", { class: "chip", text: found.presence, attrs: { "data-presence": found.presence } }),
  );
  if (found.suspended) {
    head.append(
      el("span", { class: "chip", text: "suspended", attrs: { "data-presence": "bad" } }),
    );
  }
  const facts = el("dl", { class: "card-facts" });
  const fact = (name: string, text: string) =>
    facts.append(el("div", {}, el("dt", { text: name }), el("dd", { text })));
  const place = actor.worker === null ? "nowhere" : `worker ${actor.worker}`;
  fact("Actor", actor.is_active ? place : `asleep; would wake in ${place}`);
  fact(
    "Last seen",
    found.last_seen_at === null ? "never went offline" : momentText(found.last_seen_at),
  );
  fact("Conversations", String(found.conversations));
  fact("Logins", String(found.logins));

  const end = el("button", {
    class: "button-danger",
    text: session_count === 1 ? "End this session" : `End ${plural(session_count, "session")}`,
    attrs: { type: "button", disabled: session_count === 0 },
    on: {
      click: () =>
        askToConfirm(
          `End ${plural(session_count, "session")} of ${user.display_name}? Their logins live on, so clients may come back.`,
          "End sessions",
          actions.end,
        ),
    },
  });
  const again = el("button", {
    class: "button-quiet",
    text: "Look again",
    attrs: { type: "button" },
    on: { click: actions.again },
  });
  const card = el("article", { class: "card", attrs: { "data-user": user.id } }, head, facts);
  card.append(
    sessions.length === 0
      ? el("p", { class: "nothing", text: "No session anywhere." })
      : sessionTable(sessions),
  );
  if (session_count > sessions.length) {
    card.append(el("p", { class: "hint", text: `${session_count} in all; the newest are shown.` }));
  }
  if (silent.length > 0) {
    card.append(el("p", { class: "problem", text: `No answer from ${silent.join(", ")}.` }));
  }
  card.append(el("div", { class: "card-buttons" }, again, end));
  return card;
}

function sessionTable(sessions: readonly OpsSession[]): HTMLElement {
  const body = el("tbody");
  const nowMs = Date.now();
  for (const session of sessions) {
    const unread = session.unread_bytes === 0 ? "" : bytesText(session.unread_bytes);
    body.append(
      el(
        "tr",
        { attrs: { "data-session": session.session_id } },
        el("td", { text: session.status }),
        el("td", { text: session.transport }),
        el("td", {}, el("code", { text: session.worker })),
        el("td", {
          text: spanText(nowMs - Date.parse(session.since)),
          attrs: { title: momentText(session.since) },
        }),
        el("td", { text: unread }),
      ),
    );
  }
  const head = el("tr");
  for (const name of ["Status", "Transport", "Worker", "For", "Unread"]) {
    head.append(el("th", { text: name, attrs: { scope: "col" } }));
  }
  const table = el("table", {}, el("thead", {}, head), body);
  return el(
    "div",
    { class: "table-frame", attrs: { tabindex: "0", role: "region", "aria-label": "Sessions" } },
    table,
  );
}
