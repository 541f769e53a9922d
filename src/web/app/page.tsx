/**
 * The signed-in page: the rail, the conversations, and beside them (or over them on a phone) the open
 * conversation, the feed or a post; what is open is in step with the address.
 */
import { type ReactElement, useEffect, useRef, useState } from "react";
import { useConnection, useNotifications, useUnreadTotal } from "../../client/react.ts";
import { ConnectionBanner } from "../../client/ui/banner.tsx";
import { TroupeUI } from "../../client/ui/frame.tsx";
import type { Target } from "../../client/ui/message-list.tsx";
import { placeOfMessage, Search, useSearchKey } from "../../client/ui/search.tsx";
import type { Account } from "./account.ts";
import { Bell } from "./bell.tsx";
import { goTo, SharedContext, usePage, useRoute } from "./context.ts";
import { FeedPane } from "./feed-pane.tsx";
import { useLook } from "./look.ts";
import { NewTalk } from "./new-talk.tsx";
import { PersonCard } from "./person-card.tsx";
import { PostPane } from "./post-pane.tsx";
import { Rail } from "./rail.tsx";
import { FEED_ADDRESS, type Route, talkAddress } from "./route.ts";
import type { Session } from "./session.ts";
import { Settings } from "./settings.tsx";
import { Side } from "./side.tsx";
import { useStore } from "./store.ts";
import { TalkPane } from "./talk-pane.tsx";

export interface PageProps {
  session: Session;
  account: Account;
}

export function Page({ session, account }: PageProps): ReactElement {
  const look = useLook();
  return (
    <TroupeUI client={session.client} className="page" {...look}>
      <Shell session={session} account={account} />
    </TroupeUI>
  );
}

type Opened = { is: "new-talk" } | { is: "settings" } | { is: "person"; userId: string };

function Shell({ session, account }: PageProps): ReactElement {
  const route = useRoute();
  const link = useConnection().is;
  const [opened, setOpened] = useState<Opened | null>(null);
  const [isBellOpen, setBellOpen] = useState(false);
  const bell = useRef<HTMLButtonElement>(null);
  const unreadTalks = useUnreadTotal();
  const unreadNotices = useNotifications().unread;
  const { view } = route;
  const talkId = route.view === "talks" ? route.talkId : null;
  const postId = route.view === "post" ? route.postId : null;
  const close = (): void => setOpened(null);
  const [target, setTarget] = useState<(Target & { id: string }) | null>(null);
  const [isSearching, setSearching] = useState(false);
  const search = (): void => setSearching(true);
  useSearchKey(search);
  const { client } = session;
  const goToMessage = async (conversationId: string, seq: number): Promise<void> => {
    const place = await placeOfMessage(client, conversationId, seq);
    setTarget({ ...place.target, id: place.id });
    goTo(talkAddress(place.id));
  };
  const compose = (): void => setOpened({ is: "new-talk" });
  const openPerson = (userId: string): void => setOpened({ is: "person", userId });

  const unread = unreadTalks + unreadNotices;
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) Troupe` : "Troupe";
  }, [unread]);
  useEffect(
    () => () => {
      document.title = "Troupe";
    },
    [],
  );

  const { feed } = session.social;
  useEffect(() => feed.setShown(view !== "talks"), [feed, view]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another view is open
  useEffect(() => setBellOpen(false), [route]);

  const closeBell = (givesFocusBack: boolean): void => {
    setBellOpen(false);
    if (givesFocusBack) bell.current?.focus();
  };
  /** Escape closes what is open, and leaves no conversation. */
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      if (document.querySelector("dialog[open]")) return;
      if (isBellOpen) {
        setBellOpen(false);
        bell.current?.focus();
      } else if (view === "post") goTo(FEED_ADDRESS);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [isBellOpen, view]);

  return (
    <SharedContext.Provider value={{ ...session, openPerson }}>
      <div
        className="shell"
        data-link={link}
        data-view={view}
        data-open={talkId !== null || view !== "talks" || undefined}
        // What is written to, or read alone, has the whole of a phone.
        data-alone={talkId !== null || postId !== null || undefined}
      >
        <Notice view={view} />
        <Rail
          ref={bell}
          view={view}
          unreadTalks={unreadTalks}
          unreadNotices={unreadNotices}
          isBellOpen={isBellOpen}
          onBell={() => setBellOpen(!isBellOpen)}
        />
        <main className="content">
          <h1 className="visually-hidden">Troupe</h1>
          {isBellOpen && <Bell button={bell} onClose={closeBell} />}
          <Side
            talkId={talkId}
            onCompose={compose}
            onSearch={search}
            onSettings={() => setOpened({ is: "settings" })}
          />
          {view === "talks" && <TalkPane talkId={talkId} target={target} onCompose={compose} />}
          {view !== "talks" && <FeedPane isShown={view === "feed"} />}
          {postId !== null && <PostPane key={postId} postId={postId} />}
        </main>
        {isSearching && (
          <Search
            onClose={() => setSearching(false)}
            onConversation={(id) => goTo(talkAddress(id))}
            onPerson={({ id }) => openPerson(id)}
            onMessage={(id, seq) => void goToMessage(id, seq)}
          />
        )}
        {opened?.is === "new-talk" && (
          <NewTalk
            onClose={close}
            onCreated={(id) => {
              close();
              goTo(talkAddress(id));
            }}
          />
        )}
        {opened?.is === "settings" && (
          <Settings onClose={close} onSignOut={() => void account.signOut()} />
        )}
        {opened?.is === "person" && <PersonCard userId={opened.userId} onClose={close} />}
      </div>
    </SharedContext.Provider>
  );
}

/** In the flow, so that it covers nothing. */
function Notice({ view }: { view: Route["view"] }): ReactElement {
  const { toasts } = usePage();
  const toast = useStore(toasts.shown);
  return (
    <div className="notice-line">
      {/* A conversation has a banner of its own. */}
      {view !== "talks" && <ConnectionBanner />}
      <p className="banner" role="status" data-tone={toast?.tone}>
        {toast?.text}
      </p>
    </div>
  );
}
