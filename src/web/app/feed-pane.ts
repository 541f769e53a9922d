/**
 * The feed: a place to write, the posts of people one follows, more of them on scrolling down,
 * and a way to the new ones when there are some. New posts never push what is being read.
 */
import type { Chat } from "./chat.ts";
import { el, iconButton, keyedList, setText } from "./dom.ts";
import { oncePerFrame } from "./frame.ts";
import { icon } from "./icons.ts";
import { createPostCard, type PostActions } from "./post-card.ts";
import type { HeldPost } from "./post-state.ts";
import { counted } from "./wording.ts";
import { createWriteBox } from "./write-box.ts";

/** Older posts are fetched this far ahead of the end. */
const OLDER_AHEAD_PX = 800;

export interface FeedPane {
  node: HTMLElement;
  setShown(isShown: boolean): void;
  /** Times grow old, names come in. */
  refresh(): void;
  stop(): void;
}

export interface FeedPaneHooks extends PostActions {
  /** Shown at the end of the header. */
  chip: HTMLElement;
  findPeople(): void;
}

export function createFeedPane(chat: Chat, hooks: FeedPaneHooks): FeedPane {
  const { posts, feed } = chat.social;
  const writing = createWriteBox({
    id: "write-post",
    label: "New post",
    placeholder: "What is new?",
    action: "Post",
    isSentByEnter: false,
    send: (body) => feed.write(body),
  });
  const list = el("ol", { class: "posts", attrs: { "aria-label": "Posts" } });
  const news = el("button", { class: "news", attrs: { type: "button", hidden: true } });
  const newsText = el("span", { attrs: { role: "status" } });
  news.append(icon("up"), newsText);
  const status = el("p", { class: "feed-status", attrs: { role: "status" } });
  const problem = el("p", { class: "inline-problem", attrs: { role: "alert" } });
  const retry = el("button", {
    class: "button-link",
    text: "Try again",
    attrs: { type: "button" },
  });
  const failure = el("div", { class: "feed-failure", attrs: { hidden: true } }, problem, retry);
  const find = el("button", { class: "button-primary", text: "Find people" });
  find.type = "button";
  const empty = el("div", { class: "empty", attrs: { hidden: true } });
  empty.append(
    el("p", { class: "empty-title", text: "Quiet so far" }),
    el("p", { text: "Write the first post, or follow someone: what they write comes here." }),
    find,
  );
  const column = el("div", { class: "feed-column" }, writing.node, list, empty, status, failure);
  const scroller = el("div", { class: "feed-scroller", attrs: { tabindex: "-1" } }, column);
  const header = el("header", { class: "pane-header" });
  header.append(
    el("h2", { text: "Feed" }),
    hooks.chip,
    iconButton("search", "Find people", hooks.findPeople),
    iconButton("reload", "Look for new posts", () => void showNews()),
  );
  const area = el("div", { class: "feed-area" }, scroller, news);
  const node = el("section", { class: "pane feed-pane", attrs: { "aria-label": "Feed" } });
  node.append(header, area);
  node.hidden = true;

  const renderPosts = keyedList<HeldPost>(
    list,
    ({ post }) => post.id,
    (held) => createPostCard(held, hooks),
  );

  const render = (): void => {
    if (node.hidden) return;
    const state = posts.get();
    const shown = state.feed.flatMap((id) => state.posts.get(id) ?? []);
    chat.people.need(shown.map(({ post }) => post.author_id));
    renderPosts(shown);
    empty.hidden = shown.length > 0 || !state.isFeedLoaded;
    news.hidden = state.waiting.length === 0;
    setText(newsText, counted(state.waiting.length, "new post"));
    failure.hidden = state.feedProblem === null;
    setText(problem, state.feedProblem ?? "");
    const isMore = !state.isFeedLoaded || state.feedCursor !== null;
    setText(status, isMore && state.feedProblem === null ? "Loading…" : "");
    loadOlder();
  };
  const frame = oncePerFrame(render);

  function loadOlder(): void {
    const { isFeedLoaded, feedProblem } = posts.get();
    const belowPx = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    if (isFeedLoaded && feedProblem === null && belowPx < OLDER_AHEAD_PX) void feed.loadOlder();
  }

  async function showNews(): Promise<void> {
    await feed.reload();
    scroller.scrollTop = 0;
  }

  news.addEventListener("click", showNews);
  find.addEventListener("click", hooks.findPeople);
  retry.addEventListener("click", () => {
    const wasLoaded = posts.get().isFeedLoaded;
    posts.update((state) => ({ ...state, feedProblem: null }));
    if (!wasLoaded) void feed.reload();
  });
  scroller.addEventListener("scroll", loadOlder);
  const unsubscribe = posts.subscribe(frame.ask);

  return {
    node,
    setShown(isShown) {
      if (node.hidden !== isShown) return;
      node.hidden = !isShown;
      render();
    },
    refresh: frame.ask,
    stop() {
      unsubscribe();
      frame.cancel();
    },
  };
}
