/** ClientPackages without a database; see tables.ts. */
import type { ClientPackages } from "../../ports/client-packages.ts";
import type { MemoryTables } from "./tables.ts";

export class MemoryClientPackages implements ClientPackages {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async keep(name: string, bytes: Buffer): Promise<Buffer> {
    const kept = this.#tables.clientPackages.get(name) ?? Buffer.from(bytes);
    this.#tables.clientPackages.set(name, kept);
    return kept;
  }

  async find(name: string): Promise<Buffer | null> {
    return this.#tables.clientPackages.get(name) ?? null;
  }
}
