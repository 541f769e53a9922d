/**
 * Commands whose texts are judged by the word rules first, before anything else is done with them.
 * Where there are no rules, each is called as it is.
 */
import type { AppData } from "../../protocol/app-data.ts";
import type { ErrorObject } from "../../protocol/errors.ts";
import type { Message } from "../../protocol/schemas.ts";
import type { WordRules } from "../moderation/word-rules.ts";
import type { AckSink } from "./ack-sink.ts";
import type { Commands } from "./handler.ts";

interface Text {
  body?: string;
  data?: AppData | null;
}

export function moderated(commands: Commands, rules: WordRules): Commands {
  /** Calls `pass` with what the rules leave of the payload, unless they refuse it. */
  function judged<P extends Text>(
    payload: P,
    ack: AckSink,
    pass: (payload: P, ack: AckSink) => void | Promise<void>,
  ): void | Promise<void> {
    const { body } = payload;
    if (rules.isEmpty || body === undefined) return pass(payload, ack);
    const verdict = rules.judge(body);
    if (verdict.is === "refused") {
      ack.refuse(verdict.error);
      return;
    }
    const masked = verdict.text === body ? payload : { ...payload, body: verdict.text };
    return pass(masked, verdict.reports.length === 0 ? ack : reporting(ack, verdict.reports));
  }

  /** The message is reported once it is committed. */
  function reporting(ack: AckSink, reports: readonly string[]): AckSink {
    return {
      ok(answer) {
        ack.ok(answer);
        const { message } = JSON.parse(answer) as { message: Message };
        rules.reportMessage(reports, message);
      },
      refuse: (error: ErrorObject) => ack.refuse(error),
    };
  }

  return {
    ...commands,
    send_message: (session, payload, ack) =>
      judged(payload, ack, (left, sink) => commands.send_message(session, left, sink)),
    edit_message: (session, payload, ack) =>
      judged(payload, ack, (left, sink) => commands.edit_message(session, left, sink)),
  };
}
