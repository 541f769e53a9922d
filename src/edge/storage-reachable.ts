/**
 * Storage calls of the edge reject only when storage is out of reach. `reached` marks such a
 * rejection, so that it is answered `unavailable` while a bug stays a bug.
 */
export class StorageUnreachable extends Error {
  constructor(cause: unknown) {
    super("storage is out of reach", { cause });
    this.name = "OutOfReach";
  }
}

/** Rejects with StorageUnreachable in the place of storage's own error. */
export async function orUnreachable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new StorageUnreachable(cause);
  }
}
