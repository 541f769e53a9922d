/**
 * JSON that is already serialized. PostgreSQL builds the answer of many rows as text, and it is
 * passed on without being parsed and serialized again.
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
