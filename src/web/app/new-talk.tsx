/** The dialog that starts a conversation, with one person or a group, found by their usernames. */
import { type ReactElement, useState } from "react";
import { useTroupe } from "../../client/react.ts";
import { Avatar } from "../../client/ui/avatar.tsx";
import { isolated } from "../../protocol/isolated.ts";
import type { User } from "../../protocol/schemas.ts";
import { isText, TITLE_MAX } from "../../protocol/text.ts";
import { IconButton } from "./buttons.tsx";
import { usePage } from "./context.ts";
import { Dialog } from "./dialog.tsx";
import { answerOf } from "./http.ts";
import { Sign } from "./icons.tsx";
import { UsernameField } from "./username-field.tsx";

export interface NewTalkProps {
  onCreated(conversationId: string): void;
  onClose(): void;
}

export function NewTalk({ onCreated, onClose }: NewTalkProps): ReactElement {
  const client = useTroupe();
  const { me } = usePage();
  const [chosen, setChosen] = useState<readonly User[]>([]);
  const [title, setTitle] = useState("");
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const name = title.trim();
  const isGroup = chosen.length > 1 || name !== "";

  const take = (user: User): string | null => {
    if (user.id === me.id) return "That is you.";
    if (chosen.some(({ id }) => id === user.id)) return "Already chosen.";
    setChosen([...chosen, user]);
    return null;
  };
  const create = async (): Promise<void> => {
    if (isBusy || chosen.length === 0) return;
    if (name !== "" && !isText(name, TITLE_MAX)) return setProblem("That name is too long.");
    setBusy(true);
    const ids = chosen.map(({ id }) => id);
    const answer = await answerOf(client.createConversation(ids, name === "" ? undefined : name));
    setBusy(false);
    if (answer.ok) onCreated(answer.value.id);
    else setProblem(answer.error.message);
  };

  return (
    <Dialog title="New conversation" onClose={onClose}>
      <UsernameField id="find-username" action="Add" onFound={take} onEmpty={() => void create()} />
      <ul className="chosen" aria-label="Chosen people">
        {chosen.map(({ id, username, display_name }) => (
          <li key={id}>
            <Avatar id={id} name={display_name || username} size="small" />
            <span>{isolated(display_name || username)}</span>
            <IconButton
              label={`Remove ${username}`}
              onClick={() => setChosen(chosen.filter((one) => one.id !== id))}
            >
              <Sign name="close" />
            </IconButton>
          </li>
        ))}
      </ul>
      <p className="hint">Add more than one person for a group.</p>
      {(chosen.length > 1 || title !== "") && (
        <div className="field">
          <label htmlFor="group-title">Group name (optional)</label>
          <input
            id="group-title"
            autoComplete="off"
            value={title}
            onChange={(event) => setTitle(event.target.value)}
          />
        </div>
      )}
      <p className="form-problem" role="alert">
        {problem}
      </p>
      <button
        type="button"
        className="button-primary"
        disabled={isBusy || chosen.length === 0}
        onClick={() => void create()}
      >
        {isGroup ? "Create group" : "Start conversation"}
      </button>
    </Dialog>
  );
}
