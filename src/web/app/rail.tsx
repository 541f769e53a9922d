/**
 * The page's main navigation: a rail at the side on a desktop, a bar at the bottom on a phone.
 * Conversations, feed, and the bell, each with what is unread.
 */
import type { ReactElement, ReactNode, Ref } from "react";
import { Icon } from "../../client/ui/icons.tsx";
import { Sign } from "./icons.tsx";
import { FEED_ADDRESS, type Route, talkAddress } from "./route.ts";
import { countedName } from "./wording.ts";

export interface RailProps {
  /** The bell's button. */
  ref: Ref<HTMLButtonElement>;
  view: Route["view"];
  unreadTalks: number;
  unreadNotices: number;
  isBellOpen: boolean;
  onBell(): void;
}

export function Rail(props: RailProps): ReactElement {
  const { ref, view, unreadTalks, unreadNotices, isBellOpen, onBell } = props;
  return (
    <nav className="rail" aria-label="Main">
      <a
        className="rail-item"
        href={talkAddress(null)}
        aria-current={view === "talks" ? "page" : undefined}
        aria-label={countedName("Talks", unreadTalks, "unread message")}
      >
        <Face label="Talks" count={unreadTalks}>
          <Sign name="talks" />
        </Face>
      </a>
      <a
        className="rail-item"
        href={FEED_ADDRESS}
        aria-current={view === "talks" ? undefined : "page"}
      >
        <Face label="Feed" count={0}>
          <Sign name="feed" />
        </Face>
      </a>
      <button
        ref={ref}
        type="button"
        className="rail-item bell"
        aria-expanded={isBellOpen}
        aria-controls="notices"
        aria-label={countedName("Notifications", unreadNotices, "unread notification")}
        onClick={onBell}
      >
        <Face label="Notifications" count={unreadNotices}>
          <Icon name="bell" />
        </Face>
      </button>
    </nav>
  );
}

interface FaceProps {
  label: string;
  count: number;
  children: ReactNode;
}

/**
 * The stylesheet shows the number, and the owner's accessible name says it in words: as text it
 * would be a visible label that the name does not contain.
 */
function Face({ label, count, children }: FaceProps): ReactElement {
  return (
    <>
      {children}
      <span className="rail-label">{label}</span>
      {count > 0 && <span className="badge rail-badge" data-count={count > 99 ? "99+" : count} />}
    </>
  );
}
