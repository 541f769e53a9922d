/** The conversations, with the way to new ones above them and the user below them. */
import type { ReactElement } from "react";
import { useMe } from "../../client/react.ts";
import { Avatar } from "../../client/ui/avatar.tsx";
import { ConnectionBanner } from "../../client/ui/banner.tsx";
import { ConversationList } from "../../client/ui/conversation-list.tsx";
import { isolated } from "../../protocol/isolated.ts";
import { IconButton } from "./buttons.tsx";
import { goTo, usePage } from "./context.ts";
import { Sign } from "./icons.tsx";
import { talkAddress } from "./route.ts";
import { useStore } from "./store.ts";

export interface SideProps {
  talkId: string | null;
  onCompose(): void;
  onSearch(): void;
  onSettings(): void;
}

export function Side({ talkId, onCompose, onSearch, onSettings }: SideProps): ReactElement {
  const session = usePage();
  const me = useMe() ?? session.me;
  const status = useStore(session.status.chosen);
  const name = isolated(me.display_name || me.username);
  return (
    <div className="side">
      <header className="side-header">
        <p className="brand" aria-hidden="true">
          Troupe
        </p>
        <div className="tools">
          <IconButton label="New conversation" onClick={onCompose}>
            <Sign name="compose" />
          </IconButton>
        </div>
      </header>
      <ConnectionBanner />
      <ConversationList
        selected={talkId}
        onSelect={(id) => goTo(talkAddress(id))}
        onSearch={onSearch}
      />
      <button type="button" className="me" aria-haspopup="dialog" onClick={onSettings}>
        <Avatar id={me.id} name={name} presence={status === "invisible" ? null : status} />
        <bdi className="me-name">{name}</bdi>
        <span className="visually-hidden">, your profile, status and settings</span>
        <Sign name="settings" />
      </button>
    </div>
  );
}
