/** What many tests assert in the same words: shapes of the contract, refusals, order by `rev`. */
import { expect } from "vitest";
import { ERROR_STATUS, type ErrorCode, type ErrorObject } from "../../src/protocol/errors.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import type { Answer } from "./http.ts";
import type { Session } from "./session.ts";

export const ID = /^[1-9][0-9]{0,18}$/;
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export const MESSAGE_KEYS = [
  "body",
  "client_id",
  "conversation_id",
  "created_at",
  "deleted_at",
  "edited_at",
  "id",
  "reply_to_seq",
  "rev",
  "sender_id",
  "seq",
];

/** An HTTP refusal: the code, its status, and the contract's one error object. */
export function expectRefusal(answer: Answer<unknown>, code: ErrorCode): ErrorObject {
  expect(answer.status, answer.text).toBe(ERROR_STATUS[code]);
  expect(answer.headers["content-type"]).toMatch(/^application\/json/);
  const { error } = answer.body as { error: ErrorObject };
  expectErrorObject(error, code);
  return error;
}

export function expectErrorObject(error: ErrorObject, code: ErrorCode): void {
  expect(error.code, JSON.stringify(error)).toBe(code);
  expect(error.message).toEqual(expect.stringMatching(/\S/));
  const known = ["code", "message", "details", "retry_after_ms"];
  expect(Object.keys(error).filter((key) => !known.includes(key))).toEqual([]);
}

interface RevEntry {
  rev: number;
  /** The answer to a repeated `client_id` may stand for a change, but may also repeat one. */
  kind: "event" | "ack" | "duplicate";
}

const CHANGES = ["message", "message_updated", "conversation_updated"];
const OWN_CHANGES = ["send_message", "edit_message", "delete_message"];

/**
 * Promise 3, for one session and conversation: on each connection the changes come by rising
 * `rev` with none skipped, where the acknowledgement of an own change takes the event's place.
 * Answers the violations in words, the number of changes, and the echoes: own changes that arrived
 * as an event before their acknowledgement. `isMadeUpFor` may excuse a missing rev by the other
 * revs that the connection received.
 */
export function revTrail(
  session: Session,
  conversationId: string,
  isMadeUpFor: (missingRev: number, heard: ReadonlySet<number>) => boolean = () => false,
): { violations: string[]; echoes: string[]; changes: number } {
  const violations: string[] = [];
  const echoes: string[] = [];
  let changes = 0;
  for (const [index, connection] of connectionsOf(session, conversationId).entries()) {
    const where = `${session.label}, connection ${index}`;
    const acked = new Set(connection.filter(({ kind }) => kind !== "event").map(({ rev }) => rev));
    const heardInAll = new Set(connection.map(({ rev }) => rev));
    const heard = new Set<number>();
    let last: number | undefined;
    for (const { rev, kind } of connection) {
      if (kind === "duplicate") continue;
      changes++;
      if (kind === "ack" && heard.has(rev)) echoes.push(`${where}: rev ${rev}`);
      else if (last !== undefined && rev <= last) {
        violations.push(`${where}: ${kind} of rev ${rev} after ${last}`);
      }
      for (let missing = (last ?? rev) + 1; missing < rev; missing++) {
        if (acked.has(missing) || isMadeUpFor(missing, heardInAll)) continue;
        violations.push(`${where}: rev ${missing} skipped before ${rev}`);
      }
      if (kind === "event") heard.add(rev);
      last = Math.max(rev, last ?? 0);
    }
  }
  return { violations, echoes, changes };
}

function connectionsOf(session: Session, conversationId: string): RevEntry[][] {
  const connections: RevEntry[][] = [[]];
  for (const { kind, name, payload } of session.record) {
    if (kind === "connect") connections.push([]);
    const entries = connections.at(-1)!;
    if (kind === "event" && CHANGES.includes(name)) {
      const change = payload as { id: string; conversation_id?: string; rev: number };
      if ((change.conversation_id ?? change.id) === conversationId) {
        entries.push({ rev: change.rev, kind: "event" });
      }
    }
    if (kind === "ack" && OWN_CHANGES.includes(name)) {
      const answer = payload as { ok: boolean; message: Message; duplicate?: true };
      if (answer.ok && answer.message.conversation_id === conversationId) {
        entries.push({ rev: answer.message.rev, kind: answer.duplicate ? "duplicate" : "ack" });
      }
    }
  }
  return connections;
}

/** The sequence 1, 2, 3 … `count`. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
