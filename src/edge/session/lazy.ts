/**
 * Sets and maps of which an edge has many and fills few: an empty Set or Map of V8's is 200
 * bytes, a connection and its streams would have a dozen of them. These hold nothing until
 * something is put in.
 */

export class LazySet<T> {
  #items: Set<T> | null = null;

  constructor(items: readonly T[] = []) {
    if (items.length > 0) this.#items = new Set(items);
  }

  get size(): number {
    return this.#items?.size ?? 0;
  }

  has(item: T): boolean {
    return this.#items?.has(item) ?? false;
  }

  add(item: T): this {
    this.#items ??= new Set();
    this.#items.add(item);
    return this;
  }

  delete(item: T): boolean {
    return this.#items?.delete(item) ?? false;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return (this.#items ?? NOTHING)[Symbol.iterator]() as IterableIterator<T>;
  }
}

export class LazyMap<K, V> {
  #entries: Map<K, V> | null = null;

  get size(): number {
    return this.#entries?.size ?? 0;
  }

  get(key: K): V | undefined {
    return this.#entries?.get(key);
  }

  has(key: K): boolean {
    return this.#entries?.has(key) ?? false;
  }

  set(key: K, value: V): this {
    this.#entries ??= new Map();
    this.#entries.set(key, value);
    return this;
  }

  delete(key: K): boolean {
    return this.#entries?.delete(key) ?? false;
  }

  clear(): void {
    this.#entries = null;
  }

  keys(): IterableIterator<K> {
    return (this.#entries ?? NOTHING).keys() as IterableIterator<K>;
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return (this.#entries ?? NO_ENTRIES)[Symbol.iterator]() as IterableIterator<[K, V]>;
  }
}

const NOTHING: ReadonlySet<unknown> = new Set();
const NO_ENTRIES: ReadonlyMap<unknown, unknown> = new Map();
