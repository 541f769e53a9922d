/** What one session joins and leaves of a conversation happens in the order in which it asked. */
import type { ConversationId } from "../../protocol/ids.ts";
import { type Done, TOO_MANY_READS, Turns } from "../limits/turns.ts";
import type { Session } from "../session/session.ts";
import type { AckSink } from "./ack-sink.ts";

/** Joins and leaves of one conversation that a session may have waiting; past it they are refused. */
const WAITING_MAX = 100;

export class Ordered {
  readonly #turns = new Turns<string>(1, WAITING_MAX);

  run(session: Session, id: ConversationId, ack: AckSink, begin: (ack: AckSink) => void): void {
    const isTaken = this.#turns.take(`${session.id} ${id}`, (done) => begin(withEnd(ack, done)));
    if (!isTaken) ack.refuse(TOO_MANY_READS);
  }
}

/** Calls `done` when it has been answered. */
export function withEnd(ack: AckSink, done: Done): AckSink {
  return {
    ok(answer) {
      ack.ok(answer);
      done();
    },
    refuse(error) {
      ack.refuse(error);
      done();
    },
  };
}
