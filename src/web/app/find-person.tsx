/** The dialog that finds someone by their exact username and shows their card. */
import type { ReactElement } from "react";
import { Dialog } from "./dialog.tsx";
import { UsernameField } from "./username-field.tsx";

export interface FindPersonProps {
  onFound(userId: string): void;
  onClose(): void;
}

export function FindPerson({ onFound, onClose }: FindPersonProps): ReactElement {
  return (
    <Dialog title="Find people" onClose={onClose}>
      <UsernameField
        id="person-username"
        action="Find"
        onFound={(user) => {
          onFound(user.id);
          return null;
        }}
      />
    </Dialog>
  );
}
