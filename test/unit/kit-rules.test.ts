/** The kit's pure rules: what it marks, lists and offers. */
import { describe, expect, it } from "vitest";
import { UPLOAD_BYTES_MAX } from "../../src/client/files.ts";
import { listed } from "../../src/client/ui/listing.ts";
import { rightsOf } from "../../src/client/ui/may.ts";
import { TEXTS } from "../../src/client/ui/texts.ts";
import { FILES_MAX } from "../../src/client/ui/uploads.ts";
import { gistOf, splitMentions, wordsOf } from "../../src/client/ui/words.ts";
import type { ConversationView } from "../../src/client/views.ts";
import { ATTACHMENTS_MAX, SIMPLE_UPLOAD_BYTES_MAX } from "../../src/protocol/files.ts";
import type { Prefs } from "../../src/protocol/prefs.ts";

const viewOf = (id: string, unread: number) =>
  ({ id, unread, conversation: { last_seq: 7 } }) as unknown as ConversationView;
const prefsOf = (id: string, prefs: Partial<Prefs>): [string, Prefs] => [
  id,
  { conversation_id: id, prefs_rev: 1, ...prefs },
];

describe("the kit's rules", () => {
  it("[KIT20] its bounds of files are the server's", () => {
    expect([UPLOAD_BYTES_MAX, FILES_MAX]).toEqual([SIMPLE_UPLOAD_BYTES_MAX, ATTACHMENTS_MAX]);
  });

  it("[KIT21] a mention is marked where the server finds one, and no address is", () => {
    const names = new Set(["ada", "b.en"]);
    const marked = (text: string) =>
      splitMentions(text, names)
        .filter(({ name }) => name !== null)
        .map(({ text: shown }) => shown);
    expect(marked("@ada, and @B.en. Not @carl, x@ada or @@ada")).toEqual(["@ada", "@B.en"]);
    const text = "For @ada.";
    expect(
      splitMentions(text, names)
        .map((part) => part.text)
        .join(""),
    ).toBe(text);
  });

  it("[KIT22] pinned ones come first, archived and hidden ones are apart, the open one stays", () => {
    const views = ["1", "2", "3", "4"].map((id) => viewOf(id, id === "1" ? 0 : 2));
    const prefs = new Map([
      prefsOf("3", { pinned_at: "2026-01-01T00:00:00.000Z" }),
      prefsOf("2", { archived_n: 7 }),
      prefsOf("4", { hidden_n: 7 }),
    ]);
    const ids = (filter: "all" | "unread" | "archived", open: string | null = null) =>
      listed(views, prefs, filter, open).map(({ id }) => id);
    expect(ids("all")).toEqual(["3", "1"]);
    expect(ids("unread")).toEqual(["3"]);
    expect(ids("unread", "1")).toEqual(["3", "1"]);
    expect(ids("archived")).toEqual(["2"]);
    expect(ids("all", "4")).toEqual(["3", "1", "4"]);
    // A message after it was put there takes it out.
    prefs.set(...prefsOf("2", { archived_n: 6 }));
    expect(ids("archived")).toEqual([]);
  });

  it("[KIT23] it offers what the role may do, and nothing of threads in a thread", () => {
    const group = {
      kind: "group",
      owner_id: "1",
      members: [
        { user_id: "1", delivered_seq: 0, read_seq: 0 },
        { user_id: "2", delivered_seq: 0, read_seq: 0 },
        { user_id: "3", delivered_seq: 0, read_seq: 0, role: "reader" as const },
      ],
    };
    const [owner, member, reader] = ["1", "2", "3"].map((id) => rightsOf(group, id, false));
    expect([owner!.deleteOf("2"), member!.deleteOf("1"), member!.deleteOf("3")]).toEqual([
      true,
      false,
      false,
    ]);
    expect([member!.send, member!.thread, reader!.send, reader!.react]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(rightsOf(group, "1", true).thread).toBe(false);
  });

  it("[KIT24] sizes and gists are in words", () => {
    const { bytes } = wordsOf("en", TEXTS);
    expect([0, 999, 2_400_000].map(bytes)).toEqual(["0 byte", "999 byte", "2.4 MB"]);
    expect(gistOf({ body: "", attachments: [] }, TEXTS)).toBe("0 files");
    expect(gistOf({ body: "Hi" }, TEXTS)).toBe("Hi");
  });
});
