/**
 * The kit's looks, as one text. Colours and sizes are custom properties of `.troupe`, which an
 * application sets to what it likes; both themes are checked for WCAG AA. Logical properties
 * throughout, so that right-to-left needs no rules of its own.
 */
import { STYLE_OF_PARTS } from "./style-parts.ts";

const LIGHT = `
  color-scheme: light;
  --troupe-paper: #f6f2ee;
  --troupe-surface: #fffdfb;
  --troupe-hover: #f1ebe5;
  --troupe-line: #e3dbd3;
  --troupe-ink: #241c20;
  --troupe-ink-soft: #6a5d62;
  --troupe-accent: #8f2d56;
  --troupe-on-accent: #fff;
  --troupe-wash: #f6e3eb;
  --troupe-own: #f4dfe8;
  --troupe-other: #fffdfb;
  --troupe-good: #2c7a4b;
  --troupe-wait: #8f5b06;
  --troupe-bad: #b3261e;
  --troupe-tint: 38% 87%;
  --troupe-on-tint: 45% 26%;
  --troupe-shadow: 0 2px 10px rgb(60 30 40 / 14%);
`;

const DARK = `
  color-scheme: dark;
  --troupe-paper: #171418;
  --troupe-surface: #201c21;
  --troupe-hover: #2a252b;
  --troupe-line: #352e36;
  --troupe-ink: #f0eaec;
  --troupe-ink-soft: #aa9da3;
  --troupe-accent: #ef9dbf;
  --troupe-on-accent: #38101f;
  --troupe-wash: #3b2430;
  --troupe-own: #4a2737;
  --troupe-other: #282329;
  --troupe-good: #6fcf97;
  --troupe-wait: #e7b45c;
  --troupe-bad: #ff8f86;
  --troupe-tint: 24% 27%;
  --troupe-on-tint: 45% 84%;
  --troupe-shadow: 0 2px 10px rgb(0 0 0 / 45%);
`;

const TINTS = Array.from(
  { length: 8 },
  (_, n) => `.troupe [data-tint="${n}"] { --troupe-hue: ${(n * 45 + 15) % 360}; }`,
).join("\n");

const BASE = `
:where(.troupe) {
  ${LIGHT}
  --troupe-font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", sans-serif;
  --troupe-size: 15px;
  --troupe-round: 16px;
  --troupe-gap: 12px;
}
:where(.troupe[data-theme="dark"]) { ${DARK} }
@media (prefers-color-scheme: dark) { :where(.troupe[data-theme="system"]) { ${DARK} } }
:where(.troupe[data-density="compact"]) { --troupe-gap: 6px; --troupe-size: 14px; --troupe-round: 10px; }
${TINTS}

.troupe {
  container-type: inline-size;
  block-size: 100%;
  font: var(--troupe-size) / 1.45 var(--troupe-font);
  color: var(--troupe-ink);
  background: var(--troupe-paper);
  text-align: start;
}
.troupe *, .troupe *::before, .troupe *::after { box-sizing: border-box; }
.troupe :is(p, h2, ul) { margin: 0; padding: 0; }
.troupe ul { list-style: none; }
.troupe button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
.troupe button:disabled { opacity: .45; cursor: default; }
.troupe :focus-visible { outline: 2px solid var(--troupe-accent); outline-offset: 2px; }
.troupe-soft, .troupe-presence { color: var(--troupe-ink-soft); font-size: .84em; }
.troupe-soft .troupe-presence { font-size: inherit; }
.troupe-icon { display: block; }
.troupe:dir(rtl) :is(.troupe-icon-send, .troupe-icon-back, .troupe-icon-reply) { transform: scaleX(-1); }
.troupe-empty { margin: auto; padding: 24px; color: var(--troupe-ink-soft); text-align: center; }
.troupe-badge {
  min-inline-size: 20px; padding-inline: 6px; border-radius: 10px; flex: none;
  background: var(--troupe-accent); color: var(--troupe-on-accent);
  font-size: 12px; line-height: 20px; font-weight: 600; text-align: center;
}

.troupe-unseen { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.troupe-chat { display: grid; grid-template-columns: minmax(0, 1fr); block-size: 100%; min-block-size: 0; }
.troupe-chat:has(> .troupe-list) { grid-template-columns: minmax(240px, 340px) minmax(0, 1fr); }
.troupe-chat > * { min-block-size: 0; block-size: 100%; }
.troupe-list { overflow-y: auto; background: var(--troupe-surface); border-inline-end: 1px solid var(--troupe-line); padding: 8px; }
@container (max-width: 640px) {
  .troupe-chat:has(> .troupe-list) { grid-template-columns: minmax(0, 1fr); }
  .troupe-chat[data-open] > .troupe-list { display: none; }
  .troupe-chat:not([data-open]) > .troupe-list ~ .troupe-panes { display: none; }
}
@container (min-width: 641px) { .troupe-list ~ .troupe-panes .troupe-back { display: none; } }

.troupe .troupe-row {
  display: flex; gap: 12px; align-items: center; inline-size: 100%;
  padding: var(--troupe-gap) 10px; border-radius: 12px; text-align: start;
}
.troupe .troupe-row:hover { background: var(--troupe-hover); }
.troupe .troupe-row[aria-current] { background: var(--troupe-wash); }
.troupe-row-text { flex: 1; min-inline-size: 0; display: grid; grid-template-columns: minmax(0, 1fr); gap: 2px; }
.troupe-row-line { display: flex; gap: 8px; align-items: baseline; }
.troupe-row-title, .troupe-row-said { flex: 1; min-inline-size: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.troupe-row-title { font-weight: 600; }
.troupe-row-said { color: var(--troupe-ink-soft); font-size: .92em; }
.troupe-row-line time { white-space: nowrap; }
[data-unread] .troupe-row-said { color: var(--troupe-ink); font-weight: 500; }
.troupe-row-said[data-draft] { color: var(--troupe-bad); }
.troupe-row-said[data-typing] { color: var(--troupe-good); }

.troupe-avatar {
  position: relative; flex: none; display: grid; place-items: center;
  inline-size: 44px; block-size: 44px; border-radius: 50%;
  background: hsl(var(--troupe-hue, 0) var(--troupe-tint)); color: hsl(var(--troupe-hue, 0) var(--troupe-on-tint));
  font-weight: 600; font-size: 15px; user-select: none;
}
.troupe-avatar[data-size="small"] { inline-size: 28px; block-size: 28px; font-size: 11px; }
.troupe-dot {
  position: absolute; inset-block-end: -1px; inset-inline-end: -1px; inline-size: 13px; block-size: 13px;
  border-radius: 50%; border: 2px solid var(--troupe-surface); background: var(--troupe-ink-soft);
}
.troupe-avatar[data-size="small"] .troupe-dot { inline-size: 10px; block-size: 10px; }
.troupe-dot[data-presence="online"] { background: var(--troupe-good); }
.troupe-dot[data-presence="away"] { background: var(--troupe-wait); }
.troupe-dot[data-presence="offline"] { display: none; }

.troupe-conversation { position: relative; flex: 1; display: flex; flex-direction: column; min-inline-size: 0; min-block-size: 0; }
.troupe-header {
  display: flex; gap: 12px; align-items: center; padding: 10px 16px;
  background: var(--troupe-surface); border-block-end: 1px solid var(--troupe-line);
}
.troupe-heading { flex: 1; min-inline-size: 0; display: grid; grid-template-columns: minmax(0, 1fr); }
.troupe-header h2 { flex: 1; font-size: 1.06em; line-height: 1.3; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.troupe .troupe-back { inline-size: 40px; block-size: 40px; display: grid; place-items: center; border-radius: 50%; margin-inline-start: -8px; }
.troupe-banner {
  display: flex; gap: 12px; align-items: center; justify-content: center; padding: 6px 16px;
  background: var(--troupe-wash); color: var(--troupe-ink); font-size: .88em;
}
.troupe .troupe-banner button { color: var(--troupe-accent); font-weight: 600; min-block-size: 28px; }

.troupe-messages { position: relative; flex: 1; min-block-size: 0; display: flex; flex-direction: column; }
.troupe-scroll { flex: 1; min-block-size: 0; overflow-y: auto; overscroll-behavior: contain; display: flex; flex-direction: column; padding: 8px 16px 0; overflow-anchor: none; }
.troupe-scroll[data-settling] > * { visibility: hidden; }
.troupe-scroll:focus-visible { outline-offset: -2px; }
.troupe-fill { flex: 1; }
.troupe-scroll > * { flex-shrink: 0; }
.troupe-day, .troupe-new { display: flex; align-items: center; gap: 12px; padding-block: 14px 8px; font-size: .8em; font-weight: 600; color: var(--troupe-ink-soft); }
.troupe-day { justify-content: center; }
.troupe-system { padding-block: 6px; font-size: .84em; color: var(--troupe-ink-soft); text-align: center; overflow-wrap: anywhere; }
.troupe-new { color: var(--troupe-accent); }
.troupe-new::before, .troupe-new::after { content: ""; flex: 1; block-size: 1px; background: currentColor; opacity: .4; }

.troupe-message { position: relative; display: flex; gap: 8px; align-items: flex-end; padding-block-start: 2px; }
.troupe-message[data-first] { padding-block-start: var(--troupe-gap); }
.troupe-message[data-own] { justify-content: flex-end; }
.troupe-message-picture { inline-size: 28px; flex: none; }
.troupe-stack { display: grid; justify-items: start; max-inline-size: min(78%, 620px); min-inline-size: 0; }
.troupe-message[data-own] .troupe-stack { justify-items: end; }
.troupe-bubble {
  max-inline-size: 100%; min-inline-size: 0; padding: 7px 12px; border-radius: var(--troupe-round);
  background: var(--troupe-other); border: 1px solid var(--troupe-line);
}
.troupe-message[data-own] .troupe-bubble { background: var(--troupe-own); border-color: transparent; }
.troupe-message[data-own]:not([data-last]) .troupe-bubble { border-end-end-radius: 5px; }
.troupe-message[data-own]:not([data-first]) .troupe-bubble { border-start-end-radius: 5px; }
.troupe-message:not([data-own], [data-last]) .troupe-bubble { border-end-start-radius: 5px; }
.troupe-message:not([data-own], [data-first]) .troupe-bubble { border-start-start-radius: 5px; }
.troupe-message[data-outgoing] .troupe-bubble { opacity: .82; }
.troupe-body { white-space: pre-wrap; overflow-wrap: anywhere; text-align: start; }
.troupe-body[data-gone] { font-style: italic; color: var(--troupe-ink-soft); }
.troupe-code, .troupe-code-block { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .9em; background: color-mix(in srgb, currentColor 9%, transparent); border-radius: 5px; }
.troupe-code { padding: 1px 5px; }
.troupe-code-block { display: block; padding: 8px 10px; margin-block: 4px; overflow-x: auto; white-space: pre; overflow-wrap: normal; }
.troupe-quoted { display: block; margin-block: 2px; padding-inline-start: 10px; border-inline-start: 3px solid var(--troupe-line); color: var(--troupe-ink-soft); }
.troupe-body a { color: var(--troupe-accent); }
.troupe-writer { display: block; font-size: .84em; font-weight: 600; color: hsl(var(--troupe-hue) var(--troupe-on-tint)); }
.troupe-meta { display: flex; gap: 6px; align-items: center; justify-content: flex-end; color: var(--troupe-ink-soft); font-size: .76em; line-height: 1.3; }
.troupe .troupe-meta button { color: var(--troupe-accent); font-weight: 600; min-block-size: 24px; }
.troupe-growing { display: flex; flex-wrap: wrap; gap: 10px; align-items: center; color: var(--troupe-ink-soft); font-size: .84em; }
.troupe .troupe-growing button { color: var(--troupe-accent); font-weight: 600; min-block-size: 32px; padding-inline: 4px; }
.troupe-problem { color: var(--troupe-bad); }
.troupe-receipts[data-progress="read"] { color: var(--troupe-good); }
.troupe .troupe-quote {
  display: block; inline-size: 100%; margin-block-end: 4px; padding: 2px 8px; text-align: start;
  border-inline-start: 3px solid var(--troupe-accent); border-radius: 4px; background: var(--troupe-hover);
  color: var(--troupe-ink-soft); font-size: .88em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
}
.troupe-actions {
  position: absolute; inset-block-start: calc(var(--troupe-gap) * -1); inset-inline-end: 8px; display: flex; padding: 2px;
  background: var(--troupe-surface); border: 1px solid var(--troupe-line); border-radius: 10px; box-shadow: var(--troupe-shadow);
  opacity: 0; pointer-events: none; z-index: 1;
}
.troupe-message:not([data-own]) .troupe-actions { inset-inline: 36px auto; }
.troupe-message:is(:hover, :focus-within) .troupe-actions { opacity: 1; pointer-events: auto; }
.troupe .troupe-actions button { inline-size: 32px; block-size: 32px; display: grid; place-items: center; border-radius: 8px; color: var(--troupe-ink-soft); }
.troupe .troupe-actions button:hover { background: var(--troupe-hover); color: var(--troupe-ink); }
@media (hover: none) {
  .troupe-message:not(:focus-within) .troupe-actions { opacity: 0; pointer-events: none; }
  .troupe-bubble { -webkit-touch-callout: none; user-select: none; }
}
.troupe-typing { min-block-size: 1.9em; padding: 4px 4px 2px; color: var(--troupe-ink-soft); font-size: .84em; }
.troupe .troupe-to-newest {
  position: absolute; inset-block-end: 12px; inset-inline-end: 16px; min-inline-size: 44px; block-size: 44px; padding-inline: 10px;
  display: flex; gap: 6px; align-items: center; justify-content: center; border-radius: 22px;
  background: var(--troupe-surface); border: 1px solid var(--troupe-line); box-shadow: var(--troupe-shadow);
}

.troupe-composer { display: flex; flex-wrap: wrap; gap: 8px; align-items: flex-end; padding: 10px 16px calc(10px + env(safe-area-inset-bottom)); background: var(--troupe-surface); border-block-start: 1px solid var(--troupe-line); }
.troupe-composer textarea {
  flex: 1; min-inline-size: 0; max-block-size: 40cqb; min-block-size: 44px; padding: 10px 14px; resize: none;
  font: inherit; font-size: max(16px, 1em); color: inherit; background: var(--troupe-paper);
  border: 1px solid var(--troupe-line); border-radius: 22px; max-height: 200px;
}
.troupe-composer textarea::placeholder { color: var(--troupe-ink-soft); opacity: 1; }
.troupe .troupe-composer > button[type="submit"] {
  inline-size: 44px; block-size: 44px; display: grid; place-items: center; border-radius: 50%; flex: none;
  background: var(--troupe-accent); color: var(--troupe-on-accent);
}
.troupe-about { flex: 1 0 100%; display: flex; align-items: center; gap: 8px; color: var(--troupe-ink-soft); font-size: .88em; }
.troupe .troupe-about button { margin-inline-start: auto; inline-size: 32px; block-size: 32px; display: grid; place-items: center; }
.troupe-replying { min-inline-size: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }

.troupe-notifications { display: flex; flex-direction: column; min-block-size: 0; overflow-y: auto; background: var(--troupe-surface); }
.troupe-notifications > .troupe-filters { padding: 8px 12px; }
.troupe-notifications > ul { padding: 0 6px 6px; display: grid; gap: 4px; }
.troupe .troupe-notice { display: grid; grid-template-columns: 44px minmax(0, 1fr); gap: 12px; align-items: center; inline-size: 100%; min-block-size: 64px; padding: 10px 12px; border-radius: 14px; text-align: start; }
.troupe .troupe-notice:hover { background: var(--troupe-hover); }
.troupe .troupe-notice[data-fresh] { background: var(--troupe-wash); }
.troupe-notice[data-fresh] .troupe-notice-text { font-weight: 600; }
.troupe-notice[data-fresh] .troupe-notice-words::after { content: ""; position: absolute; inset-block-start: 6px; inset-inline-end: 0; inline-size: 9px; block-size: 9px; border-radius: 50%; background: var(--troupe-accent); }
.troupe-notice-words { position: relative; display: grid; overflow-wrap: anywhere; padding-inline-end: 16px; line-height: 1.35; }
.troupe-notice-picture { position: relative; display: grid; place-items: center; inline-size: 44px; block-size: 44px; }
.troupe-notice-picture .troupe-dot { display: none; }
.troupe-notice-sign { display: grid; place-items: center; inline-size: 44px; block-size: 44px; border-radius: 50%; background: var(--troupe-accent); color: var(--troupe-on-accent); }
.troupe-avatar + .troupe-notice-sign { position: absolute; inset-inline-end: -4px; inset-block-end: -4px; inline-size: 22px; block-size: 22px; box-shadow: 0 0 0 2px var(--troupe-surface); }
.troupe-avatar + .troupe-notice-sign .troupe-icon { inline-size: 13px; block-size: 13px; }
.troupe-notice-picture[data-type="like"] .troupe-icon { fill: currentColor; }
.troupe .troupe-notifications > button, .troupe .troupe-notifications header button { color: var(--troupe-accent); font-weight: 600; min-block-size: 32px; }
@media (prefers-reduced-motion: no-preference) { .troupe-actions { transition: opacity .12s; } }
`;

export const STYLE = BASE + STYLE_OF_PARTS;
