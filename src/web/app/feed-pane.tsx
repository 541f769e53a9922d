/**
 * The feed: a place to write, the posts of people one follows, more of them on scrolling down,
 * and a way to the new ones when there are some. New posts never push what is being read.
 */
import { type ReactElement, useCallback, useEffect, useRef, useState } from "react";
import { Icon } from "../../client/ui/icons.tsx";
import { IconButton } from "./buttons.tsx";
import { usePage } from "./context.ts";
import { FindPerson } from "./find-person.tsx";
import { Sign } from "./icons.tsx";
import { PostCard } from "./post-card.tsx";
import { useStore } from "./store.ts";
import { counted } from "./wording.ts";
import { WriteBox } from "./write-box.tsx";

/** Older posts are fetched this far ahead of the end. */
const OLDER_AHEAD_PX = 800;

/** Stays, hidden, while one of its posts is open: one comes back to where one was. */
export function FeedPane({ isShown }: { isShown: boolean }): ReactElement {
  const { social, openPerson } = usePage();
  const { posts, feed } = social;
  const state = useStore(posts);
  const scroller = useRef<HTMLDivElement>(null);
  const [isFinding, setFinding] = useState(false);
  const shown = state.feed.flatMap((id) => state.posts.get(id) ?? []);
  const isMore = !state.isFeedLoaded || state.feedCursor !== null;

  const loadOlder = useCallback((): void => {
    const node = scroller.current;
    const { isFeedLoaded, feedProblem } = posts.get();
    if (node === null || node.clientHeight === 0 || !isFeedLoaded || feedProblem !== null) return;
    const belowPx = node.scrollHeight - node.scrollTop - node.clientHeight;
    if (belowPx < OLDER_AHEAD_PX) void feed.loadOlder();
  }, [posts, feed]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever there are others
  useEffect(loadOlder, [state, loadOlder]);

  const showNews = async (): Promise<void> => {
    await feed.reload();
    if (scroller.current) scroller.current.scrollTop = 0;
  };
  const retry = (): void => {
    const wasLoaded = posts.get().isFeedLoaded;
    posts.update((before) => ({ ...before, feedProblem: null }));
    if (!wasLoaded) void feed.reload();
  };
  const find = (): void => setFinding(true);

  return (
    <section className="pane feed-pane" aria-label="Feed" hidden={!isShown}>
      <header className="pane-header">
        <h2>Feed</h2>
        <IconButton label="Find people" onClick={find}>
          <Icon name="search" />
        </IconButton>
        <IconButton label="Look for new posts" onClick={() => void showNews()}>
          <Sign name="reload" />
        </IconButton>
      </header>
      <div className="feed-area">
        <div ref={scroller} className="feed-scroller" tabIndex={-1} onScroll={loadOlder}>
          <div className="feed-column">
            <WriteBox
              id="write-post"
              label="New post"
              placeholder="What is new?"
              action="Post"
              isSentByEnter={false}
              send={feed.write}
            />
            <ol className="posts" aria-label="Posts">
              {shown.map((held) => (
                <PostCard key={held.post.id} held={held} />
              ))}
            </ol>
            {shown.length === 0 && state.isFeedLoaded && (
              <div className="empty">
                <p className="empty-title">Quiet so far</p>
                <p>Write the first post, or follow someone: what they write comes here.</p>
                <button type="button" className="button-primary" onClick={find}>
                  Find people
                </button>
              </div>
            )}
            <p className="feed-status" role="status">
              {isMore && state.feedProblem === null ? "Loading…" : ""}
            </p>
            {state.feedProblem !== null && <Failure text={state.feedProblem} onRetry={retry} />}
          </div>
        </div>
        {state.waiting.length > 0 && (
          <button type="button" className="news" onClick={() => void showNews()}>
            <Sign name="up" />
            <span role="status">{counted(state.waiting.length, "new post")}</span>
          </button>
        )}
      </div>
      {isFinding && (
        <FindPerson
          onClose={() => setFinding(false)}
          onFound={(userId) => {
            setFinding(false);
            openPerson(userId);
          }}
        />
      )}
    </section>
  );
}

export function Failure({ text, onRetry }: { text: string; onRetry(): void }): ReactElement {
  return (
    <div className="feed-failure">
      <p className="inline-problem" role="alert">
        {text}
      </p>
      <button type="button" className="button-link" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}
