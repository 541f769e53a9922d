-- What a batch's messages say beside their rows: when they expire, whom they mention, which files
-- they show, and which of them are streams. write_batch calls it with its sends and answers where `extras` is not null, so that
-- batches of plain messages do not open these tables.
CREATE OR REPLACE FUNCTION keep_message_extras(
  sends json, outcomes int[], seqs bigint[], extras json, moment timestamptz
) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  WITH extra AS MATERIALIZED (
    SELECT i.c, seqs[i.n] AS seq, i.x, i.f, x.e
    FROM ROWS FROM (json_to_recordset(sends) AS (c bigint, x int, f bigint[]))
      WITH ORDINALITY AS i (c, x, f, n)
    JOIN json_to_recordset(extras) AS x (n int, e jsonb) ON x.n = i.n - 1
    WHERE outcomes[i.n] = 0
  ), expiring AS (
    INSERT INTO message_expiries (conversation_id, seq, expires_at)
    SELECT x.c, x.seq, moment + x.x * interval '1 second' FROM extra x WHERE x.x IS NOT NULL
  ), streaming AS (
    INSERT INTO open_streams (conversation_id, seq, due_at)
    SELECT x.c, x.seq, moment + interval '3 seconds' FROM extra x WHERE x.e ? 'stream'
  ), mentioned AS (
    INSERT INTO message_mentions (user_id, conversation_id, seq)
    SELECT u.id::bigint, x.c, x.seq
    FROM extra x CROSS JOIN LATERAL jsonb_array_elements_text(x.e->'mentions') u (id)
  ), attached AS (
    INSERT INTO message_files (conversation_id, seq, file_id)
    SELECT DISTINCT x.c, x.seq, u.id FROM extra x CROSS JOIN LATERAL unnest(x.f) u (id)
  )
  UPDATE files f SET attached_at = moment
  FROM extra x
  -- Every one of them changes, so that a sweep which waits for these rows looks at them again.
  WHERE f.id = ANY (x.f);
END
$$;
