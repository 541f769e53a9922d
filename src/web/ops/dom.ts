/**
 * The little the views need to make and keep elements. Text only ever goes in as text nodes:
 * there is no way here to set markup.
 */
import { type IconName, icon } from "./icons.ts";

interface Props {
  class?: string;
  text?: string;
  /** False and null leave the attribute out, true sets it empty. */
  attrs?: Record<string, string | boolean | null>;
  on?: Partial<{ [E in keyof HTMLElementEventMap]: (event: HTMLElementEventMap[E]) => void }>;
}

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (props.class) element.className = props.class;
  if (props.text !== undefined) element.textContent = props.text;
  for (const [name, value] of Object.entries(props.attrs ?? {})) setAttr(element, name, value);
  for (const [name, listener] of Object.entries(props.on ?? {})) {
    element.addEventListener(name, listener as EventListener);
  }
  element.append(...children);
  return element;
}

export function setAttr(element: Element, name: string, value: string | boolean | null): void {
  if (value === null || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== (value === true ? "" : value)) {
    element.setAttribute(name, value === true ? "" : value);
  }
}

/** Writes only what changed: an unchanged text node keeps selection and screen readers still. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function iconButton(name: IconName, label: string, onClick: () => void): HTMLButtonElement {
  const attrs = { type: "button", "aria-label": label, title: label };
  return el("button", { class: "icon-button", attrs, on: { click: onClick } }, icon(name));
}

export interface KeyedEntry<T> {
  node: HTMLElement;
  update(item: T): void;
}

/** Keeps `parent`'s children in step with a list; an item keeps its element by its key. */
export function keyedList<T>(
  parent: HTMLElement,
  keyOf: (item: T) => string,
  create: (item: T) => KeyedEntry<T>,
): (items: readonly T[]) => void {
  const entries = new Map<string, KeyedEntry<T>>();
  return (items) => {
    const wanted = new Set(items.map(keyOf));
    for (const [key, entry] of entries) {
      if (wanted.has(key)) continue;
      entry.node.remove();
      entries.delete(key);
    }
    let at = parent.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      let entry = entries.get(key);
      if (!entry) {
        entry = create(item);
        entries.set(key, entry);
      }
      entry.update(item);
      if (entry.node === at) at = at.nextElementSibling;
      else parent.insertBefore(entry.node, at);
    }
  };
}
