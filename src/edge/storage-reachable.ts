/**
 * Storage calls of the edge reject only when storage is out of reach. `reached` marks such a
 * rejection, so that it is answered `unavailable` while a bug stays a bug.
 */
export class OutOfReach extends Error {
  constructor(cause: unknown) {
    super("storage is out of reach", { cause });
    this.name = "OutOfReach";
  }
}

/** Rejects with OutOfReach in place of whatever storage rejected with. */
export async function reached<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new OutOfReach(cause);
  }
}
