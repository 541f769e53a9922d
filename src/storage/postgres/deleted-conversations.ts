/** DeletedConversations on PostgreSQL. */
import type { DeletedConversations } from "../../ports/deleted-conversations.ts";
import type { Database } from "./pool.ts";

const FORGET = {
  name: "forget_conversation",
  text: "SELECT forget_conversation($1, $2) AS were_there",
};

export class PostgresDeletedConversations implements DeletedConversations {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async forget(id: string, most: number): Promise<boolean> {
    const [row] = await this.#database.write<{ were_there: boolean }>(FORGET, [id, most]);
    return row?.were_there === true;
  }
}
