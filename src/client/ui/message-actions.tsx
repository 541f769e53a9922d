/**
 * What one can do with a message: a bar while it is pointed at or has the focus, a menu after a long
 * press where nothing can point.
 */
import type { ReactElement } from "react";
import { attempt } from "../attached.ts";
import { useTroupe } from "../react.ts";
import { useShared } from "./frame.tsx";
import { Icon, type IconName } from "./icons.tsx";
import type { MessageProps } from "./parts.ts";
import { MenuItem, Opened, Popup } from "./popup.tsx";
import { Picker, ReactionPicker } from "./reactions.tsx";

interface Action {
  icon: IconName;
  label: string;
  run(): void;
}

interface Possible {
  actions: readonly Action[];
  /** Null where this user may not delete it. */
  remove: (() => void) | null;
}

function usePossible(props: MessageProps): Possible {
  const { message, isOwn, may, onReply, onEdit, onThread } = props;
  const client = useTroupe();
  const { texts } = useShared();
  const { conversation_id: id, seq } = message;
  const isPinned = message.pinned_at !== undefined;
  const actions: Action[] = [];
  const add = (icon: IconName, label: string, run: () => void): void => {
    actions.push({ icon, label, run });
  };
  if (onReply && may.send) add("reply", texts.reply, () => onReply(message));
  if (onThread && may.thread) add("thread", texts.openThread, () => onThread(message));
  if (message.body !== "") {
    add(
      "copy",
      texts.copy,
      () => void navigator.clipboard?.writeText(message.body).catch(() => undefined),
    );
  }
  // What the server refuses stays as it is; the message says the rest.
  if (may.pin) {
    add(
      "pin",
      isPinned ? texts.unpin : texts.pin,
      () =>
        void attempt(
          isPinned
            ? client.api("DELETE /api/conversations/:id/pins/:seq", { id, seq })
            : client.api("PUT /api/conversations/:id/pins/:seq", { id, seq }),
        ),
    );
  }
  if (isOwn && onEdit) add("edit", texts.edit, () => onEdit(message));
  const mayDelete = isOwn || (message.sender_id !== null && may.deleteOf(message.sender_id));
  return { actions, remove: mayDelete ? () => void attempt(client.remove(id, seq)) : null };
}

export function Actions(props: MessageProps): ReactElement {
  const { texts } = useShared();
  const { actions, remove } = usePossible(props);
  return (
    <div className="troupe-actions">
      {props.may.react && <ReactionPicker message={props.message} />}
      {actions.map(({ icon, label, run }) => (
        <button key={icon} type="button" title={label} aria-label={label} onClick={run}>
          <Icon name={icon} />
        </button>
      ))}
      {remove !== null && (
        <Popup icon="remove" label={texts.remove} isMenu>
          {(close) => (
            <MenuItem
              icon="remove"
              isDangerous
              onClick={() => {
                close();
                remove();
              }}
            >
              {texts.removeForAll}
            </MenuItem>
          )}
        </Popup>
      )}
    </div>
  );
}

export interface PressedProps extends MessageProps {
  /** Beside what it opens. */
  at: { current: HTMLElement | null };
  close(): void;
}

/** The same as a menu. */
export function PressedActions({ at, close, ...props }: PressedProps): ReactElement {
  const { texts } = useShared();
  const { actions, remove } = usePossible(props);
  const entry = (run: () => void) => () => {
    close();
    run();
  };
  return (
    <Opened from={at} label={texts.messageActions} isMenu={false} close={close} dismiss={close}>
      {props.may.react && <Picker message={props.message} close={close} />}
      <div role="menu" aria-label={texts.messageActions}>
        {actions.map(({ icon, label, run }) => (
          <MenuItem key={icon} icon={icon} onClick={entry(run)}>
            {label}
          </MenuItem>
        ))}
        {remove !== null && (
          <MenuItem icon="remove" isDangerous onClick={entry(remove)}>
            {texts.removeForAll}
          </MenuItem>
        )}
      </div>
    </Opened>
  );
}
