/**
 * Ends streamed messages at the moment at which their writers lose the right to write them, whether
 * or not they append again.
 *
 * [STQ1] A change of a conversation ends the streams of those who may not write in it any more: in
 *        a channel, whose actor holds no ordinary members, each writer is read again.
 * [STQ2] A conversation announces each of its changes to its threads in which streams are open, and
 *        these ask it about each writer.
 */
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import type { Context } from "./behaviour.ts";
import type { StreamStore } from "./stream-ports.ts";
import type { Streams } from "./stream-state.ts";

/** Users whose streams are open and go on. */
export function writersIn({ streams }: { streams: Streams | null }): UserId[] {
  if (streams === null) return [];
  const going = [...streams.open.values()].filter(({ end }) => end === null);
  return [...new Set(going.map(({ by }) => by))];
}

/** [STQ2] Where storage is away each next append is judged by the parent all the same. */
export function tellStreamingThreads(id: ConversationId, store: StreamStore, ctx: Context): void {
  ctx.run(
    store.openThreads(id),
    (threads) => {
      for (const thread of threads) {
        ctx.tell({ kind: "conversation", id: thread }, "parent_changed", {});
      }
    },
    () => undefined,
  );
}
