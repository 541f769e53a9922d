/** What the page has to say for a few seconds, one at a time. */
import { createStore, type Store } from "./store.ts";

const SHOWN_MS = 5_000;

export interface Toast {
  text: string;
  tone: "good" | "bad";
}

export interface Toasts {
  shown: Store<Toast | null>;
  show(text: string, tone?: Toast["tone"]): void;
  stop(): void;
}

export function createToasts(): Toasts {
  const shown = createStore<Toast | null>(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    shown,
    show(text, tone = "good") {
      clearTimeout(timer);
      shown.update(() => ({ text, tone }));
      timer = setTimeout(() => shown.update(() => null), SHOWN_MS);
    },
    stop: () => clearTimeout(timer),
  };
}
