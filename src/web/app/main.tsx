/**
 * The page's entry: shows the sign-in form or the conversations, and moves between the two as
 * the login begins and ends. A client like any other: it uses the published contract only.
 */
import { createRoot } from "react-dom/client";
import { adoptStyle, isRightToLeft } from "../../client/ui/frame.tsx";
import { createAccount } from "./account.ts";
import { Page } from "./page.tsx";
import { createSession, type Session } from "./session.ts";
import { hasOutsideAccounts, OutsideNotice, SignIn } from "./sign-in.tsx";

const app = document.getElementById("app");
if (!app) throw new Error("index.html has no #app");
const root = createRoot(app);
// Before anything is drawn, so that nothing moves.
if (isRightToLeft(navigator.language)) document.documentElement.dir = "rtl";
adoptStyle(document);

let session: Session | null = null;
/** Each sign-in begins with a page that remembers nothing of the one before. */
let turn = 0;

function show(notice: string | null): void {
  session?.stop();
  session = null;
  turn++;
  const user = account.user();
  if (user !== null) {
    session = createSession(account, user);
    root.render(<Page key={turn} session={session} account={account} />);
  } else if (hasOutsideAccounts()) root.render(<OutsideNotice />);
  else {
    root.render(
      <SignIn key={turn} account={account} notice={notice} onSignedIn={() => show(null)} />,
    );
  }
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
