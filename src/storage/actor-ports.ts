/** The storage ports of one actor thread on PostgreSQL: one writer connection and two others. */
import type { ActorPorts } from "../../actors/ports.ts";
import { PostgresConversations } from "./conversations.ts";
import { Database } from "./pool.ts";
import { PostgresUsers } from "./users.ts";
import { Writer, type WriterOptions } from "./writer.ts";

const READ_CONNECTIONS = 2;

export interface ActorStorage {
  ports: ActorPorts;
  /** Writes what waits and leaves the database; the ports reject from then on. */
  close(): Promise<void>;
}

/** Connects with the first use. `url` is a migrated database; see migrate.ts. */
export function createActorPorts(url: string, options: WriterOptions = {}): ActorStorage {
  const database = new Database(url, READ_CONNECTIONS, options);
  const writer = new Writer(url, options);
  return {
    ports: {
      conversations: new PostgresConversations(database, writer),
      users: new PostgresUsers(database),
    },
    async close() {
      await writer.close();
      await database.close();
    },
  };
}
