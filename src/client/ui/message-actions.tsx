/** What one can do with a message: shown while it is pointed at, tapped, or has the focus. */
import type { ReactElement } from "react";
import { attempt } from "../attached.ts";
import { useTroupe } from "../react.ts";
import { useShared } from "./frame.tsx";
import { Icon, type IconName } from "./icons.tsx";
import type { MessageProps } from "./parts.ts";
import { MenuItem, Popup } from "./popup.tsx";
import { ReactionPicker } from "./reactions.tsx";

export function Actions(props: MessageProps): ReactElement {
  const { message, isOwn, may, onReply, onEdit, onThread } = props;
  const client = useTroupe();
  const { texts } = useShared();
  const { conversation_id: id, seq } = message;
  const isPinned = message.pinned_at !== undefined;
  // What the server refuses stays as it is; the message says the rest.
  const remove = (): void => void attempt(client.remove(id, seq));
  const pin = (): void =>
    void attempt(
      isPinned
        ? client.api("DELETE /api/conversations/:id/pins/:seq", { id, seq })
        : client.api("PUT /api/conversations/:id/pins/:seq", { id, seq }),
    );
  const copy = (): void => void navigator.clipboard?.writeText(message.body).catch(() => undefined);
  const mayDelete = isOwn || (message.sender_id !== null && may.deleteOf(message.sender_id));
  const action = (icon: IconName, label: string, run: () => void): ReactElement => (
    <button type="button" title={label} aria-label={label} onClick={run}>
      <Icon name={icon} />
    </button>
  );
  return (
    <div className="troupe-actions">
      {may.react && <ReactionPicker message={message} />}
      {onReply && may.send && action("reply", texts.reply, () => onReply(message))}
      {onThread && may.thread && action("thread", texts.openThread, () => onThread(message))}
      {message.body !== "" && action("copy", texts.copy, copy)}
      {may.pin && action("pin", isPinned ? texts.unpin : texts.pin, pin)}
      {isOwn && onEdit && action("edit", texts.edit, () => onEdit(message))}
      {mayDelete && (
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
