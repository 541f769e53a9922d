/**
 * Pages of feeds, as the JSON text that the client gets: PostgreSQL writes it, and those who
 * read at once share a statement (figures in bench/RESULTS.md).
 */

import type { ListPage } from "../../ports/pages.ts";
import type { UserId } from "../../protocol/ids.ts";
import { JsonText } from "../../protocol/json-text.ts";
import type { Post } from "../../protocol/social.ts";
import { Batcher } from "../batching/shared-reads.ts";
import { decodeListCursor, encodeListCursor, TOP } from "./list-cursor.ts";
import type { Database } from "./pool.ts";
import { joinedLike, POST_TEXT } from "./social-rows.ts";

/**
 * For each reader `$1`: the newest `$2` posts, with ids below `$3`, of the reader and of the users whom
 * they follow, and whether there are more. It reads the index posts_feed only. First it reads one
 * entry for each author, the newest post. Only the `$2` authors with the newest of these can have
 * posts on the page, and of each of them at most `$2` posts are read. A block ends follows, so no
 * author is behind a block.
 */
export const FEEDS = {
  name: "feeds",
  text: `SELECT r.n::int, x.items, x.last, x.found
    FROM unnest($1::bigint[], $2::int[], $3::bigint[]) WITH ORDINALITY AS r(reader, most, below, n)
    CROSS JOIN LATERAL (
      SELECT string_agg(y.item, ',' ORDER BY y.id DESC) FILTER (WHERE y.place <= r.most) AS items,
        min(y.id) FILTER (WHERE y.place <= r.most) AS last, count(*)::int AS found
      FROM (
        SELECT p.id, row_number() OVER (ORDER BY p.id DESC) AS place, ${POST_TEXT} AS item
        FROM (
          SELECT x.id
          FROM (
            SELECT a.author_id
            FROM (
              SELECT f.followee_id AS author_id FROM follows f WHERE f.follower_id = r.reader
              UNION ALL SELECT r.reader
            ) a
            CROSS JOIN LATERAL (
              SELECT y.id FROM posts y
              WHERE y.author_id = a.author_id AND y.deleted_at IS NULL AND y.id < r.below
              ORDER BY y.id DESC LIMIT 1
            ) newest
            ORDER BY newest.id DESC LIMIT r.most + 1
          ) a
          CROSS JOIN LATERAL (
            SELECT y.id FROM posts y
            WHERE y.author_id = a.author_id AND y.deleted_at IS NULL AND y.id < r.below
            ORDER BY y.id DESC LIMIT r.most + 1
          ) x
          ORDER BY x.id DESC LIMIT r.most + 1
        ) page
        JOIN posts p ON p.id = page.id
        ${joinedLike("r.reader")}
      ) y
    ) x`,
};

interface Read {
  reader: UserId;
  limit: number;
  below: string;
}

/** A row for each reader. */
interface FeedRow {
  n: number;
  items: string | null;
  last: string | null;
  found: number;
}

export class Feeds {
  readonly #pages: Batcher<Read, JsonText<ListPage<Post>>>;

  constructor(database: Database) {
    // Few: a page of a user who follows a thousand takes milliseconds, and the whole batch waits.
    const limits = { batchMax: 16, inFlightMax: 2 };
    this.#pages = new Batcher((reads) => readPages(database, reads), limits);
  }

  /** Undefined: not a cursor of a feed. */
  async read(
    reader: UserId,
    limit: number,
    cursor: string | null,
  ): Promise<JsonText<ListPage<Post>> | undefined> {
    const below = cursor === null ? TOP : decodeListCursor("feed", cursor);
    return below === undefined ? undefined : this.#pages.ask({ reader, limit, below });
  }
}

async function readPages(database: Database, reads: Read[]): Promise<JsonText<ListPage<Post>>[]> {
  const rows = await database.read<FeedRow>(FEEDS, [
    reads.map(({ reader }) => reader),
    reads.map(({ limit }) => limit),
    reads.map(({ below }) => below),
  ]);
  const pages: JsonText<ListPage<Post>>[] = new Array(reads.length);
  for (const { n, items, last, found } of rows) {
    const isMore = found > reads[n - 1]!.limit && last !== null;
    const next = isMore ? `"${encodeListCursor("feed", last)}"` : "null";
    pages[n - 1] = new JsonText(`{"items":[${items ?? ""}],"next_cursor":${next}}`);
  }
  return pages;
}
