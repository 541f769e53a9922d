/** What a handler of a client's event is: called with a validated payload, it answers once. */
import type { ClientEventName, ClientPayload } from "../../protocol/events.ts";
import type { Session } from "../session/session.ts";
import type { AckSink } from "./ack-sink.ts";

type Handler<E extends ClientEventName> = (
  session: Session,
  payload: ClientPayload<E>,
  ack: AckSink,
) => void | Promise<void>;

export type Commands = { [E in ClientEventName]: Handler<E> };
