/** One open post with its comments, oldest first, more on demand, and a place to write one. */
import { type ReactElement, useEffect, useRef, useState } from "react";
import { Icon } from "../../client/ui/icons.tsx";
import type { Comment } from "../../protocol/social.ts";
import { IconButton } from "./buttons.tsx";
import { goTo, usePage } from "./context.ts";
import { Failure } from "./feed-pane.tsx";
import { showLastComment } from "./last-comment.ts";
import { PersonName, PersonPicture } from "./person-link.tsx";
import { PostCard } from "./post-card.tsx";
import { RichText } from "./rich-text.tsx";
import { FEED_ADDRESS } from "./route.ts";
import { useStore } from "./store.ts";
import { fullTime, shortTime } from "./wording.ts";
import { WriteBox } from "./write-box.tsx";

export function PostPane({ postId }: { postId: string }): ReactElement {
  const { social } = usePage();
  const { posts, threads } = social;
  const state = useStore(posts);
  const column = useRef<HTMLDivElement>(null);
  useEffect(() => {
    threads.open(postId);
    return () => threads.open(null);
  }, [threads, postId]);

  const held = state.posts.get(postId);
  const thread = state.threads.get(postId);
  const isGone = !held && state.gone.has(postId);
  const hasMore = held !== undefined && (thread?.nextCursor ?? null) !== null;
  const isWaiting = !isGone && state.threadProblem === null && (!held || !thread);
  const isQuiet = held && thread && thread.items.length + thread.tail.length === 0;

  const send = async (body: string) => {
    const answer = await threads.write(postId, body);
    if (answer.ok) requestAnimationFrame(() => showLastComment(column.current));
    return answer;
  };

  return (
    <section className="pane post-pane" aria-label="Post">
      <header className="pane-header">
        <IconButton label="Back to the feed" onClick={() => goTo(FEED_ADDRESS)}>
          <Icon name="back" />
        </IconButton>
        <h2>Post</h2>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard */}
      <div className="feed-scroller" tabIndex={0}>
        <div ref={column} className="feed-column">
          <ol className="posts" aria-label="Post">
            {held && <PostCard held={held} />}
          </ol>
          <Comments label="Comments" comments={held && thread ? thread.items : []} />
          {hasMore && <More />}
          {hasMore && <Comments label="Your newest comments" comments={thread?.tail ?? []} />}
          <p className="feed-status" role="status">
            {isWaiting ? "Loading…" : isQuiet ? "No comments yet." : ""}
          </p>
          {state.threadProblem !== null && (
            <Failure text={state.threadProblem} onRetry={threads.refresh} />
          )}
          {isGone && (
            <div className="empty">
              <p className="empty-title">This post is not there any more</p>
              <p>It was deleted, or you cannot see it.</p>
            </div>
          )}
        </div>
      </div>
      {!isGone && (
        <div className="comment-write">
          <WriteBox
            id="write-comment"
            label="Comment"
            placeholder="Write a comment"
            action="Send"
            isSentByEnter
            send={send}
          />
        </div>
      )}
    </section>
  );
}

function More(): ReactElement {
  const { social } = usePage();
  const [isBusy, setBusy] = useState(false);
  const load = async (): Promise<void> => {
    setBusy(true);
    await social.threads.loadMore();
    setBusy(false);
  };
  return (
    <button
      type="button"
      className="button-quiet more"
      disabled={isBusy}
      onClick={() => void load()}
    >
      Show more comments
    </button>
  );
}

interface CommentsProps {
  label: string;
  comments: readonly Comment[];
}

function Comments({ label, comments }: CommentsProps): ReactElement {
  return (
    <ol className="comments" aria-label={label}>
      {comments.map(({ id, author_id, created_at, body }) => (
        <li key={id} className="comment">
          <PersonPicture userId={author_id} />
          <div className="comment-words">
            <div className="comment-head">
              <PersonName userId={author_id} />
              <time
                className="comment-time"
                dateTime={created_at}
                title={fullTime(Date.parse(created_at))}
              >
                {shortTime(Date.parse(created_at), Date.now())}
              </time>
            </div>
            <p className="comment-body" dir="auto">
              <RichText text={body} />
            </p>
          </div>
        </li>
      ))}
    </ol>
  );
}
