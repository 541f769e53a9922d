/**
 * The packages of the client that the hosts of one deployment have handed out, by file name.
 * Implemented in src/storage (PostgreSQL and memory twin). Promises reject when storage is out of
 * reach.
 */
export interface ClientPackages {
  /** Keeps `bytes` unless there are some of that name; answers those that are kept. */
  keep(name: string, bytes: Buffer): Promise<Buffer>;
  find(name: string): Promise<Buffer | null>;
}
