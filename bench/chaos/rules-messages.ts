/** Rules about what is stored: durable, once, numbered without gaps, and the same for everyone. */
import type { MessageFact } from "./history.ts";
import { Look, type Rule } from "./rule.ts";

/** [CHA1] */
const nothingLost: Rule = {
  id: "CHA1",
  promise: 1,
  title: "no acknowledged message is lost",
  check({ history, messages }) {
    const look = new Look();
    for (const rec of history.records) {
      if (rec.kind !== "change" || rec.via === "event" || rec.name !== "send_message") continue;
      const acked = rec.message!;
      const stored = messages.get(rec.conversation)?.get(acked.seq);
      const isSame = stored?.id === acked.id && stored.clientId === acked.clientId;
      const where = `conversation ${rec.conversation}, seq ${acked.seq}`;
      look.at(
        isSame,
        () => `${where} (${acked.clientId}) was acknowledged and is not stored`,
        rec,
        stored,
      );
    }
    return look.verdict;
  },
};

/** [CHA2] */
const onlyOnce: Rule = {
  id: "CHA2",
  promise: 2,
  title: "no message is there twice",
  check({ history }) {
    const look = new Look();
    for (const { id, messages } of history.final.conversations) {
      const seen = new Map<string, MessageFact>();
      for (const message of messages) {
        const key = `${message.sender} ${message.clientId}`;
        const first = seen.get(key);
        look.at(
          first === undefined,
          () => `conversation ${id}: ${message.clientId} is seq ${first?.seq} and ${message.seq}`,
          first,
          message,
        );
        seen.set(key, message);
      }
    }
    return look.verdict;
  },
};

/** [CHA3] */
const seqWithoutGaps: Rule = {
  id: "CHA3",
  promise: 3,
  title: "seq is 1, 2, 3 … without gaps",
  check({ history }) {
    const look = new Look();
    for (const { id, lastSeq, messages } of history.final.conversations) {
      messages.forEach((message, i) => {
        const what = () => `conversation ${id}: seq ${message.seq} where ${i + 1} belongs`;
        look.at(message.seq === i + 1, what, message);
      });
      const what = () => `conversation ${id}: last_seq ${lastSeq} of ${messages.length} messages`;
      look.at(lastSeq === messages.length, what, { lastSeq, messages: messages.length });
    }
    return look.verdict;
  },
};

/** [CHA4] */
const revNumbersChanges: Rule = {
  id: "CHA4",
  promise: 3,
  title: "rev numbers each change once, without gaps",
  check({ history }) {
    const look = new Look();
    const changes = new Map<string, Map<number, string>>();
    for (const rec of history.records) {
      if (rec.kind !== "change" || rec.via === "duplicate") continue;
      // The event of a reaction does not show the message.
      if (rec.seq !== undefined) continue;
      const byRev = changes.get(rec.conversation) ?? new Map<number, string>();
      changes.set(rec.conversation, byRev);
      const what =
        rec.message === undefined
          ? `members ${[...rec.members!].sort().join(" ")}`
          : `message ${rec.message.seq} ${rec.message.digest}`;
      const before = byRev.get(rec.rev) ?? what;
      const told = () => `conversation ${rec.conversation}, rev ${rec.rev}: ${before}, and ${what}`;
      look.at(before === what, told, rec);
      byRev.set(rec.rev, what);
    }
    for (const { id, rev, messages } of history.final.conversations) {
      const byRev = new Map<number, MessageFact>();
      for (const message of messages) {
        const other = byRev.get(message.rev);
        const twice = () => `conversation ${id}: seq ${other?.seq} and ${message.seq} share a rev`;
        look.at(other === undefined, twice, other, message);
        look.at(message.rev <= rev, () => `conversation ${id} at rev ${rev}: above it`, message);
        byRev.set(message.rev, message);
      }
      for (const told of changes.get(id)?.keys() ?? []) {
        look.at(told <= rev, () => `conversation ${id}: rev ${told} was told, ${rev} is stored`);
      }
    }
    return look.verdict;
  },
};

/** [CHA5] */
const changesKept: Rule = {
  id: "CHA5",
  promise: 1,
  title: "no acknowledged edit or deletion is lost",
  check({ history, messages }) {
    const look = new Look();
    for (const rec of history.records) {
      if (rec.kind !== "change" || rec.via !== "ack" || rec.name === "send_message") continue;
      const acked = rec.message;
      if (acked === undefined) continue;
      const stored = messages.get(rec.conversation)?.get(acked.seq);
      // The last change of a message shows in full; an earlier one only through the later rev.
      const isKept =
        stored !== undefined &&
        (stored.rev === acked.rev ? stored.digest === acked.digest : stored.rev > acked.rev) &&
        (!acked.deleted || stored.deleted);
      const where = `conversation ${rec.conversation}, seq ${acked.seq}, rev ${acked.rev}`;
      look.at(
        isKept,
        () => `${rec.name} was acknowledged and is not stored: ${where}`,
        rec,
        stored,
      );
    }
    return look.verdict;
  },
};

/** [CHA6] */
const nothingMadeUp: Rule = {
  id: "CHA6",
  promise: 2,
  title: "every stored message was sent, by its sender, as it was sent",
  check({ history }) {
    const look = new Look();
    const sent = new Map<string, Set<string>>();
    for (const rec of history.records) {
      if (rec.kind !== "tried" || rec.name !== "send_message") continue;
      const { user } = history.clients[rec.client]!;
      const key = `${rec.conversation} ${user} ${rec.clientId}`;
      sent.set(key, (sent.get(key) ?? new Set()).add(rec.digest ?? ""));
    }
    for (const { id, messages } of history.final.conversations) {
      for (const message of messages) {
        const key = `${id} ${message.sender} ${message.clientId}`;
        look.at(
          sent.has(key),
          () => `conversation ${id}, seq ${message.seq}: nobody sent it`,
          message,
        );
      }
    }
    return look.verdict;
  },
};

/** [CHA7] */
const membersConverge: Rule = {
  id: "CHA7",
  promise: 3,
  title: "every member ends with the server's history",
  check({ history, messages }) {
    const look = new Look();
    for (const { client, conversations } of history.final.replicas) {
      const { name, user, contract } = history.clients[client]!;
      const held = new Map(conversations.map((one) => [one.id, one]));
      for (const { id, rev, members, parent } of history.final.conversations) {
        const mine = held.get(id);
        const isMember =
          members.some((member) => member.user === user) &&
          (parent === undefined || contract === "1.1");
        const where = `${name}, conversation ${id}`;
        if (!isMember) {
          look.at(mine === undefined, () => `${where}: shown, though no member`, mine?.rev);
          continue;
        }
        look.at(mine !== undefined, () => `${where}: a member, and does not know it`);
        if (mine === undefined) continue;
        look.at(mine.rev === rev, () => `${where}: stands at rev ${mine.rev} of ${rev}`);
        const bySeq = new Map(mine.messages.map((message) => [message.seq, message]));
        for (const stored of messages.get(id)!.values()) {
          const shown = bySeq.get(stored.seq);
          if (shown === undefined && stored.seq <= mine.baseSeq) continue;
          const isSame =
            shown?.rev === stored.rev &&
            shown.digest === stored.digest &&
            shown.reactions === stored.reactions;
          look.at(isSame, () => `${where}, seq ${stored.seq}: shown otherwise`, shown, stored);
        }
      }
    }
    return look.verdict;
  },
};

export const MESSAGE_RULES: readonly Rule[] = [
  nothingLost,
  onlyOnce,
  seqWithoutGaps,
  revNumbersChanges,
  changesKept,
  nothingMadeUp,
  membersConverge,
];
