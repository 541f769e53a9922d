-- Writes what was read for the index of messages. feeds: [{c: conversation, o: whose members read
-- it, f: the rev it was fed up to, r: and is from now on, d: first_seq of the rows to remove, g: true
-- to remove all, b: [{s: first_seq, l: last_seq, n: bytes, x: first_at, y: last_at, t: tokens}]}], no
-- c twice. Tokens of a row that is there are added to it. False, with nothing written, where one
-- conversation is not at its f: somebody else feeds, or the index was emptied.
CREATE OR REPLACE FUNCTION feed_search(feeds json) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  ids bigint[] := (SELECT array_agg(i.c) FROM json_to_recordset(feeds) AS i (c bigint));
BEGIN
  INSERT INTO search_progress (conversation_id, rev)
  SELECT i.c, 0 FROM json_to_recordset(feeds) AS i (c bigint, f bigint)
  WHERE i.f = 0 ORDER BY i.c
  ON CONFLICT DO NOTHING;
  PERFORM 1 FROM search_progress p WHERE p.conversation_id = ANY (ids)
  ORDER BY p.conversation_id FOR UPDATE;
  IF EXISTS (
    SELECT 1 FROM json_to_recordset(feeds) AS i (c bigint, f bigint)
    LEFT JOIN search_progress p ON p.conversation_id = i.c
    WHERE p.rev IS DISTINCT FROM i.f
  ) THEN
    RETURN false;
  END IF;
  UPDATE search_progress p SET rev = i.r
  FROM json_to_recordset(feeds) AS i (c bigint, r bigint) WHERE p.conversation_id = i.c;
  DELETE FROM search_blocks b
  USING json_to_recordset(feeds) AS i (c bigint, d bigint[])
  WHERE b.conversation_id = i.c AND b.first_seq = ANY (i.d);
  DELETE FROM search_blocks b
  USING json_to_recordset(feeds) AS i (c bigint, g boolean)
  WHERE i.g AND b.conversation_id = i.c;
  INSERT INTO search_blocks AS b
    (conversation_id, first_seq, last_seq, of_id, bytes, first_at, last_at, tokens)
  SELECT i.c, n.s, n.l, i.o, n.n, n.x, n.y, n.t::tsvector
  FROM json_to_recordset(feeds) AS i (c bigint, o bigint, b json)
  CROSS JOIN LATERAL json_to_recordset(i.b)
    AS n (s bigint, l bigint, n int, x timestamptz, y timestamptz, t text)
  ON CONFLICT (conversation_id, first_seq) DO UPDATE
  -- Written out and read again, since || would move the positions.
  SET tokens = (b.tokens::text || ' ' || excluded.tokens::text)::tsvector,
    last_seq = excluded.last_seq, bytes = b.bytes + excluded.bytes,
    first_at = least(b.first_at, excluded.first_at),
    last_at = greatest(b.last_at, excluded.last_at);
  RETURN true;
END
$$;
