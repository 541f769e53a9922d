/** ClientPackages on PostgreSQL: a row a file, which nothing changes any more. */
import type { ClientPackages } from "../../ports/client-packages.ts";
import type { Database } from "./pool.ts";

const FIND = {
  name: "find_client_package",
  text: "SELECT bytes FROM client_packages WHERE name = $1",
};
const KEEP = {
  name: "keep_client_package",
  text: "INSERT INTO client_packages (name, bytes) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
};

export class PostgresClientPackages implements ClientPackages {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async keep(name: string, bytes: Buffer): Promise<Buffer> {
    // All workers keep the same at their start: most find it there and need not send it.
    const before = await this.find(name);
    if (before !== null) return before;
    await this.#database.read(KEEP, [name, bytes]);
    return (await this.find(name)) ?? bytes;
  }

  async find(name: string): Promise<Buffer | null> {
    const [row] = await this.#database.read<{ bytes: Buffer }>(FIND, [name]);
    return row?.bytes ?? null;
  }
}
