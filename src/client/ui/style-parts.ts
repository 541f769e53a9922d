/**
 * The second half of the kit's looks, in the manner of style.ts: what opens beside a conversation
 * or above it, and what hangs on a message.
 */
export const STYLE_OF_PARTS = `
.troupe-panes { position: relative; display: flex; min-inline-size: 0; min-block-size: 0; block-size: 100%; }
.troupe-panel {
  flex: none; inline-size: 360px; display: flex; flex-direction: column; min-block-size: 0;
  background: var(--troupe-paper); border-inline-start: 1px solid var(--troupe-line);
}
@container (max-width: 980px) { .troupe-panel { position: absolute; inset: 0; inline-size: auto; z-index: 3; border: 0; } }
.troupe-panel > .troupe-header { min-block-size: 64px; }
.troupe .troupe-tool, .troupe .troupe-attach {
  inline-size: 40px; block-size: 40px; display: grid; place-items: center; border-radius: 50%; flex: none; color: var(--troupe-ink-soft);
}
.troupe :is(.troupe-tool, .troupe-attach):hover { background: var(--troupe-hover); color: var(--troupe-ink); }
.troupe .troupe-attach { block-size: 44px; }
.troupe .troupe-follow { color: var(--troupe-accent); font-weight: 600; min-block-size: 32px; padding-inline: 12px; border: 1px solid currentColor; border-radius: 16px; }
.troupe .troupe-follow[aria-pressed="true"] { background: var(--troupe-wash); }
.troupe-root { flex: none; max-block-size: 40%; overflow-y: auto; padding: 16px 16px 8px; border-block-end: 1px solid var(--troupe-line); }
.troupe-root .troupe-attachments :is(img, video) { max-block-size: 120px; }
.troupe-root .troupe-message[data-own] { justify-content: flex-start; }
.troupe-root .troupe-message[data-own] .troupe-stack { justify-items: start; }
.troupe .troupe-thread-link {
  display: flex; gap: 8px; align-items: center; min-block-size: 28px; padding-inline: 6px; margin-block-start: 2px; border-radius: 8px;
  color: var(--troupe-accent); font-size: .86em; font-weight: 600;
}
.troupe-thread-link time { color: var(--troupe-ink-soft); font-weight: 400; }
.troupe .troupe-thread-link:hover { background: var(--troupe-hover); }

.troupe-reactions { display: flex; flex-wrap: wrap; gap: 4px; padding-block-start: 4px; }
.troupe .troupe-reaction {
  display: flex; gap: 5px; align-items: center; justify-content: center; min-inline-size: 32px; block-size: 28px; padding-inline: 8px;
  border: 1px solid var(--troupe-line); border-radius: 14px; background: var(--troupe-surface); font-size: .86em; color: var(--troupe-ink);
}
.troupe .troupe-reaction:hover { background: var(--troupe-hover); }
.troupe .troupe-reaction[aria-pressed="true"] { background: var(--troupe-wash); border-color: var(--troupe-accent); font-weight: 600; }
.troupe-reaction .troupe-icon { inline-size: 16px; block-size: 16px; color: var(--troupe-ink-soft); }
.troupe-popup {
  position: fixed; inset: auto; margin: 0; padding: 6px; border: 1px solid var(--troupe-line); border-radius: 12px; color: inherit;
  background: var(--troupe-surface); box-shadow: var(--troupe-shadow); pointer-events: auto; z-index: 9; overflow: auto; font-weight: 400;
}
.troupe-picker { display: grid; grid-template-columns: repeat(6, 40px); }
.troupe .troupe-picker button { inline-size: 40px; block-size: 40px; font-size: 22px; line-height: 1; border-radius: 10px; }
.troupe .troupe-picker button:hover { background: var(--troupe-hover); }
.troupe-popup[role="menu"] { min-inline-size: 190px; }
.troupe .troupe-popup [role="menuitem"] { display: flex; gap: 12px; align-items: center; inline-size: 100%; min-block-size: 40px; padding-inline: 10px; border-radius: 8px; text-align: start; }
.troupe .troupe-popup [role="menuitem"]:is(:hover, :focus-visible) { background: var(--troupe-hover); outline-offset: -2px; }
.troupe .troupe-popup [data-danger], .troupe-popup [data-danger] .troupe-icon { color: var(--troupe-bad); }
.troupe-popup [role="menuitem"]:not([data-danger]) .troupe-icon { color: var(--troupe-ink-soft); }

.troupe-attachments { display: grid; gap: 6px; padding-block: 4px; }
.troupe-attachments :is(img, video) { display: block; max-inline-size: 100%; max-block-size: 340px; border-radius: 10px; background: var(--troupe-hover); }
.troupe-attachments video { inline-size: 320px; }
.troupe-attachments audio { display: block; max-inline-size: 100%; inline-size: 280px; }
.troupe-file { display: flex; gap: 8px; align-items: center; min-inline-size: 0; min-block-size: 36px; color: inherit; text-decoration: none; }
a.troupe-file:hover .troupe-file-name { text-decoration: underline; }
.troupe-file > .troupe-icon { flex: none; color: var(--troupe-accent); }
.troupe-file .troupe-soft { flex: none; }
.troupe-file-name { min-inline-size: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.troupe-mention { color: var(--troupe-accent); font-weight: 600; }
.troupe-mention[data-me] { background: var(--troupe-wash); border-radius: 4px; padding-inline: 2px; }
.troupe-pin-mark .troupe-icon { inline-size: 13px; block-size: 13px; }

.troupe-uploads { flex: 1 0 100%; min-inline-size: 0; }
.troupe-uploads ul { display: flex; flex-wrap: wrap; gap: 6px; }
.troupe-uploads .troupe-file { max-inline-size: 100%; padding-inline: 10px 2px; border: 1px solid var(--troupe-line); border-radius: 10px; background: var(--troupe-paper); font-size: .9em; }
.troupe-uploads .troupe-file[data-problem] { border-color: var(--troupe-bad); }
.troupe .troupe-uploads button { inline-size: 32px; block-size: 32px; flex: none; display: grid; place-items: center; color: var(--troupe-ink-soft); }
.troupe-uploads progress { inline-size: 70px; accent-color: var(--troupe-accent); }
.troupe-uploads p { color: var(--troupe-bad); font-size: .88em; padding-block-start: 4px; }
.troupe-composer { position: relative; }
.troupe-join { flex-direction: column; align-items: center; gap: 4px; }
.troupe-join button, .troupe-more { min-block-size: 40px; padding: 8px 18px; border: 0; border-radius: 999px; background: var(--troupe-accent); color: var(--troupe-on-accent); font: inherit; font-weight: 600; cursor: pointer; }
.troupe-join .troupe-problem:empty { display: none; }
.troupe-more { align-self: center; margin: 8px; }
.troupe-frozen { color: var(--troupe-ink-soft); justify-content: center; }
.troupe-completion {
  position: absolute; inset-block-end: calc(100% + 4px); inset-inline: 12px; max-inline-size: 360px; padding: 6px; z-index: 2;
  background: var(--troupe-surface); border: 1px solid var(--troupe-line); border-radius: 12px; box-shadow: var(--troupe-shadow);
}
.troupe-completion [role="option"] { display: flex; gap: 10px; align-items: center; min-block-size: 40px; padding-inline: 8px; border-radius: 8px; cursor: pointer; }
.troupe-completion [role="option"][aria-selected="true"] { background: var(--troupe-wash); }
.troupe-completion .troupe-soft { min-inline-size: 0; overflow: hidden; text-overflow: ellipsis; }
.troupe-drop {
  position: absolute; inset: 8px; display: grid; place-items: center; z-index: 2; pointer-events: none; font-weight: 600;
  color: var(--troupe-accent); background: color-mix(in srgb, var(--troupe-surface) 85%, transparent); border: 2px dashed currentColor; border-radius: 16px;
}

.troupe-search { inline-size: min(600px, calc(100% - 24px)); max-block-size: min(560px, calc(100% - 48px)); margin-block-start: 10vh; padding: 0; border: 1px solid var(--troupe-line); border-radius: 16px; color: var(--troupe-ink); background: var(--troupe-surface); box-shadow: var(--troupe-shadow); overflow: hidden; }
.troupe-search::backdrop { background: rgb(20 10 15 / 45%); }
.troupe-search-box { display: flex; flex-direction: column; max-block-size: inherit; }
.troupe-search input { flex: none; min-block-size: 56px; padding-inline: 20px; border: 0; border-block-end: 1px solid var(--troupe-line); background: none; font: inherit; font-size: 17px; color: inherit; outline: none; }
.troupe .troupe-search input:focus-visible { outline: none; }
.troupe-search input::placeholder { color: var(--troupe-ink-soft); opacity: 1; }
.troupe-found-list { overflow-y: auto; padding-inline: 8px; }
.troupe .troupe-found-title { padding: 12px 12px 4px; font-size: .84em; font-weight: 600; color: var(--troupe-ink-soft); }
.troupe-found { display: flex; gap: 12px; align-items: center; min-block-size: 44px; padding: 6px 12px; border-radius: 10px; cursor: pointer; }
.troupe-found:last-child { margin-block-end: 8px; }
.troupe-found[aria-selected="true"] { background: var(--troupe-wash); }
.troupe-found .troupe-row-title { flex: 0 1 auto; }
.troupe-found .troupe-row-line { justify-content: space-between; }
.troupe-found-text { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--troupe-ink-soft); }
.troupe-found mark { background: none; color: var(--troupe-accent); font-weight: 600; }
.troupe .troupe-found-none { padding: 16px 20px; color: var(--troupe-ink-soft); }
.troupe .troupe-found-none:empty { padding: 4px; }
.troupe .troupe-filters .troupe-search-button { margin-inline-start: auto; padding-inline: 8px; }
.troupe-pins { overflow-y: auto; padding: 8px; display: grid; gap: 8px; }
.troupe-pinned { padding: 10px 12px; border: 1px solid var(--troupe-line); border-radius: 12px; background: var(--troupe-surface); }
.troupe-pinned .troupe-row-line { justify-content: space-between; }
.troupe .troupe-pinned > button { color: var(--troupe-accent); font-weight: 600; font-size: .88em; min-block-size: 28px; }
.troupe-members { flex: 1; min-block-size: 0; overflow-y: auto; padding: 8px; }
.troupe-member { display: flex; gap: 12px; align-items: center; padding: var(--troupe-gap) 8px; }
.troupe-line { flex: none; display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 4px 8px; padding: 12px 16px 0; }
.troupe-line label, .troupe-line p { grid-column: 1 / -1; font-size: .88em; }
.troupe-line label { font-weight: 600; }
.troupe-line p:empty, .troupe-leave p:empty { display: none; }
.troupe-line input { min-inline-size: 0; min-block-size: 40px; padding: 6px 12px; font: inherit; font-size: max(16px, 1em); color: inherit; background: var(--troupe-surface); border: 1px solid var(--troupe-line); border-radius: 10px; }
.troupe .troupe-line button { color: var(--troupe-accent); font-weight: 600; padding-inline: 12px; }
.troupe-leave { flex: none; padding: 8px 16px calc(12px + env(safe-area-inset-bottom)); }
.troupe .troupe-leave > button { display: flex; gap: 10px; align-items: center; min-block-size: 40px; color: var(--troupe-bad); font-weight: 600; }
.troupe-role { flex: none; padding: 1px 10px; border-radius: 10px; background: var(--troupe-wash); color: var(--troupe-accent); font-size: .8em; font-weight: 600; }

.troupe-filters { margin: 0; border: 0; min-inline-size: 0; display: flex; gap: 6px; padding: 2px 2px 10px; }
.troupe .troupe-filters button { min-block-size: 32px; padding-inline: 12px; border-radius: 16px; color: var(--troupe-ink-soft); font-size: .9em; }
.troupe .troupe-filters button:hover { background: var(--troupe-hover); }
.troupe .troupe-filters button[aria-pressed="true"] { background: var(--troupe-wash); color: var(--troupe-accent); font-weight: 600; }
.troupe-row-place { position: relative; display: flex; align-items: center; }
.troupe .troupe-row-more { inline-size: 32px; block-size: 32px; flex: none; display: grid; place-items: center; border-radius: 50%; color: var(--troupe-ink-soft); }
.troupe .troupe-row-more:hover { background: var(--troupe-hover); color: var(--troupe-ink); }
.troupe-row-more .troupe-icon { stroke-width: 3; }
@media (hover: hover) {
  .troupe .troupe-row-more { position: absolute; inset-inline-end: 8px; inset-block-end: 8px; opacity: 0; background: var(--troupe-surface); border: 1px solid var(--troupe-line); }
  .troupe .troupe-row-place:is(:hover, :focus-within) .troupe-row-more, .troupe .troupe-row-more[aria-expanded="true"] { opacity: 1; }
}
.troupe-mark { flex: none; color: var(--troupe-ink-soft); align-self: center; }
.troupe-mark .troupe-icon { inline-size: 15px; block-size: 15px; }
.troupe-badge[data-muted] { background: var(--troupe-ink-soft); color: var(--troupe-surface); }
`;
