/** What members may do with a group as a whole: name it, add people to it, leave it. */
import { type FormEvent, type ReactElement, useId, useState } from "react";
import { isText, TITLE_MAX } from "../../protocol/text.ts";
import { TroupeError } from "../error.ts";
import { useMe, useTroupe } from "../react.ts";
import type { ConversationView } from "../views.ts";
import { useShared } from "./frame.tsx";
import { MenuItem, Popup } from "./popup.tsx";

interface LineProps {
  label: string;
  action: string;
  initial?: string;
  /** Resolves with what the field holds afterwards; rejects with TroupeError. */
  submit(text: string): Promise<string>;
}

/** A field with its button, and below it why it was refused. */
function Line({ label, action, initial = "", submit }: LineProps): ReactElement {
  const id = useId();
  const [text, setText] = useState(initial);
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const run = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (isBusy || text.trim() === "") return;
    setBusy(true);
    setProblem("");
    try {
      setText(await submit(text.trim()));
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      setProblem(error.message);
    }
    setBusy(false);
  };
  return (
    <form className="troupe-line" onSubmit={(event) => void run(event)}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        dir="auto"
        value={text}
        autoComplete="off"
        spellCheck={false}
        aria-describedby={`${id}.problem`}
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" disabled={isBusy || text.trim() === "" || text === initial}>
        {action}
      </button>
      <p id={`${id}.problem`} className="troupe-problem" role="alert">
        {problem}
      </p>
    </form>
  );
}

export function RenameGroup({ view }: { view: ConversationView }): ReactElement {
  const client = useTroupe();
  const { texts } = useShared();
  const { id, conversation } = view;
  return (
    <Line
      label={conversation.kind === "channel" ? texts.channelName : texts.groupName}
      action={texts.rename}
      initial={conversation.title ?? ""}
      submit={async (title) => {
        if (!isText(title, TITLE_MAX)) {
          throw new TroupeError({ code: "invalid_payload", message: texts.nameTooLong(TITLE_MAX) });
        }
        await client.api("PATCH /api/conversations/:id", { id, title });
        return title;
      }}
    />
  );
}

export function AddMember({ conversationId }: { conversationId: string }): ReactElement {
  const client = useTroupe();
  const { texts } = useShared();
  return (
    <Line
      label={texts.addByUsername}
      action={texts.add}
      submit={async (typed) => {
        const username = typed.replace(/^@/, "").toLowerCase();
        const user = await client.api("GET /api/users", { username }).catch((error: unknown) => {
          if (!(error instanceof TroupeError) || error.code !== "not_found") throw error;
          throw new TroupeError({ code: "not_found", message: texts.nobodyCalled(username) });
        });
        await client.api("POST /api/conversations/:id/members", {
          id: conversationId,
          user_ids: [user.id],
        });
        return "";
      }}
    />
  );
}

interface LeaveGroupProps {
  conversationId: string;
  isChannel?: boolean;
}

export function LeaveGroup({ conversationId, isChannel = false }: LeaveGroupProps): ReactElement {
  const client = useTroupe();
  const { texts } = useShared();
  const meId = useMe()?.id ?? "";
  const [problem, setProblem] = useState("");
  const leave = async (): Promise<void> => {
    try {
      await client.api("DELETE /api/conversations/:id/members/:user_id", {
        id: conversationId,
        user_id: meId,
      });
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      setProblem(error.message);
    }
  };
  const label = isChannel ? texts.leaveChannel : texts.leave;
  return (
    <div className="troupe-leave">
      <Popup icon="leave" label={label} text={label} isMenu>
        {(close) => (
          <MenuItem
            icon="leave"
            isDangerous
            onClick={() => {
              close();
              void leave();
            }}
          >
            {isChannel ? texts.leaveChannelForGood : texts.leaveForGood}
          </MenuItem>
        )}
      </Popup>
      <p className="troupe-problem" role="alert">
        {problem}
      </p>
    </div>
  );
}
