/** A database role with limits of its own, on a fresh migrated database. */
import { randomBytes } from "node:crypto";
import { administer, createDatabase, type TestDatabase } from "./postgres.ts";

const RIGHTS = "GRANT ALL ON ALL TABLES IN SCHEMA public TO ROLE;";

export class LimitedRole {
  readonly name: string;
  /** As this role. */
  readonly url: string;
  readonly #database: TestDatabase;

  private constructor(name: string, url: string, database: TestDatabase) {
    this.name = name;
    this.url = url;
    this.#database = database;
  }

  /** `options`: of CREATE ROLE. */
  static async on(database: TestDatabase, options = ""): Promise<LimitedRole> {
    const name = `troupe_role_${randomBytes(5).toString("hex")}`;
    await administer(database.url, `CREATE ROLE ${name} LOGIN PASSWORD 'secret' ${options}`);
    const rights =
      `${RIGHTS} GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ROLE;` +
      " GRANT ALL ON SCHEMA public TO ROLE;";
    await administer(database.url, rights.replaceAll("TO ROLE", `TO ${name}`));
    const url = new URL(database.url);
    url.username = name;
    url.password = "secret";
    return new LimitedRole(name, url.href, database);
  }

  static async create(options = ""): Promise<LimitedRole> {
    return LimitedRole.on(await createDatabase(), options);
  }

  /** A statement as the database's owner. */
  does(sql: string): Promise<true> {
    return administer(this.#database.url, sql);
  }

  /** Ends all its connections. */
  cut(): Promise<true> {
    return this.does(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${this.name}'`,
    );
  }

  async discard(): Promise<void> {
    await this.cut();
    await this.does(`DROP OWNED BY ${this.name}; DROP ROLE ${this.name}`);
    await this.#database.stop();
  }
}
