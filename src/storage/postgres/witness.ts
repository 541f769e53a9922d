/**
 * The second witness in PostgreSQL, as the primary of a host uses it. Its connection is opened for
 * the first statement and closed when none has followed for a while: as long as every host hears
 * Redis there is none.
 */
import { Client } from "pg";
import type { Clock } from "../../base/clock.ts";
import type { Witness, WitnessRow } from "../../ports/witness.ts";
import { connectionConfig } from "./connection.ts";
import { faultOf } from "./fault.ts";

/** A host signs again when this has passed; see SIGN_MS in relay/second-witness.ts. */
const DEADLINE_MS = 1_000;
const IDLE_MS = 10_000;

const SIGN = `INSERT INTO host_witness AS w (host, signed_at, has_left)
  VALUES ($1, clock_timestamp(), $2)
  ON CONFLICT (host) DO UPDATE SET signed_at = excluded.signed_at, has_left = excluded.has_left`;
const FORGET = "DELETE FROM host_witness WHERE host = $1";
const LOOK = `SELECT host, has_left AS "hasLeft",
    (extract(epoch FROM clock_timestamp() - signed_at) * 1000)::float8 AS "ageMs"
  FROM host_witness WHERE host = ANY($1)`;

export class PostgresWitness implements Witness {
  readonly #url: string;
  readonly #clock: Clock;
  #connection: { client: Client; ready: Promise<unknown> } | null = null;
  #cancelIdle: () => void = () => undefined;
  #isClosed = false;

  constructor(url: string, clock: Clock) {
    this.#url = url;
    this.#clock = clock;
  }

  async sign(host: string): Promise<void> {
    await this.#query(SIGN, [host, false]);
  }

  async leave(host: string): Promise<void> {
    await this.#query(SIGN, [host, true]);
  }

  async forget(host: string): Promise<void> {
    await this.#query(FORGET, [host]);
  }

  async look(hosts: readonly string[]): Promise<Map<string, WitnessRow>> {
    const rows = await this.#query<{ host: string; hasLeft: boolean; ageMs: number }>(LOOK, [
      hosts,
    ]);
    return new Map(
      rows.map(({ host, hasLeft, ageMs }) => [
        host,
        hasLeft ? { is: "left" } : { is: "signed", ageMs },
      ]),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelIdle();
    const connection = this.#connection;
    this.#connection = null;
    await connection?.client.end().catch(() => undefined);
  }

  async #query<Row extends object>(text: string, values: unknown[]): Promise<Row[]> {
    if (this.#isClosed) throw new Error("the witness is closed");
    this.#cancelIdle();
    this.#connection ??= this.#open();
    const connection = this.#connection;
    try {
      await connection.ready;
      return (await connection.client.query<Row>(text, values)).rows;
    } catch (error) {
      // One that did not answer in time may never do so.
      this.#drop(connection);
      throw faultOf(error, "host witness") ?? error;
    } finally {
      this.#cancelIdle();
      if (!this.#isClosed) {
        this.#cancelIdle = this.#clock.after(IDLE_MS, () => {
          if (this.#connection !== null) this.#drop(this.#connection);
        });
      }
    }
  }

  #open() {
    const client = new Client({
      ...connectionConfig(this.#url, DEADLINE_MS),
      query_timeout: DEADLINE_MS,
      application_name: "troupe witness",
    });
    const connection = {
      client,
      // What is signed is good for seconds, so a commit need not reach a disk or a standby.
      ready: client.connect().then(() => client.query("SET synchronous_commit = off")),
    };
    // A connection that breaks also fails the query under way, which reports it.
    client.on("error", () => this.#drop(connection));
    return connection;
  }

  #drop(connection: { client: Client }): void {
    if (this.#connection === connection) this.#connection = null;
    // One that hangs does not answer its end either, which nobody waits for.
    connection.client.end().catch(() => undefined);
  }
}
