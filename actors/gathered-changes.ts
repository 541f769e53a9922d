/**
 * Changes that all members of a conversation receive (title, settings, members) are gathered: the
 * first is written at once, and what is asked for less than `CHANGES_EVERY_MS` after a change was
 * committed waits until then and is written together, as one change with one rev. So however many
 * members ask, everybody receives at most 4 such changes a second.
 *
 * States: nothing waits → a call comes → it is written at once, or the timer of the next moment
 * runs → the transaction is under way, while further calls wait → committed, back to the start.
 *
 * [GCH1] At most one change every `CHANGES_EVERY_MS` is committed; each takes one rev.
 * [GCH2] Every caller is answered with the change that holds theirs, or with their own refusal,
 *        which concerns no other caller.
 * [GCH3] The waiting calls, and the users whom they name, are bounded; past it: `unavailable`.
 * [GCH5] A change that adds a user does not also remove them: that they were gone, or there, is
 *        a change of its own, which their sessions receive.
 * [GCH4] An activation that ends writes the waiting calls at once, so every caller is answered.
 */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import type { Conversation } from "../src/protocol/schemas.ts";
import { BEFORE_ALL, later, type Monotonic, msBetween } from "../src/protocol/time.ts";
import type { Context, Reply } from "./behaviour.ts";
import {
  CHANGED_USERS_AT_ONCE_MAX,
  CHANGED_USERS_WAITING_MAX,
  CHANGES_EVERY_MS,
  CHANGES_WAITING_MAX,
} from "./limits.ts";
import type { ConversationCall, ConversationChange, ConversationStore } from "./ports.ts";

export const CHANGES_TIMER = "changes";

interface WaitingCall {
  call: ConversationCall;
  reply: Reply;
}

export interface WaitingChanges {
  calls: WaitingCall[];
  /** How many users the calls name. */
  users: number;
  isWriting: boolean;
  /** Nothing is written before this moment. */
  notBeforeMs: Monotonic;
  /** The activation ends: nothing waits for a moment any more. */
  isRetiring: boolean;
}

export const nothingWaits = (): WaitingChanges => ({
  calls: [],
  users: 0,
  isWriting: false,
  notBeforeMs: BEFORE_ALL,
  isRetiring: false,
});

export const hasWaitingChanges = ({ calls, isWriting }: WaitingChanges): boolean =>
  isWriting || calls.length > 0;

/** The part of a conversation's state that this module uses. */
export interface ChangesHost {
  id: ConversationId;
  gathered: WaitingChanges;
}

export interface ChangesRules<Host extends ChangesHost> {
  store: Pick<ConversationStore, "change">;
  /** A change was committed: it is published before its callers are answered. */
  committed(host: Host, change: ConversationChange, ctx: Context): void;
  /** Memberships of a channel changed; after `committed`. */
  quiet?(
    host: Host,
    calls: readonly ConversationCall[],
    change: ConversationChange,
    ctx: Context,
  ): void;
  /** The JSON text with which a call that was not refused is answered. */
  answerOf(call: ConversationCall, change: ConversationChange): string;
}

/** The acts that are written as calls of a gathered change. */
export type ChangeAct =
  | "update"
  | "update_member"
  | "add_members"
  | "remove_member"
  | "come_in"
  | "accept"
  | "ban"
  | "unban"
  | "delete_conversation";

/** The call that `by` makes with this op of the actor. */
export function callOf(act: ChangeAct, body: unknown, by: UserId): ConversationCall {
  switch (act) {
    case "update": {
      const {
        user: _user,
        session: _session,
        isService: _isService,
        ...patch
      } = body as ConversationOps["update"]["body"];
      return { by, does: "update", ...patch };
    }
    case "update_member": {
      const asked = body as ConversationOps["update_member"]["body"];
      const { user: _user, session: _session, isService: _isService, user_id, ...patch } = asked;
      return { by, does: "member", userId: user_id, ...patch };
    }
    case "add_members": {
      const { user_ids } = body as ConversationOps["add_members"]["body"];
      return { by, does: "add", userIds: user_ids };
    }
    case "remove_member": {
      const { user_id } = body as ConversationOps["remove_member"]["body"];
      return { by, does: "remove", userId: user_id };
    }
    case "come_in":
      return { by, does: "join" };
    case "accept": {
      const { invite_id } = body as ConversationOps["accept"]["body"];
      return { by, does: "accept", inviteId: invite_id };
    }
    case "ban": {
      const { user_id, until, reason } = body as ConversationOps["ban"]["body"];
      return { by, does: "ban", userId: user_id, until, reason };
    }
    case "unban": {
      const { user_id } = body as ConversationOps["unban"]["body"];
      return { by, does: "unban", userId: user_id };
    }
    case "delete_conversation":
      return { by, does: "delete" };
  }
}

/** The conversation as the change made it, before the system messages about it. */
export function asOfChange({
  conversation,
  systemMessages,
}: ConversationChange): Conversation | null {
  const [first] = systemMessages;
  if (conversation === null || first === undefined) return conversation;
  const { last_n: _, ...rest } = conversation;
  const last_seq = first.seq - 1;
  const isCounted = first.n === undefined || first.n === last_seq;
  return { ...rest, rev: first.rev - 1, last_seq, ...(!isCounted && { last_n: first.n! }) };
}

/** Takes a call; its reply is used exactly once. */
export function askChange<Host extends ChangesHost>(
  host: Host,
  waiting: WaitingCall,
  rules: ChangesRules<Host>,
  ctx: Context,
): void {
  const { gathered } = host;
  const users = usersIn(waiting.call);
  const isFull =
    gathered.calls.length >= CHANGES_WAITING_MAX ||
    gathered.users + users > CHANGED_USERS_WAITING_MAX;
  if (isFull) {
    waiting.reply.refuse(REFUSALS.unavailable.error);
    return;
  }
  gathered.calls.push(waiting);
  gathered.users += users;
  writeChanges(host, rules, ctx);
}

/** Writes what waits, or sets the timer for it. */
export function writeChanges<Host extends ChangesHost>(
  host: Host,
  rules: ChangesRules<Host>,
  ctx: Context,
): void {
  const { gathered } = host;
  if (gathered.isWriting || gathered.calls.length === 0) return;
  const leftMs = msBetween(ctx.monotonicMs, gathered.notBeforeMs);
  if (leftMs > 0 && !gathered.isRetiring) {
    ctx.after(leftMs, CHANGES_TIMER);
    return;
  }
  const batch = takeBatch(gathered);
  gathered.isWriting = true;
  ctx.run(
    rules.store.change(
      host.id,
      batch.map(({ call }) => call),
    ),
    (change) => {
      gathered.isWriting = false;
      if (change.changed) {
        gathered.notBeforeMs = later(ctx.monotonicMs, CHANGES_EVERY_MS);
        rules.committed(host, change, ctx);
      }
      if (change.quiet !== undefined) {
        const done = batch.filter((_, n) => change.outcomes[n]?.ok === true);
        rules.quiet?.(
          host,
          done.map(({ call }) => call),
          change,
          ctx,
        );
      }
      answer(batch, change, rules);
      writeChanges(host, rules, ctx);
    },
    () => {
      gathered.isWriting = false;
      for (const { reply } of batch) reply.refuse(REFUSALS.unavailable.error);
      writeChanges(host, rules, ctx);
    },
  );
}

/** [GCH4] */
export function retireChanges<Host extends ChangesHost>(
  host: Host,
  rules: ChangesRules<Host>,
  ctx: Context,
): void {
  host.gathered.isRetiring = true;
  writeChanges(host, rules, ctx);
}

/** The oldest calls, as many as one change takes; at least one. */
function takeBatch(gathered: WaitingChanges): WaitingCall[] {
  let users = 0;
  let count = 0;
  const added = new Set<UserId>();
  const removed = new Set<UserId>();
  for (const { call } of gathered.calls) {
    const coming = addedBy(call);
    const going = removedBy(call);
    // [GCH5] A deletion removes everybody.
    const isTurn =
      coming.some((user) => removed.has(user)) ||
      going.some((user) => added.has(user)) ||
      (call.does === "delete" && added.size > 0);
    const isMuch = users + usersIn(call) > CHANGED_USERS_AT_ONCE_MAX;
    if (count > 0 && (isTurn || isMuch)) break;
    users += usersIn(call);
    count++;
    for (const user of coming) added.add(user);
    for (const user of going) removed.add(user);
  }
  gathered.users -= users;
  return gathered.calls.splice(0, count);
}

function addedBy(call: ConversationCall): readonly UserId[] {
  if (call.does === "add") return call.userIds;
  const comesIn = call.does === "join" || call.does === "accept";
  return comesIn && call.by !== null ? [call.by] : [];
}

function removedBy(call: ConversationCall): readonly UserId[] {
  return call.does === "remove" || call.does === "ban" ? [call.userId] : [];
}

/** [GCH2] Callers whose answers are alike share the text. */
function answer<Host extends ChangesHost>(
  batch: readonly WaitingCall[],
  change: ConversationChange,
  rules: ChangesRules<Host>,
): void {
  const texts = new Map<ConversationCall["does"], string>();
  const rev = asOfChange(change)?.rev ?? 0;
  batch.forEach(({ call, reply }, n) => {
    const outcome = change.outcomes[n] ?? REFUSALS.internal;
    if (!outcome.ok) {
      reply.refuse(outcome.error);
      return;
    }
    const text = texts.get(call.does) ?? rules.answerOf(call, change);
    texts.set(call.does, text);
    reply.okText(text, outcome.value.changed ? rev : 0);
  });
}

function usersIn(call: ConversationCall): number {
  switch (call.does) {
    case "update":
    case "delete":
    case "trim":
      return 0;
    case "add":
      return call.userIds.length;
    case "remove":
    case "member":
    case "join":
    case "accept":
    case "ban":
    case "unban":
      return 1;
  }
}
