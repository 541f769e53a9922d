/**
 * The two storages that the contract suites run against. `host()` gives another host's ports
 * over the same tables; whoever opened closes.
 */
import type { ActorPorts } from "../../actors/ports.ts";
import type { AppQueries } from "../../src/ports/app-actors.ts";
import type { ClientPackages } from "../../src/ports/client-packages.ts";
import type { AccountStore, Change, Queries } from "../../src/ports/edge.ts";
import type { ModerationStore } from "../../src/ports/moderation.ts";
import type { ScheduledStore } from "../../src/ports/scheduled.ts";
import type { ServiceStore } from "../../src/ports/services.ts";
import type { RecountStore } from "../../src/ports/social.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { createMemoryStorage } from "../../src/storage/memory/ports.ts";
import type { MemoryTables } from "../../src/storage/memory/tables.ts";
import { createActorPorts } from "../../src/storage/postgres/actor-ports.ts";
import { createEdgePorts } from "../../src/storage/postgres/edge-ports.ts";
import { migrate } from "../../src/storage/postgres/migrate.ts";
import { pruneReplaced } from "../../src/storage/postgres/pruning.ts";
import { createRecount } from "../../src/storage/postgres/recount.ts";
import { administer, startPostgres } from "../support/postgres.ts";

export interface OpenStorage extends ActorPorts {
  /** The address of the database, where there is one. */
  url?: string;
  accounts: AccountStore;
  queries: Queries;
  services: ServiceStore;
  scheduled: ScheduledStore;
  moderation: ModerationStore;
  recount: RecountStore;
  clientPackages: ClientPackages;
  appQueries: AppQueries;
  /** Makes a figure that recount looks at wrong by `by`; `what` and `id` as recount names them. */
  plant(what: string, id: string, by: number): Promise<void>;
  host(): ActorPorts;
  /** Forgets what was replaced more than `keptMs` ago; the number of rows. */
  prune(keptMs: number): Promise<number>;
  close(): Promise<void>;
}

export interface Adapter {
  name: string;
  open(options?: { deadlineMs?: number }): Promise<OpenStorage>;
}

export const ADAPTERS: Adapter[] = [
  {
    name: "memory",
    async open() {
      const made = createMemoryStorage();
      const { tables, ports, accounts, queries, recount, services, moderation, scheduled } = made;
      const { clientPackages, apps } = made;
      return {
        ...ports,
        accounts,
        queries,
        services,
        scheduled,
        moderation,
        recount,
        clientPackages,
        appQueries: apps,
        plant: async (what, id, by) => plantInMemory(tables, what, id, by),
        host: () => createMemoryStorage(tables).ports,
        prune: async (keptMs) => tables.pruneReplaced(keptMs),
        close: async () => undefined,
      };
    },
  },
  {
    name: "postgres",
    async open(options = {}) {
      const database = await startPostgres();
      await migrate(database.url);
      const actors = createActorPorts(database.url, options);
      const edge = createEdgePorts(database.url, options);
      const opened: { close(): Promise<void> }[] = [actors, edge];
      return {
        ...actors.ports,
        url: database.url,
        accounts: edge.accounts,
        queries: edge.queries,
        services: edge.services,
        scheduled: edge.scheduled,
        moderation: edge.moderation,
        recount: createRecount(database.url),
        clientPackages: edge.clientPackages,
        appQueries: edge.apps,
        async plant(what, id, by) {
          const [table, column] = what.split(".");
          const [key, user, reaction] = id.split("/");
          if (reaction !== undefined) {
            const isRow = `m.conversation_id = ${key} AND m.seq = ${user}`;
            await administer(
              database.url,
              `UPDATE messages m SET reactions = (
                SELECT json_agg(json_build_object('key', e->>'key', 'count',
                  (e->>'count')::int + CASE WHEN e->>'key' = '${reaction}' THEN ${by} ELSE 0 END,
                  'last_user_ids', e->'last_user_ids'))::text
                FROM json_array_elements(m.reactions::json) e
              ) WHERE ${isRow}`,
            );
            return;
          }
          const row =
            table === "conversation_members"
              ? `conversation_id = ${key} AND user_id = ${user}`
              : `${table === "notification_counters" ? "user_id" : "id"} = ${key}`;
          const sql = `UPDATE ${table} SET ${column} = ${column} + ${by} WHERE ${row}`;
          await administer(database.url, sql);
        },
        host() {
          const another = createActorPorts(database.url, options);
          opened.push(another);
          return another.ports;
        },
        prune: (keptMs) => pruneReplaced(database.url, keptMs),
        async close() {
          for (const each of opened) await each.close();
          await database.stop();
        },
      };
    },
  },
];

function plantInMemory(tables: MemoryTables, what: string, id: string, by: number): void {
  const [key, user] = id.split("/") as [string, string | undefined];
  const { social, conversations } = tables;
  if (what === "messages.reactions") {
    const [, seq, reaction] = id.split("/");
    const { reactions } = conversations.get(key)!.messages[Number(seq) - 1]!;
    reactions!.find((each) => each.key === reaction)!.count += by;
  } else if (what === "posts.like_count") social.posts.get(key)!.likeCount += by;
  else if (what === "posts.comment_count") social.posts.get(key)!.commentCount += by;
  else if (what === "conversations.rev") conversations.get(key)!.rev += by;
  else if (what === "notification_counters.last_seq") social.notificationsOf(key).lastSeq += by;
  else if (what === "conversation_members.read_seq") {
    conversations.get(key)!.members.get(user!)!.readSeq += by;
  } else throw new Error(`no such figure in memory: ${what}`);
}

let registered = 0;

/** New users, in rising id. */
export async function newUsers(storage: OpenStorage, count: number): Promise<UserId[]> {
  const ids: UserId[] = [];
  for (let i = 0; i < count; i++) {
    registered++;
    const made = await storage.accounts.register(
      `user.${registered}`,
      `User ${registered}`,
      "hash",
    );
    if (!made.ok) throw new Error(made.error.message);
    ids.push(asUserId(made.value.id));
  }
  return ids;
}

export async function newGroup(storage: OpenStorage, members: UserId[]): Promise<ConversationId> {
  const made = await storage.conversations.create("group", members[0]!, members, "A group");
  if (!made.ok) throw new Error(made.error.message);
  return asConversationId(made.value.conversation.id);
}

export async function newDirect(storage: OpenStorage, pair: UserId[]): Promise<ConversationId> {
  const made = await storage.conversations.create("direct", pair[0]!, pair, null);
  if (!made.ok) throw new Error(made.error.message);
  return asConversationId(made.value.conversation.id);
}

/** Appends `body`, whose client_id is the body too unless given. */
export function say(
  ports: ActorPorts,
  conversationId: ConversationId,
  senderId: UserId,
  body: string,
  { clientId = body.slice(0, 64), replyToSeq = null as number | null } = {},
) {
  return ports.conversations.append({ conversationId, senderId, clientId, body, replyToSeq });
}

/** Every change after `rev`, as an edge reads them that missed them. */
export async function everyChange(
  { queries }: Pick<OpenStorage, "queries">,
  id: ConversationId,
  rev = 0,
  page = 500,
): Promise<Change[]> {
  const all: Change[] = [];
  for (let afterRev = rev; ; afterRev = all.at(-1)?.rev ?? rev) {
    const { changes, hasMore } = await queries.changes(id, afterRev, page);
    all.push(...changes);
    if (!hasMore) return all;
    if (changes.length === 0 && afterRev < (await queries.revs([id])).get(id)!) {
      throw new Error(`no change after rev ${afterRev}, and there should be more`);
    }
    if (changes.length === 0) return all;
  }
}

/** The value of a Result that has to be one. */
export async function granted<T>(
  result: Promise<{ ok: true; value: T } | { ok: false; error: { code: string; message: string } }>,
): Promise<T> {
  const settled = await result;
  if (!settled.ok) throw new Error(`${settled.error.code}: ${settled.error.message}`);
  return settled.value;
}

/** The code of a refusal; "" of a value. */
export async function codeOf(
  result: Promise<{ ok: true } | { ok: false; error: { code: string } }>,
): Promise<string> {
  const settled = await result;
  return settled.ok ? "" : settled.error.code;
}
