/** How the page looks in this browser: light or dark, and how close things stand. */
import { createStore, useStore } from "./store.ts";

export interface PageLook {
  theme: "system" | "light" | "dark";
  density: "comfortable" | "compact";
}

const KEY = "troupe.look";
const THEMES: readonly string[] = ["system", "light", "dark"];

function stored(): PageLook {
  const look: PageLook = { theme: "system", density: "comfortable" };
  try {
    const { theme, density } = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    if (THEMES.includes(theme)) look.theme = theme;
    if (density === "compact") look.density = density;
  } catch (error) {
    // Written by another version or by hand: as good as nothing chosen.
    console.warn("the stored look is unreadable", error);
  }
  return look;
}

const store = createStore(stored());

const apply = ({ theme }: PageLook): void => {
  document.documentElement.dataset["theme"] = theme;
};
apply(store.get());

export const useLook = (): PageLook => useStore(store);

export function setLook(change: Partial<PageLook>): void {
  store.update((look) => ({ ...look, ...change }));
  localStorage.setItem(KEY, JSON.stringify(store.get()));
  apply(store.get());
}
