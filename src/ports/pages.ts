/** A page of a list, as storage answers it. */
export interface ListPage<T> {
  items: T[];
  next_cursor: string | null;
}
