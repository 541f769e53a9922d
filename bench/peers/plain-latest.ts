/**
 * At most ten updates a second for one key over all workers, the last one always: the contract
 * asks for it, and a good developer throttles a count that hundreds watch.
 */
const EVERY_MS = 100 * Number(process.env["WORKERS"] ?? 2);

export class LatestOnly<Value> {
  readonly #say: (key: string, value: Value) => void;
  readonly #waiting = new Map<string, { value: Value | undefined }>();

  constructor(say: (key: string, value: Value) => void) {
    this.#say = say;
  }

  say(key: string, value: Value): void {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      waiting.value = value;
      return;
    }
    this.#say(key, value);
    this.#waiting.set(key, { value: undefined });
    setTimeout(() => {
      const last = this.#waiting.get(key)?.value;
      this.#waiting.delete(key);
      if (last !== undefined) this.say(key, last);
    }, EVERY_MS);
  }
}
