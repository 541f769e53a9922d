/**
 * The page's entry: shows the sign-in form or the conversations, and moves between the two as
 * the login begins and ends. A client like any other: it uses the published contract only.
 */
import { createAccount } from "./account.ts";
import { createChat } from "./chat.ts";
import { createShell } from "./shell.ts";
import { createOutsideNotice, createSignInForm, hasOutsideAccounts } from "./sign-in-form.ts";

const app = document.getElementById("app");
if (!app) throw new Error("index.html has no #app");

let leave: () => void = () => undefined;

function show(notice: string | null): void {
  leave();
  leave = () => undefined;
  const user = account.user();
  if (!user) {
    const form = hasOutsideAccounts()
      ? createOutsideNotice()
      : createSignInForm(account, notice, () => show(null));
    app?.replaceChildren(form);
    return;
  }
  const chat = createChat(account, user, (fresh) => shell.showCaughtUp(fresh));
  const shell = createShell(chat, account);
  leave = () => {
    shell.stop();
    chat.stop();
  };
  app?.replaceChildren(shell.node);
}

/** iOS lays the keyboard over the page, so the visible height is passed to the CSS. */
function followViewport(): void {
  const viewport = window.visualViewport;
  if (!viewport) return;
  const apply = (): void => {
    document.documentElement.style.setProperty("--height", `${viewport.height}px`);
    scrollTo(0, 0);
  };
  viewport.addEventListener("resize", apply);
}

const account = createAccount(show);
followViewport();
show(null);
