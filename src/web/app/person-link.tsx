/** A person's picture and name as buttons that open their card. */
import type { ReactElement } from "react";
import { PersonAvatar, useName } from "../../client/ui/avatar.tsx";
import { usePage } from "./context.ts";

/** The name beside it does the same: one stop for the keyboard and for screen readers. */
export function PersonPicture({ userId }: { userId: string }): ReactElement {
  const { openPerson } = usePage();
  return (
    <button
      type="button"
      className="person-picture"
      tabIndex={-1}
      aria-hidden="true"
      onClick={() => openPerson(userId)}
    >
      <PersonAvatar userId={userId} />
    </button>
  );
}

export function PersonName({ userId }: { userId: string }): ReactElement {
  const { openPerson } = usePage();
  return (
    <button
      type="button"
      className="person-name"
      aria-haspopup="dialog"
      onClick={() => openPerson(userId)}
    >
      {useName(userId)}
    </button>
  );
}
