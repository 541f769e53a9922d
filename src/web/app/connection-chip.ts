/**
 * Shows the state of the connection: a chip that is always visible, and a banner while the
 * connection is lost and for a moment after it is back. Screen readers announce both politely, once.
 */
import { el, setAttr, setText } from "./dom.ts";
import type { LinkState, State } from "./state.ts";

const NOTICE_MS = 5_000;
/** A hiccup shorter than this shows in the chip only. */
const BANNER_AFTER_MS = 400;

const CHIP_TEXT: Record<LinkState["kind"], string> = {
  connecting: "Connecting",
  syncing: "Catching up",
  online: "Online",
  reconnecting: "Reconnecting",
  stopped: "Disconnected",
};

export interface ConnectionSigns {
  chip: HTMLElement;
  /** One more for a header on a phone, where the side bar is hidden; it does not speak. */
  smallChip(): HTMLElement;
  banner: HTMLElement;
  update(state: State): void;
  /** Shows `text` for a few seconds. */
  notice(text: string, tone?: "good" | "bad"): void;
  stop(): void;
}

export function createConnectionSigns(onRetry: () => void): ConnectionSigns {
  const label = el("span");
  const chip = el("span", { class: "chip", attrs: { role: "status" } });
  chip.append(el("span", { class: "chip-dot" }), label);
  const chips = [{ chip, label }];
  const text = el("span", { attrs: { role: "status" } });
  const retry = el("button", { class: "button-link", text: "Try now", attrs: { type: "button" } });
  retry.addEventListener("click", onRetry);
  const banner = el("div", { class: "banner", attrs: { hidden: true } }, text, retry);
  let noticeTimer: ReturnType<typeof setTimeout> | undefined;
  let bannerTimer: ReturnType<typeof setTimeout> | undefined;
  let link: LinkState | null = null;

  const show = (words: string, tone: string, canRetry: boolean): void => {
    clearTimeout(noticeTimer);
    setText(text, words);
    setAttr(banner, "data-tone", tone);
    retry.hidden = !canRetry;
    banner.hidden = words === "";
  };

  const showLink = (): void => {
    bannerTimer = undefined;
    if (link?.kind === "reconnecting") {
      const words = link.isOffline ? "You are offline. Reconnecting…" : "Reconnecting…";
      show(words, "waiting", !link.isOffline);
    } else if (link?.kind === "stopped") show(link.message, "bad", true);
  };

  return {
    chip,
    smallChip() {
      const more = el("span", { class: "chip chip-small", attrs: { "aria-hidden": "true" } });
      const moreLabel = el("span");
      more.append(el("span", { class: "chip-dot" }), moreLabel);
      chips.push({ chip: more, label: moreLabel });
      return more;
    },
    banner,
    update(state) {
      if (state.link === link) return;
      link = state.link;
      for (const shown of chips) {
        setText(shown.label, CHIP_TEXT[link.kind]);
        setAttr(shown.chip, "data-link", link.kind);
      }
      clearTimeout(bannerTimer);
      if (link.kind === "reconnecting" || link.kind === "stopped") {
        bannerTimer = setTimeout(showLink, banner.hidden ? BANNER_AFTER_MS : 0);
      } else if (link.kind === "online" && banner.dataset["tone"] === "waiting") {
        show("", "good", false);
      }
    },
    notice(words, tone = "good") {
      clearTimeout(bannerTimer);
      show(words, tone, false);
      noticeTimer = setTimeout(() => show("", tone, false), NOTICE_MS);
    },
    stop() {
      clearTimeout(noticeTimer);
      clearTimeout(bannerTimer);
    },
  };
}
