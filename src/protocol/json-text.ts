/**
 * A value as its JSON text, made where it was made first: an answer of many rows is put together
 * by PostgreSQL and passed on, not taken apart and put together again.
 */
export class JsonText<T> {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  static of<T>(value: T): JsonText<T> {
    return new JsonText(JSON.stringify(value));
  }

  value(): T {
    return JSON.parse(this.text) as T;
  }
}
