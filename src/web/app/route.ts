/**
 * The page's addresses: the part of the URL behind `#` names the open view. An unknown address
 * shows the list of conversations.
 */
export type Route =
  | { view: "talks"; talkId: string | null }
  | { view: "feed" }
  | { view: "post"; postId: string };

const ID = "([1-9]\\d{0,18})";
const TALK = new RegExp(`^#/c/${ID}$`);
const POST = new RegExp(`^#/p/${ID}$`);

export function routeOf(hash: string): Route {
  const talkId = TALK.exec(hash)?.[1];
  if (talkId !== undefined) return { view: "talks", talkId };
  const postId = POST.exec(hash)?.[1];
  if (postId !== undefined) return { view: "post", postId };
  return hash === "#/feed" ? { view: "feed" } : { view: "talks", talkId: null };
}

export const talkAddress = (talkId: string | null): string =>
  talkId === null ? "#/" : `#/c/${talkId}`;
export const postAddress = (postId: string): string => `#/p/${postId}`;
export const FEED_ADDRESS = "#/feed";
