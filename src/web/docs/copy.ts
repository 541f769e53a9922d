/** A button on each block of code that copies it. Without JavaScript there is none. */

/** How long a button says that it has copied. */
const SAID_MS = 2000;

/** `status` is read out by screen readers when its text changes. */
export function addCopyButtons(main: HTMLElement, status: HTMLElement): void {
  for (const block of main.querySelectorAll("pre")) addButton(block, status);
}

function addButton(block: HTMLElement, status: HTMLElement): void {
  const caption = block.parentElement?.querySelector(":scope > figcaption")?.textContent;
  const word = document.createElement("span");
  word.textContent = "Copy";
  const what = document.createElement("span");
  what.className = "visually-hidden";
  what.textContent = caption ? ` the code: ${caption}` : " the code";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.append(word, what);

  let timer: ReturnType<typeof setTimeout> | undefined;
  const say = (text: string): void => {
    clearTimeout(timer);
    word.textContent = text;
    status.textContent = text;
    timer = setTimeout(() => {
      word.textContent = "Copy";
      status.textContent = "";
    }, SAID_MS);
  };
  button.addEventListener("click", async () => {
    say((await copies(block)) ? "Copied" : "Not copied");
  });

  const frame = document.createElement("div");
  frame.className = "copyable";
  block.replaceWith(frame);
  frame.append(block, button);
}

async function copies(block: HTMLElement): Promise<boolean> {
  // A browser has a clipboard for pages over HTTPS and of its own machine only.
  if (navigator.clipboard === undefined) return copiesSelection(block);
  try {
    await navigator.clipboard.writeText(block.textContent ?? "");
    return true;
  } catch {
    // The reader, or a policy of the browser, does not permit it.
    return copiesSelection(block);
  }
}

/** The way from before the clipboard's own interface; where it fails, the code stays selected. */
function copiesSelection(block: HTMLElement): boolean {
  const selection = getSelection();
  if (selection === null) return false;
  selection.selectAllChildren(block);
  const isCopied = document.execCommand("copy");
  if (isCopied) selection.removeAllRanges();
  return isCopied;
}
