/**
 * The second witness of a host's life, beside its lease in Redis: a row in PostgreSQL that a host
 * signs while it cannot hear Redis, and that the others read when a lease has ended. Implemented
 * over PostgreSQL and in memory; used by src/relay/second-witness.ts.
 *
 * [WIT1] A row's age is measured by PostgreSQL's clock alone.
 * [WIT2] The last statement of a host holds: it signs, has left, or has no row.
 */

export type WitnessRow = { is: "signed"; ageMs: number } | { is: "left" };

/** Every method rejects when PostgreSQL is out of reach or does not answer in time. */
export interface Witness {
  /** The host lives. */
  sign(host: string): Promise<void>;
  /** The host has stopped in an orderly way; its sessions are over. */
  leave(host: string): Promise<void>;
  /** The host reaches Redis again and needs no row. */
  forget(host: string): Promise<void>;
  /** The rows of these hosts; a host without one is left out. */
  look(hosts: readonly string[]): Promise<Map<string, WitnessRow>>;
  close(): Promise<void>;
}
