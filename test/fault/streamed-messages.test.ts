/**
 * Streams whose worker is killed: contract/messages.md, "Streamed messages". A stream goes on at its
 * last checkpoint, its writer continues by the length of a `conflict`, and nobody misses a rev.
 */
import { afterEach, describe, expect, it } from "vitest";
import type { Message } from "../../src/protocol/schemas.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { upTo } from "../support/expectations.ts";
import { promised } from "../support/promised.ts";
import type { Session } from "../support/session.ts";
import { noSocketsLeft } from "../support/suite.ts";

const WORKERS = 2;
const NEW = { contract: "1.1", reconnection: true };
const ACK_DEADLINE_MS = 2_000;
const WRITTEN_WITHIN_MS = promised(20_000, 60_000);
const TRUTH_WITHIN_MS = promised(10_000, 30_000);
const FAILED_WITHIN_MS = 45_000;

let troupe: Troupe | undefined;

afterEach(async (context) => {
  if (context.task.result?.state === "fail") console.error(troupe?.logTail());
  await troupe?.discard();
  troupe = undefined;
  await noSocketsLeft();
});

/** Appends all of `text`, from where the server says that it stands. */
async function writes(session: Session, message: Message, text: string): Promise<number> {
  const { conversation_id, seq } = message;
  const characters = [...text];
  const until = performance.now() + WRITTEN_WITHIN_MS;
  let conflicts = 0;
  for (let offset = 0; offset < characters.length; ) {
    if (performance.now() > until) throw new Error(`only ${offset} characters were taken`);
    const piece = characters.slice(offset, offset + 10).join("");
    const asked = { conversation_id, seq, offset, text: piece };
    const answer = await session.tries("append_message", asked, ACK_DEADLINE_MS);
    if (answer?.ok) offset = (answer as unknown as { length: number }).length;
    else if (answer?.error?.code === "conflict") {
      conflicts++;
      offset = (answer.error.details as { length: number }).length;
    }
  }
  return conflicts;
}

/** Neighbouring revs of changes of messages that do not follow each other, on one connection. */
function brokenRevs(session: Session): [number, number][] {
  const broken: [number, number][] = [];
  let last = 0;
  for (const { kind, name, payload } of session.record) {
    if (kind === "disconnect") last = 0;
    if (kind !== "event" || !name.startsWith("message")) continue;
    const { rev } = payload as { rev?: number };
    if (rev === undefined) continue;
    if (last > 0 && rev !== last + 1) broken.push([last, rev]);
    last = rev;
  }
  return broken;
}

const text = upTo(400)
  .map((n) => `word${n} `)
  .join("");

describe("a stream whose worker is killed", () => {
  it.each(upTo(WORKERS))(
    "[FLT-STR1] goes on where it is stored and ends whole, in gapless revs (worker %i)",
    async (n) => {
      troupe = await startTroupe({ workers: WORKERS });
      const [ann, bob] = await troupe.users("ann", "bob");
      const group = await ann!.startsGroup(bob!);
      const writer = await ann!.connects(NEW);
      const reader = await bob!.connects(NEW);
      const { message } = await writer.does("send_message", {
        conversation_id: group.id,
        client_id: "streamed",
        streaming: true,
      });
      const writing = writes(writer, message, text);
      await reader.next("message_checkpoint", undefined, TRUTH_WITHIN_MS);
      await troupe.killWorker(n - 1);
      await writing;
      const asked = { conversation_id: group.id, seq: message.seq, state: "done" as const };
      let ended = await writer.tries("end_message", asked, ACK_DEADLINE_MS);
      while (ended?.ok !== true) ended = await writer.tries("end_message", asked, ACK_DEADLINE_MS);
      expect(brokenRevs(reader)).toEqual([]);
      const stored = (await bob!.reads(group.id)).at(-1)!;
      expect(stored).toMatchObject({ body: text, stream: { state: "done" } });
    },
  );

  it("[FLT-STR2] is open at its last checkpoint for everybody, and `failed` when its writer does not come back", async () => {
    troupe = await startTroupe({ workers: WORKERS });
    const [ann, bob] = await troupe.users("ann", "bob");
    const group = await ann!.startsGroup(bob!);
    const readers = await Promise.all(upTo(4).map(() => bob!.connects(NEW)));
    const writer = await ann!.connects(NEW);
    const { message } = await writer.does("send_message", {
      conversation_id: group.id,
      client_id: "left alone",
      streaming: true,
    });
    const { conversation_id, seq } = message;
    await writer.does("append_message", { conversation_id, seq, offset: 0, text: "kept" });
    for (const reader of readers) {
      await reader.next("message_checkpoint", undefined, TRUTH_WITHIN_MS);
    }
    await writer.does("append_message", { conversation_id, seq, offset: 4, text: " and lost" });
    await writer.disconnects();
    // The last one first: killWorker counts the workers that are left.
    await Promise.all(upTo(WORKERS).map((n) => troupe!.killWorker(WORKERS - n)));
    const [back] = readers as [Session];
    await back.next("ready", undefined, TRUTH_WITHIN_MS);
    const joined = await back.does("join_conversation", { conversation_id });
    expect(joined.streams).toEqual([{ conversation_id, seq, length: 4, text: "kept" }]);
    const failed = await back.next(
      "message_updated",
      ({ stream }) => stream?.state === "failed",
      FAILED_WITHIN_MS,
    );
    expect(failed.body).toBe("kept");
  });
});
