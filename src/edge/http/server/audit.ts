/**
 * The audit log as the HTTP side writes it: one row for every change that a service makes, before
 * the call is answered.
 *
 * [SAU1] Rows that come while a statement is under way go together in the next one.
 * [SAU2] Rows that cannot be written now are written later. The change has been made by then, so
 *        its call is answered and not refused. At most WAITING_MAX rows wait; further ones are
 *        written to the server's own log.
 */
import type { Logger } from "pino";
import type { Clock } from "../../../base/clock.ts";
import type { AuditRow, ServiceStore } from "../../../ports/services.ts";
import type { RouteName } from "../../../protocol/routes.ts";
import type { Identity } from "../../auth/identity.ts";

const BATCH_ROWS = 500;
const WAITING_MAX = 10_000;
const RETRY_MS = 1_000;
/** Keys of a body that explain a change or make it once, and change nothing themselves. */
const NOT_CHANGES = new Set(["reason", "note", "client_id"]);
const REASON_CHARS_MAX = 500;
/** Sends and signals of one token and minute are one row each. */
const GATHERED = new Set<RouteName>(["sendMessage", "signalConversation"]);

export interface AuditedCall {
  name: RouteName;
  path: string;
  params: unknown;
  query: unknown;
  body: unknown;
  answer: unknown;
}

export class AuditTrail {
  readonly #services: Pick<ServiceStore, "writeAudit">;
  readonly #clock: Clock;
  readonly #log: Logger;
  #waiting: { row: AuditRow; tried: () => void }[] = [];
  #writing: Promise<void> | null = null;
  #cancelRetry: () => void = () => undefined;

  constructor(services: Pick<ServiceStore, "writeAudit">, clock: Clock, log: Logger) {
    this.#services = services;
    this.#clock = clock;
    this.#log = log;
  }

  /** Resolves when the row is written, or has been tried; never rejects. */
  note(caller: Identity, call: AuditedCall): Promise<void> {
    const row = rowOf(caller, call);
    if (row === null) return Promise.resolve();
    if (this.#waiting.length >= WAITING_MAX) {
      this.#log.error({ event: "audit_unwritten", ...row });
      return Promise.resolve();
    }
    const tried = new Promise<void>((resolve) => this.#waiting.push({ row, tried: resolve }));
    this.#write();
    return tried;
  }

  async close(): Promise<void> {
    this.#cancelRetry();
    this.#write();
    await this.#writing;
    this.#cancelRetry();
    for (const { row } of this.#waiting) this.#log.error({ event: "audit_unwritten", ...row });
  }

  #write(): void {
    this.#cancelRetry();
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = null;
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH_ROWS);
      try {
        await this.#services.writeAudit(batch.map(({ row }) => row));
        this.#waiting = this.#waiting.slice(batch.length);
      } catch (err) {
        this.#log.warn({ event: "audit_delayed", rows: this.#waiting.length, err });
        this.#cancelRetry = this.#clock.after(RETRY_MS, () => this.#write());
        for (const { tried } of this.#waiting) tried();
        return;
      }
      for (const { tried } of batch) tried();
    }
  }
}

/** Null: nobody calls as a service. */
export function rowOf(
  { userId, service }: Identity,
  { name, path, params, query, body, answer }: AuditedCall,
): AuditRow | null {
  if (service === null) return null;
  const given = fieldsOf(body);
  const reason = given["reason"] ?? given["note"];
  return {
    actor: service.subject,
    token: service.jti,
    actingFor: userId === "0" ? null : userId,
    act: name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    target: targetOf(path, fieldsOf(params), given, fieldsOf(answer)),
    reason: typeof reason === "string" ? reason.slice(0, REASON_CHARS_MAX) : null,
    changed: changedKeys(given, fieldsOf(query)),
    isGathered: GATHERED.has(name),
  };
}

const NOUNS: Readonly<Record<string, string>> = {
  users: "user",
  conversations: "conversation",
  posts: "post",
  "service-tokens": "token",
  reports: "report",
  notifications: "notification",
};

/** The object that the path names; else the user in the body, or the object that was made. */
function targetOf(path: string, params: Fields, body: Fields, answer: Fields): string | null {
  const [, , resource = ""] = path.split("/");
  const noun = NOUNS[resource];
  if (noun === undefined) return null;
  const id = params["id"] ?? params["jti"];
  if (typeof id === "string") return `${noun}:${id}`;
  if (typeof body["user_id"] === "string") return `user:${body["user_id"]}`;
  return typeof answer["id"] === "string" ? `${noun}:${answer["id"]}` : null;
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function changedKeys(body: Fields, query: Fields): string[] {
  const keys = new Set([...Object.keys(body), ...Object.keys(query)]);
  const users = body["users"];
  if (Array.isArray(users)) {
    keys.delete("users");
    for (const user of users) for (const key of Object.keys(fieldsOf(user))) keys.add(key);
  }
  return [...keys].filter((key) => !NOT_CHANGES.has(key)).sort();
}
