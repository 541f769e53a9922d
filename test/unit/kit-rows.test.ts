/** What a list of messages of the kit consists of, and its words. */
import { describe, expect, it } from "vitest";
import { type Row, rowsOf } from "../../src/client/ui/rows.ts";
import { TEXTS } from "../../src/client/ui/texts.ts";
import { initialsOf, splitLinks, tintOf, typedText, wordsOf } from "../../src/client/ui/words.ts";
import type { Message } from "../../src/protocol/schemas.ts";

const NOON = new Date(2026, 0, 5, 12).getTime();
const MINUTE_MS = 60_000;

function message(seq: number, sender_id: string, atMs: number): Message {
  return {
    id: String(seq),
    conversation_id: "7",
    seq,
    rev: seq,
    sender_id,
    client_id: `c${seq}`,
    body: `Line ${seq}`,
    reply_to_seq: null,
    created_at: new Date(atMs).toISOString(),
    edited_at: null,
    deleted_at: null,
  };
}

const shape = (rows: readonly Row[]): string[] =>
  rows.map((row) => {
    if (row.is !== "message") return row.is;
    return `${row.message.seq}${row.isFirst ? "<" : ""}${row.isLast ? ">" : ""}`;
  });

describe("the rows of a list of messages", () => {
  it("[KTR10] one person's messages within minutes are a run; another's, and another day, begin anew", () => {
    const messages = [
      message(1, "1", NOON),
      message(2, "1", NOON + MINUTE_MS),
      message(3, "2", NOON + 2 * MINUTE_MS),
      message(4, "2", NOON + 30 * MINUTE_MS),
      message(5, "2", NOON + 24 * 60 * MINUTE_MS),
    ];
    const rows = rowsOf(messages, [], null, "1");
    expect(shape(rows)).toEqual(["day", "1<", "2>", "3<>", "4<>", "day", "5<>"]);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
  });

  it("[KTR11] the line of the new ones stands before the first that somebody else wrote", () => {
    const messages = [1, 2, 3, 4].map((seq) =>
      message(seq, seq === 3 ? "1" : "2", NOON + seq * MINUTE_MS),
    );
    expect(shape(rowsOf(messages, [], 2, "1"))).toEqual([
      ...["day", "1<", "2>", "3<>", "new", "4<>"],
    ]);
    expect(shape(rowsOf(messages, [], 4, "1"))).not.toContain("new");
  });

  it("[KTR15] a system message about what one did is no own message of the list", () => {
    const own = { ...message(1, "1", NOON), client_id: null, type: "system" };
    const rows = rowsOf([own, { ...own, seq: 2 }], [], null, "1");
    expect(rows.map(({ key }) => key).slice(1)).toEqual(["seq.1", "seq.2"]);
  });

  it("[KTR12] an own message has one key from its sending on", () => {
    const outgoing = {
      clientId: "c1",
      conversationId: "7",
      body: "Line 1",
      replyToSeq: null,
      createdAtMs: NOON,
      problem: null,
    };
    const [before] = rowsOf([], [outgoing], null, "1");
    const after = rowsOf([message(1, "1", NOON)], [], null, "1").at(-1);
    expect(before?.key).toBe(after?.key);
  });
});

describe("the words of the kit", () => {
  it("[KTR13] addresses are links, and nothing else is", () => {
    expect(splitLinks("see https://a.example/x, or javascript:alert(1)")).toEqual([
      { text: "see ", href: null },
      { text: "https://a.example/x", href: "https://a.example/x" },
      { text: ", or javascript:alert(1)", href: null },
    ]);
    expect(typedText(" a\r\nb\u0007 ")).toBe("a\nb");
    expect(initialsOf("Ada Lovelace")).toBe("AL");
    expect(initialsOf("")).toBe("·");
    expect(tintOf("9223372036854775807")).toBeLessThan(8);
  });

  it("[KTR14] presence and days are told in the given texts", () => {
    const words = wordsOf("de", { ...TEXTS, online: "da", today: "Heute" });
    expect(words.presence({ user_id: "1", status: "online", last_seen_at: null })).toBe("da");
    expect(words.presence(null)).toBe("");
    expect(words.day(new Date().toISOString())).toBe("Heute");
    expect(words.day(new Date(2020, 4, 3).toISOString())).toBe("3. Mai 2020");
  });
});
