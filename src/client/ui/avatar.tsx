/** Pictures of people and groups, and who is there. */
import type { ReactElement } from "react";
import { isolated } from "../../protocol/isolated.ts";
import type { PresenceStatus } from "../../protocol/schemas.ts";
import { useConnection, usePresence, useUser } from "../react.ts";
import { useShared } from "./frame.tsx";
import type { AvatarProps, PresenceProps } from "./parts.ts";
import { initialsOf, tintOf } from "./words.ts";

/** Initials on a tint. Decoration: the name stands beside it. */
export function Avatar(props: AvatarProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Avatar ?? OwnAvatar;
  return <Part {...props} />;
}

function OwnAvatar({ id, name, presence, size = "medium" }: AvatarProps): ReactElement {
  return (
    <span className="troupe-avatar" data-tint={tintOf(id)} data-size={size} aria-hidden="true">
      <span>{initialsOf(name)}</span>
      {presence && <span className="troupe-dot" data-presence={presence} />}
    </span>
  );
}

/** While this client is offline itself it knows of nobody. */
export function useShownPresence(userId: string): PresenceStatus | null {
  const status = usePresence(userId)?.status ?? null;
  const connection = useConnection().is;
  return connection === "online" || status === null ? status : "offline";
}

export interface PersonProps {
  userId: string;
  size?: "small" | "medium";
}

/** The picture of a person with their presence, live. */
export function PersonAvatar({ userId, size }: PersonProps): ReactElement {
  const name = useName(userId);
  return (
    <Avatar
      id={userId}
      name={name}
      presence={useShownPresence(userId)}
      {...(size !== undefined && { size })}
    />
  );
}

/** "online", "last seen 9:41", live. */
export function Presence(props: PresenceProps): ReactElement {
  const { parts } = useShared();
  const Part = parts.Presence ?? OwnPresence;
  return <Part {...props} />;
}

function OwnPresence({ userId }: PresenceProps): ReactElement {
  const { words } = useShared();
  return <span className="troupe-presence">{words.presence(usePresence(userId))}</span>;
}

export function useName(userId: string): string {
  const { texts } = useShared();
  const user = useUser(userId);
  if (user === undefined) return "";
  return user === null ? texts.someone : isolated(user.display_name || user.username);
}
