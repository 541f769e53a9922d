/** The open streams of several conversations, from their actors. */
import type { SyncAnswer } from "../../ports/edge.ts";
import { ANSWER_BYTES_MAX, messageBytes } from "../../protocol/answer-bytes.ts";
import { utf8Bytes } from "../../protocol/app-data.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { ShownStream } from "../../protocol/streams.ts";
import type { Gateway } from "../../runtime/gateway.ts";

/**
 * Those that the user may see; their texts as far as they fit beside the answer. An actor that does
 * not answer now is left out: the next delta shows its reader that something is missing.
 */
export async function readStreams(
  gateway: Pick<Gateway, "ask">,
  user: UserId,
  ids: readonly ConversationId[],
  { conversations }: Pick<SyncAnswer, "conversations">,
): Promise<ShownStream[]> {
  const asked = { user, session: "" } as const;
  const answers = await Promise.all(
    ids.map((id) => gateway.ask("conversation", id, "streams", asked)),
  );
  let bytes = 0;
  for (const { messages } of conversations) {
    for (const message of messages) bytes += messageBytes(message);
  }
  return answers.flatMap((answer) => {
    if (!answer.ok) return [];
    return answer.value.streams.map(({ text, ...stream }) => {
      bytes += utf8Bytes(text ?? "");
      return text === undefined || bytes > ANSWER_BYTES_MAX ? stream : { ...stream, text };
    });
  });
}
