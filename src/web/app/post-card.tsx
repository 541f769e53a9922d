/**
 * One post: who wrote it, what, its likes and comments counting live. The same in the feed and where
 * the post is open.
 */
import { memo, type ReactElement, useEffect, useRef, useState } from "react";
import { useName } from "../../client/ui/avatar.tsx";
import { Icon } from "../../client/ui/icons.tsx";
import { MenuItem, Popup } from "../../client/ui/popup.tsx";
import { usePage } from "./context.ts";
import { Question } from "./dialog.tsx";
import { Sign } from "./icons.tsx";
import { PersonName, PersonPicture } from "./person-link.tsx";
import { type HeldPost, shownLike } from "./post-state.ts";
import { RichText } from "./rich-text.tsx";
import { postAddress } from "./route.ts";
import { counted, fullTime, shortCount, shortTime } from "./wording.ts";

export const PostCard = memo(function PostCard({ held }: { held: HeldPost }): ReactElement {
  const { social, me } = usePage();
  const { id, body, author_id, created_at, comment_count } = held.post;
  const address = postAddress(id);
  const atMs = Date.parse(created_at);
  const author = useName(author_id);
  const { liked, count } = shownLike(held);
  const article = useRef<HTMLElement>(null);
  useEffect(() => {
    const node = article.current;
    if (node === null) return;
    social.watch.add(node, id);
    return () => social.watch.remove(node);
  }, [social, id]);
  return (
    <li className="post-item">
      <article ref={article} className="post" data-post={id} aria-label={`Post by ${author}`}>
        <header className="post-head">
          <PersonPicture userId={author_id} />
          <div className="post-by">
            <PersonName userId={author_id} />
            <a className="post-time" href={address} title={fullTime(atMs)}>
              {shortTime(atMs, Date.now())}
            </a>
          </div>
          {author_id === me.id && <Options postId={id} />}
        </header>
        <p className="post-body" dir="auto">
          <RichText text={body} />
        </p>
        <footer className="post-foot">
          <button
            type="button"
            className="post-action like"
            aria-pressed={liked}
            aria-label={`Like, ${counted(count, "like")}`}
            onClick={() => social.likes.toggle(id)}
          >
            <Icon name="heart" />
            <span className="post-count">{shortCount(count)}</span>
          </button>
          <a className="post-action" href={address} aria-label={counted(comment_count, "comment")}>
            <Sign name="comment" />
            <span className="post-count">{shortCount(comment_count)}</span>
          </a>
          <p className="inline-problem" role="alert">
            {held.problem}
          </p>
        </footer>
      </article>
    </li>
  );
});

function Options({ postId }: { postId: string }): ReactElement {
  const { social, toasts } = usePage();
  const [isAsked, setAsked] = useState(false);
  const remove = async (): Promise<void> => {
    const answer = await social.feed.remove(postId);
    if (!answer.ok) toasts.show(`Not deleted. ${answer.error.message}`, "bad");
  };
  return (
    <>
      <Popup icon="more" label="Post options" className="icon-button post-menu" isMenu>
        {(close) => (
          <MenuItem
            icon="remove"
            isDangerous
            onClick={() => {
              close();
              setAsked(true);
            }}
          >
            Delete
          </MenuItem>
        )}
      </Popup>
      {isAsked && (
        <Question
          question="Delete this post, its likes and comments?"
          action="Delete"
          onConfirmed={() => void remove()}
          onClose={() => setAsked(false)}
        />
      )}
    </>
  );
}
