/**
 * One open post with its comments, oldest first, more on demand, and a place to write one.
 */
import type { Comment } from "../../protocol/social.ts";
import type { Chat } from "./chat.ts";
import { el, iconButton, type KeyedEntry, keyedList, setAttr, setText } from "./dom.ts";
import { oncePerFrame } from "./frame.ts";
import { createPersonLink } from "./person-link.ts";
import { createPostCard, type PostActions } from "./post-card.ts";
import type { HeldPost } from "./post-state.ts";
import { setRichText } from "./rich-text.ts";
import { fullTime, shortTime } from "./wording.ts";
import { createWriteBox } from "./write-box.ts";

export interface PostPane {
  node: HTMLElement;
  /** The open post; null hides the pane. */
  setPost(postId: string | null): void;
  refresh(): void;
  stop(): void;
}

export interface PostPaneHooks extends PostActions {
  /** Shown at the end of the header. */
  chip: HTMLElement;
  onBack(): void;
}

function createComment(first: Comment, actions: PostActions): KeyedEntry<Comment> {
  const author = createPersonLink(actions.openPerson);
  const time = el("time", { class: "comment-time" });
  const atMs = Date.parse(first.created_at);
  setAttr(time, "datetime", first.created_at);
  setAttr(time, "title", fullTime(atMs));
  const body = el("p", { class: "comment-body" });
  setRichText(body, first.body);
  const head = el("div", { class: "comment-head" }, author.name, time);
  const words = el("div", { class: "comment-words" }, head, body);
  return {
    node: el("li", { class: "comment" }, author.picture, words),
    update(comment) {
      author.update(actions.state(), comment.author_id);
      setText(time, shortTime(atMs, Date.now()));
    },
  };
}

export function createPostPane(chat: Chat, hooks: PostPaneHooks): PostPane {
  const { posts, threads } = chat.social;
  let openId: string | null = null;

  const card = el("ol", { class: "posts", attrs: { "aria-label": "Post" } });
  const renderCard = keyedList<HeldPost>(
    card,
    ({ post }) => post.id,
    (held) => createPostCard(held, hooks),
  );
  const commentList = (label: string): HTMLOListElement =>
    el("ol", { class: "comments", attrs: { "aria-label": label } });
  const comments = commentList("Comments");
  const tail = commentList("Your newest comments");
  const keyOf = (comment: Comment): string => comment.id;
  const createRow = (comment: Comment): KeyedEntry<Comment> => createComment(comment, hooks);
  const renderComments = keyedList(comments, keyOf, createRow);
  const renderTail = keyedList(tail, keyOf, createRow);
  const more = el("button", {
    class: "button-quiet more",
    text: "Show more comments",
    attrs: { type: "button", hidden: true },
  });
  more.addEventListener("click", async () => {
    more.disabled = true;
    await threads.loadMore();
    more.disabled = false;
  });
  const status = el("p", { class: "feed-status", attrs: { role: "status" } });
  const problem = el("p", { class: "inline-problem", attrs: { role: "alert" } });
  const retry = el("button", {
    class: "button-link",
    text: "Try again",
    attrs: { type: "button" },
  });
  retry.addEventListener("click", threads.refresh);
  const failure = el("div", { class: "feed-failure", attrs: { hidden: true } }, problem, retry);
  const writing = createWriteBox({
    id: "write-comment",
    label: "Comment",
    placeholder: "Write a comment",
    action: "Send",
    isSentByEnter: true,
    async send(body) {
      const postId = openId;
      if (postId === null) return { ok: true, value: null };
      const answer = await threads.write(postId, body);
      if (answer.ok) requestAnimationFrame(showEnd);
      return answer;
    },
  });
  const gone = el("div", { class: "empty", attrs: { hidden: true } });
  gone.append(
    el("p", { class: "empty-title", text: "This post is not there any more" }),
    el("p", { text: "It was deleted, or you cannot see it." }),
  );
  const column = el("div", { class: "feed-column" });
  column.append(card, comments, more, tail, status, failure, gone);
  const scroller = el("div", { class: "feed-scroller", attrs: { tabindex: "0" } }, column);
  const header = el("header", { class: "pane-header" });
  header.append(
    iconButton("back", "Back to the feed", hooks.onBack),
    el("h2", { text: "Post" }),
    hooks.chip,
  );
  const foot = el("div", { class: "comment-write" }, writing.node);
  const node = el("section", { class: "pane post-pane", attrs: { "aria-label": "Post" } });
  node.append(header, scroller, foot);
  node.hidden = true;

  function showEnd(): void {
    const last = tail.lastElementChild ?? comments.lastElementChild;
    last?.scrollIntoView({ block: "nearest" });
  }

  const render = (): void => {
    if (openId === null) return;
    const state = posts.get();
    const held = state.posts.get(openId);
    const thread = state.threads.get(openId);
    const isGone = !held && state.gone.has(openId);
    const shown = thread ? [...thread.items, ...thread.tail] : [];
    chat.people.need([...shown.map((c) => c.author_id), ...(held ? [held.post.author_id] : [])]);
    renderCard(held ? [held] : []);
    renderComments(held ? (thread?.items ?? []) : []);
    renderTail(held ? (thread?.tail ?? []) : []);
    const hasMore = held !== undefined && (thread?.nextCursor ?? null) !== null;
    more.hidden = !hasMore;
    tail.hidden = !hasMore;
    gone.hidden = !isGone;
    foot.hidden = isGone;
    const isWaiting = !isGone && state.threadProblem === null && (!held || !thread);
    const words = held && thread && shown.length === 0 ? "No comments yet." : "";
    setText(status, isWaiting ? "Loading…" : words);
    failure.hidden = state.threadProblem === null;
    setText(problem, state.threadProblem ?? "");
  };
  const frame = oncePerFrame(render);
  const unsubscribe = posts.subscribe(frame.ask);

  return {
    node,
    setPost(postId) {
      if (postId === openId) return;
      openId = postId;
      node.hidden = postId === null;
      threads.open(postId);
      writing.clear();
      scroller.scrollTop = 0;
      render();
    },
    refresh: frame.ask,
    stop() {
      unsubscribe();
      frame.cancel();
    },
  };
}
