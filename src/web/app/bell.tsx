/** The list behind the bell: beside the rail on a desktop, over the page on a phone. */
import { type ReactElement, useEffect, useRef } from "react";
import { Notifications } from "../../client/ui/notifications.tsx";
import type { Notification } from "../../protocol/social.ts";
import { goTo, usePage } from "./context.ts";
import { postAddress, talkAddress } from "./route.ts";

export interface BellProps {
  button: { current: HTMLButtonElement | null };
  onClose(givesFocusBack: boolean): void;
}

/** Where it happened; null where there is nothing to open but whoever did it. */
export function placeOf({ post_id, data }: Pick<Notification, "post_id" | "data">): string | null {
  if (post_id !== null) return postAddress(post_id);
  // A mention in a conversation says which.
  const id = typeof data === "object" && data !== null && "conversation_id" in data;
  return id && typeof data.conversation_id === "string" ? talkAddress(data.conversation_id) : null;
}

export function Bell({ button, onClose }: BellProps): ReactElement {
  const { openPerson } = usePage();
  const node = useRef<HTMLDivElement>(null);
  const latest = useRef(onClose);
  latest.current = onClose;

  useEffect(() => {
    node.current?.querySelector("h2")?.focus({ preventScroll: true });
    const onOutside = (event: Event): void => {
      const at = event.target;
      if (!(at instanceof Node)) return;
      if (!node.current?.contains(at) && !button.current?.contains(at)) latest.current(false);
    };
    document.addEventListener("pointerdown", onOutside, true);
    return () => document.removeEventListener("pointerdown", onOutside, true);
  }, [button]);

  const open = (notice: Notification): void => {
    const place = placeOf(notice);
    onClose(false);
    if (place !== null) goTo(place);
    else if (notice.actor_id !== null) openPerson(notice.actor_id);
  };
  return (
    <div ref={node} id="notices" className="notice-panel">
      <Notifications onOpen={open} onClose={() => onClose(true)} isReadWhenSeen />
    </div>
  );
}
