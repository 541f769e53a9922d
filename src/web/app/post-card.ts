/**
 * The elements of one post: who wrote it, what, its likes and comments counting live. The same
 * in the feed and where the post is open.
 */
import { askToConfirm } from "./dialog.ts";
import { el, iconButton, type KeyedEntry, setAttr, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import type { MessageMenu } from "./message-menu.ts";
import { createPersonLink } from "./person-link.ts";
import { type HeldPost, shownLike } from "./post-state.ts";
import { setRichText } from "./rich-text.ts";
import { postAddress } from "./route.ts";
import type { Social } from "./social.ts";
import type { State } from "./state.ts";
import { counted, fullTime, shortCount, shortTime } from "./wording.ts";

export interface PostActions {
  social: Social;
  /** Names and presence, as they are now. */
  state(): State;
  menu: MessageMenu;
  openPerson(userId: string): void;
  onProblem(text: string): void;
}

export function createPostCard(first: HeldPost, actions: PostActions): KeyedEntry<HeldPost> {
  const { id, body, author_id, created_at } = first.post;
  const { social } = actions;
  const address = postAddress(id);
  const atMs = Date.parse(created_at);
  const author = createPersonLink(actions.openPerson);
  const time = el("a", { class: "post-time", attrs: { href: address } });
  const menu = iconButton("more", "Post options", () => actions.menu.open([remove], menu));
  menu.classList.add("post-menu");
  setAttr(menu, "aria-haspopup", "menu");
  const remove = {
    label: "Delete",
    isDangerous: true,
    choose: () =>
      askToConfirm("Delete this post, its likes and comments?", "Delete", async () => {
        const answer = await social.feed.remove(id);
        if (!answer.ok) actions.onProblem(`Not deleted. ${answer.error.message}`);
      }),
  };
  const text = el("p", { class: "post-body" });
  setRichText(text, body);
  const likeCount = el("span", { class: "post-count" });
  const like = el("button", { class: "post-action like", attrs: { type: "button" } });
  like.append(icon("heart"), likeCount);
  like.addEventListener("click", () => social.likes.toggle(id));
  const commentCount = el("span", { class: "post-count" });
  const comments = el("a", { class: "post-action", attrs: { href: address } });
  comments.append(icon("comment"), commentCount);
  const problem = el("p", { class: "inline-problem", attrs: { role: "alert" } });

  const head = el("header", { class: "post-head" });
  head.append(author.picture, el("div", { class: "post-by" }, author.name, time), menu);
  const foot = el("footer", { class: "post-foot" }, like, comments, problem);
  const article = el("article", { class: "post", attrs: { "data-post": id } }, head, text, foot);
  social.watch.add(article, id);

  let shown: HeldPost | null = null;
  let shownState: State | null = null;
  return {
    node: el("li", { class: "post-item" }, article),
    update(held) {
      const state = actions.state();
      setText(time, shortTime(atMs, Date.now()));
      // Counts come often, and mostly to one of many posts.
      if (held === shown && state === shownState) return;
      shown = held;
      shownState = state;
      author.update(state, author_id);
      setAttr(article, "aria-label", `Post by ${author.name.textContent}`);
      setAttr(time, "title", fullTime(atMs));
      menu.hidden = author_id !== state.me.id;
      const { liked, count } = shownLike(held);
      setText(likeCount, shortCount(count));
      setAttr(like, "aria-pressed", String(liked));
      setAttr(like, "aria-label", `Like, ${counted(count, "like")}`);
      setText(commentCount, shortCount(held.post.comment_count));
      setAttr(comments, "aria-label", counted(held.post.comment_count, "comment"));
      setText(problem, held.problem ?? "");
    },
  };
}
