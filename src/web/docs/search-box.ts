/**
 * The search field at the top of the documentation: a combobox whose list has the sections that
 * were found. The keyboard's focus stays in the field; arrows move through the list, Enter opens a
 * result, Escape closes the list and then empties the field, and "/" leads to the field from
 * anywhere on the page.
 */
import { type DocsIndex, type Found, findSections, type Piece, wordsOf } from "./search.ts";

interface SearchParts {
  input: HTMLInputElement;
  list: HTMLElement;
  /** Says to screen readers how much was found, and to everybody that nothing was. */
  status: HTMLElement;
}

/** `load` is called when the field is first used, and again only where it has failed. */
export function createSearch(
  { input, list, status }: SearchParts,
  load: () => Promise<DocsIndex>,
  addressOf: (found: Found) => string,
): void {
  let loading: Promise<DocsIndex> | null = null;
  let active = -1;

  const index = (): Promise<DocsIndex> => {
    loading ??= load().catch((error: unknown) => {
      loading = null;
      throw error;
    });
    return loading;
  };
  const options = (): HTMLElement[] => [...list.querySelectorAll<HTMLElement>('[role="option"]')];
  const isOpen = (): boolean => !list.hidden;

  function say(text: string, isVisible: boolean): void {
    status.textContent = text;
    status.classList.toggle("visually-hidden", !isVisible);
  }

  function setOpen(open: boolean): void {
    list.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    if (!open) setActive(-1);
  }

  function close(): void {
    setOpen(false);
    say("", false);
  }

  function setActive(at: number): void {
    active = at;
    for (const [n, option] of options().entries()) {
      option.setAttribute("aria-selected", String(n === at));
      if (n === at) option.scrollIntoView({ block: "nearest" });
    }
    if (at === -1) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", options()[at]!.id);
  }

  async function search(): Promise<void> {
    const query = input.value;
    if (wordsOf(query).length === 0) {
      close();
      return;
    }
    let loaded: DocsIndex;
    try {
      loaded = await index();
    } catch {
      say("The search could not be loaded. Type again to try once more.", true);
      return;
    }
    // The reader has typed on, or has left, while the index was loading.
    if (input.value !== query || document.activeElement !== input) return;
    const found = findSections(loaded, query);
    list.replaceChildren(...found.map((one, at) => optionOf(one, at, addressOf(one))));
    list.scrollTop = 0;
    setOpen(found.length > 0);
    setActive(-1);
    if (found.length === 0) say(`Nothing found for “${query.trim()}”.`, true);
    else say(`${found.length} ${found.length === 1 ? "result" : "results"}`, false);
  }

  function moved(by: 1 | -1): void {
    const count = options().length;
    if (!isOpen() || count === 0) return;
    // From outside the list, down leads to its first entry and up to its last one.
    const next = active === -1 && by === -1 ? count - 1 : active + by;
    setActive((next + count) % count);
  }

  input.addEventListener("focus", () => {
    // A failure is shown when there is something to search for.
    index().catch(() => undefined);
  });
  input.addEventListener("input", () => void search());
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp":
        event.preventDefault();
        if (isOpen()) moved(event.key === "ArrowDown" ? 1 : -1);
        else void search();
        break;
      case "Enter":
        if (isOpen()) options()[Math.max(0, active)]?.click();
        break;
      case "Escape":
        event.preventDefault();
        if (!isOpen()) input.value = "";
        close();
        break;
    }
  });
  // The field keeps the focus, so that the list does not close before the click arrives.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", close);
  document.addEventListener("keydown", (event) => {
    const { key, target, ctrlKey, metaKey, altKey } = event;
    if (key !== "/" || ctrlKey || metaKey || altKey || isEditable(target)) return;
    event.preventDefault();
    input.focus();
    input.select();
  });
}

function isEditable(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input, textarea, select");
}

function optionOf(found: Found, at: number, address: string): HTMLElement {
  const option = document.createElement("a");
  option.id = `docs-result-${at}`;
  option.href = address;
  option.tabIndex = -1;
  option.setAttribute("role", "option");
  option.setAttribute("aria-selected", "false");
  const heading = part("result-heading", found.heading);
  const title = part("result-page", [{ text: found.title, isMatch: false }]);
  option.append(heading, " ", title, " ", part("result-passage", found.passage));
  return option;
}

function part(name: string, pieces: readonly Piece[]): HTMLElement {
  const node = document.createElement("span");
  node.className = name;
  for (const { text, isMatch } of pieces) {
    if (!isMatch) {
      node.append(text);
      continue;
    }
    const mark = document.createElement("mark");
    mark.textContent = text;
    node.append(mark);
  }
  return node;
}
