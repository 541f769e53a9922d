/**
 * Empties an event of the log of an erased user. Pure. The log has the rows of the
 * tables, and messages as the contract has them; ids are numbers in the ones and text in the others.
 *
 * [ERA4] The event stays, with its type, key, actor and `rev`, and so does the user's id.
 */
import type { ErasureMode } from "../ports/erasures.ts";

type Fields = Record<string, unknown>;

/** Null: there is nothing of the user in it. */
export function emptiedEvent(event: unknown, user: string, mode: ErasureMode): unknown {
  const before = JSON.stringify(event);
  const copy: unknown = JSON.parse(before);
  visit(copy, "", null);
  return JSON.stringify(copy) === before ? null : copy;

  function visit(value: unknown, at: string, within: Fields | null): void {
    if (Array.isArray(value)) {
      for (const each of value) visit(each, at, within);
      return;
    }
    if (typeof value !== "object" || value === null) return;
    const fields = value as Fields;
    const isTheirs = (key: string) => fields[key] != null && String(fields[key]) === user;
    if (at === "user" && isTheirs("id")) becomeNameless(fields);
    if (at === "member" && isTheirs("user_id")) {
      keepOnly(fields, ["user_id", "delivered_seq", "read_seq"]);
      if (within !== null && "extra" in within) within["extra"] = null;
    }
    if (at === "member_extras") delete fields[user];
    if (at === "status" && isTheirs("user_id")) fields["last_seen_at"] = null;
    if (at === "notification" && (isTheirs("user_id") || isTheirs("actor_id"))) {
      fields["message"] = "";
      fields["data"] = null;
    }
    if (at === "report" && isTheirs("author_id")) fields["content"] = {};
    if (at === "report" && (isTheirs("author_id") || isTheirs("reporter_id"))) {
      fields["note"] = null;
    }
    // A post or a comment, as the row that it was.
    if (isTheirs("author_id") && "body" in fields) {
      Object.assign(fields, { body: "", data: null });
      for (const key of ["attachments", "file_ids"]) delete fields[key];
    }
    if (mode === "erase" && isTheirs("sender_id")) emptyMessage(fields);
    for (const [key, each] of Object.entries(fields)) visit(each, key, fields);
  }

  function becomeNameless(fields: Fields): void {
    if (!("username" in fields)) return;
    keepOnly(fields, ["id", "created_at"]);
    Object.assign(fields, { username: `erased.${user}`, display_name: "", erased: true });
    // As rows of users have them.
    for (const key of ["image_url", "data", "trusted", "external_id"]) fields[key] = null;
  }
}

function emptyMessage(fields: Fields): void {
  fields["body"] = "";
  fields["client_id"] = null;
  for (const key of ["data", "attachments", "reactions", "mentions", "mention_all"]) {
    delete fields[key];
  }
}

function keepOnly(fields: Fields, keys: readonly string[]): void {
  for (const key of Object.keys(fields)) if (!keys.includes(key)) delete fields[key];
}
