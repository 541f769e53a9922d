/** ScheduledStore in memory; the twin of ../postgres/scheduled.ts, held to the same suite. */
import type {
  ClaimedMessages,
  ScheduledChange,
  ScheduledPage,
  ScheduledStore,
  ScheduledWish,
  ScheduleOutcome,
} from "../../ports/scheduled.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { MessageContent } from "../../protocol/message-content.ts";
import { SCHEDULED_MAX, type Scheduled } from "../../protocol/scheduled-routes.ts";
import { asConversationId } from "../../protocol/schemas.ts";
import { decodePlace } from "../postgres/cursor.ts";
import { SCHEDULED_OUTCOMES } from "../postgres/refusals.ts";
import { scheduledPage } from "../postgres/scheduled.ts";
import type { StoredScheduled } from "./scheduled-table.ts";
import { compareIds, type MemoryTables } from "./tables.ts";

const byTime = (a: StoredScheduled, b: StoredScheduled) =>
  Date.parse(a.item.send_at) - Date.parse(b.item.send_at) || compareIds(a.item.id, b.item.id);

export class MemoryScheduled implements ScheduledStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async schedule(
    user: UserId,
    id: ConversationId,
    { clientId, sendAt, body, replyToSeq, content }: ScheduledWish,
  ): Promise<Result<ScheduleOutcome>> {
    const stored = this.#tables.readableOf(user, id);
    if (stored === undefined) return REFUSALS.conversationNotFound;
    const seq = stored.seqs.get(`${user} ${clientId}`);
    if (seq !== undefined) return ok({ created: false, item: { ...stored.messages[seq - 1]! } });
    const own = this.#all().filter(({ userId }) => userId === user);
    const known = own.find(
      ({ item }) => item.conversation_id === id && item.client_id === clientId,
    );
    if (known !== undefined) return ok({ created: false, item: { ...known.item } });
    if (own.length >= SCHEDULED_MAX) return SCHEDULED_OUTCOMES["full"]!;
    const item: Scheduled = {
      id: this.#tables.nextId(),
      conversation_id: id,
      client_id: clientId,
      send_at: new Date(sendAt).toISOString(),
      body,
      reply_to_seq: replyToSeq,
      created_at: this.#tables.nowIso(),
      ...content,
    };
    const dueMs = Date.parse(sendAt);
    this.#tables.scheduled.set(item.id, { userId: user, item, dueMs, claimedUntilMs: 0 });
    return ok({ created: true, item: { ...item } });
  }

  async scheduled(
    user: UserId,
    id: ConversationId | null,
    limit: number,
    cursor: string | null,
  ): Promise<ScheduledPage> {
    const place = cursor === null ? null : decodePlace(cursor);
    if (place === undefined) return { is: "bad_cursor" };
    const rest = this.#all().filter(({ userId, item, claimedUntilMs }) => {
      if (userId !== user || claimedUntilMs > this.#tables.nowMs()) return false;
      if (id !== null && item.conversation_id !== id) return false;
      if (place === null) return true;
      const atMs = Date.parse(item.send_at);
      return atMs > place.atMs || (atMs === place.atMs && compareIds(item.id, place.id) > 0);
    });
    return scheduledPage(
      rest.sort(byTime).map(({ item }) => ({ ...item })),
      limit,
    );
  }

  async scheduledItem(user: UserId, itemId: string): Promise<Scheduled | null> {
    const found = this.#waiting(user, itemId);
    return found === undefined ? null : { ...found.item };
  }

  async reschedule(
    user: UserId,
    itemId: string,
    { sendAt, body, data, attachments }: ScheduledChange,
  ): Promise<Result<Scheduled>> {
    const found = this.#waiting(user, itemId);
    if (found === undefined) return SCHEDULED_OUTCOMES["no_item"]!;
    const { data: before, attachments: filesBefore, ...rest } = found.item;
    const now = data === undefined ? before : data;
    const files = attachments ?? filesBefore ?? [];
    found.item = {
      ...rest,
      ...(sendAt !== undefined && { send_at: new Date(sendAt).toISOString() }),
      ...(body !== undefined && { body }),
      ...(now && { data: now }),
      ...(files.length > 0 && { attachments: files }),
    };
    if (sendAt !== undefined) found.dueMs = Date.parse(sendAt);
    return ok({ ...found.item });
  }

  async unschedule(user: UserId, itemId: string): Promise<boolean> {
    return this.#waiting(user, itemId) !== undefined && this.#tables.scheduled.delete(itemId);
  }

  async claimScheduled(limit: number, leaseMs: number): Promise<ClaimedMessages> {
    const nowMs = this.#tables.nowMs();
    const all = this.#all().sort(byTime);
    const isBehind = (one: StoredScheduled) =>
      all.some(
        (other) =>
          other.item.conversation_id === one.item.conversation_id &&
          byTime(other, one) < 0 &&
          (other.claimedUntilMs > nowMs || (other.userId === one.userId && other.dueMs > nowMs)),
      );
    const due = all
      .filter((one) => one.dueMs <= nowMs && one.claimedUntilMs <= nowMs && !isBehind(one))
      .slice(0, limit);
    for (const one of due) one.claimedUntilMs = nowMs + leaseMs;
    const messages = due.map(({ userId, item }) => {
      const { id, conversation_id, client_id, body, reply_to_seq, ...rest } = item;
      const { send_at: _at, created_at: _made, ...content } = rest;
      return {
        id,
        userId,
        conversationId: asConversationId(conversation_id),
        clientId: client_id,
        body,
        replyToSeq: reply_to_seq,
        content: content as MessageContent,
      };
    });
    return { claim: String(nowMs + leaseMs), due: messages };
  }

  async renewScheduled(itemIds: readonly string[], claim: string, leaseMs: number) {
    const untilMs = this.#tables.nowMs() + leaseMs;
    const held = itemIds.flatMap((id) => this.#claimed(id, claim) ?? []);
    for (const one of held) one.claimedUntilMs = untilMs;
    if (held.length === 0) return null;
    return { claim: String(untilMs), ids: held.map(({ item }) => item.id) };
  }

  async scheduledDone(itemId: string): Promise<void> {
    this.#tables.scheduled.delete(itemId);
  }

  async scheduledLater(itemId: string, claim: string, delayMs: number): Promise<void> {
    const found = this.#claimed(itemId, claim);
    if (found === undefined) return;
    found.claimedUntilMs = 0;
    found.dueMs = this.#tables.nowMs() + delayMs;
  }

  #all(): StoredScheduled[] {
    return [...this.#tables.scheduled.values()];
  }

  #claimed(itemId: string, claim: string): StoredScheduled | undefined {
    const found = this.#tables.scheduled.get(itemId);
    return found !== undefined && String(found.claimedUntilMs) === claim ? found : undefined;
  }

  #waiting(user: UserId, itemId: string): StoredScheduled | undefined {
    const found = this.#tables.scheduled.get(itemId);
    if (found?.userId !== user || found.claimedUntilMs > this.#tables.nowMs()) return undefined;
    return found;
  }
}
