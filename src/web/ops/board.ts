/** The operator's page once there is a token: its head, figures, picture, look-ups and faults. */
import type { ErrorObject } from "../../protocol/errors.ts";
import type { OpsSummary } from "../../protocol/ops.ts";
import { createApplication } from "./application.ts";
import { el, iconButton, setAttr, setText } from "./dom.ts";
import { createFaults } from "./faults.ts";
import { type Call, createFind } from "./find.ts";
import { healthOf } from "./health.ts";
import { NO_HISTORY, withSummary } from "./history.ts";
import { createPicture, type Marks, NO_MARKS } from "./picture.ts";
import { createTiles } from "./tiles.ts";
import { watchSummary } from "./watch.ts";
import { timeText } from "./wording.ts";

export interface BoardEvents {
  /** The token is not good any more. */
  refused(error: ErrorObject): void;
  leave(): void;
}

export interface Board {
  node: HTMLElement;
  stop(): void;
}

export function createBoard(call: Call, events: BoardEvents): Board {
  let history = NO_HISTORY;
  let marks = NO_MARKS;
  const tiles = createTiles();
  const picture = createPicture();
  const application = createApplication();
  const faults = createFaults();
  const find = createFind(call, (found: Marks) => {
    marks = found;
    picture.mark(marks);
  });

  const health = el("p", { class: "health", attrs: { role: "status", "data-is": "loading" } });
  const dot = el("span", { class: "dot", attrs: { "aria-hidden": "true" } });
  const words = el("span", { text: "Looking at the cluster…" });
  health.append(dot, words);
  const seen = el("span", { class: "seen" });
  const head = el(
    "header",
    { class: "head" },
    el("h1", { text: "Troupe" }),
    health,
    seen,
    iconButton("sign-out", "Forget the token", events.leave),
  );
  const below = el("div", { class: "below" }, find, faults.node);
  const body = el("main", { class: "body" }, tiles.node, picture.node, application.node, below);
  const node = el("div", { class: "board", attrs: { "data-link": "loading" } }, head, body);

  function show(summary: OpsSummary): void {
    const next = withSummary(history, summary);
    setAttr(node, "data-link", "live");
    if (next === history) return;
    history = next;
    const figures = history.points.at(-1);
    if (figures === undefined) return;
    const { is, text } = healthOf(summary, figures);
    setAttr(health, "data-is", is);
    setText(words, text);
    setText(seen, timeText(summary.at));
    tiles.show(history.points);
    picture.show(summary, figures);
    picture.mark(marks);
    application.show(summary);
    faults.show(summary);
  }

  const stop = watchSummary(() => call<OpsSummary>("GET", "/api/ops/summary"), {
    summary: show,
    cut(error) {
      setAttr(node, "data-link", "cut");
      setAttr(health, "data-is", "bad");
      const since = history.points.at(-1);
      const when =
        since === undefined
          ? ""
          : ` What is shown is of ${timeText(new Date(since.atMs).toISOString())}.`;
      setText(words, `No answer: ${error.message}${when}`);
    },
    refused: events.refused,
  });

  return { node, stop };
}
