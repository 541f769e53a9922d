/** Acknowledgements of a session's own changes, which the event of the change may answer as well. */
import type { ClientPayload } from "../../protocol/events.ts";
import { fileIdsOf } from "../../protocol/message-content.ts";
import type { Message } from "../../protocol/schemas.ts";
import type { AwaitedChange, Session } from "../session/session.ts";
import type { AckSink } from "./ack-sink.ts";

/** The ack of a change, which the event of the change may answer too. */
interface ChangeAck extends AckSink {
  readonly isAnswered: boolean;
}

/**
 * The ack of a session's own change. The event of the change, where it comes by first, is as
 * good as the answer: so the ack keeps its place among the events (promise 3).
 */
export function awaited(
  session: Session,
  key: string,
  is: AwaitedChange["is"],
  ack: AckSink,
  answerOf = (message: string) => `{"message":${message}}`,
): ChangeAck {
  let isAnswered = false;
  const once = (answer: () => void) => {
    if (!isAnswered) answer();
    isAnswered = true;
  };
  const change: AwaitedChange = {
    is,
    answer: (text) => once(() => ack.ok(answerOf(text))),
  };
  session.waitFor(key, change);
  const done = (answer: () => void) => {
    session.waitsNoMore(key, change);
    once(answer);
  };
  return {
    get isAnswered() {
      return isAnswered;
    },
    ok: (answer) => done(() => ack.ok(answer)),
    refuse: (error) => done(() => ack.refuse(error)),
  };
}

/** Whether a message that came by is what the edit asked for. */
export function isEditedTo(
  message: Message,
  { body, data, attachments }: Pick<ClientPayload<"edit_message">, "body" | "data" | "attachments">,
): boolean {
  if (message.deleted_at !== null || message.edited_at === null) return false;
  if (body !== undefined && message.body !== body) return false;
  if (attachments !== undefined) {
    const shown = (message.attachments ?? []).map(({ id }) => id);
    if (shown.join() !== fileIdsOf(attachments).join()) return false;
  }
  return data === undefined || JSON.stringify(message.data ?? null) === JSON.stringify(data);
}

/** Whether an event has answered it. */
export function isAnswered(ack: AckSink): boolean {
  return "isAnswered" in ack && ack.isAnswered === true;
}
