-- Users who sent into threads, or were mentioned there, become followers. write_batch calls it with
-- its sends, their outcomes and their seqs, once the messages are there; the threads' rows are
-- locked. It also notes that the summaries of these threads' roots must be written.
-- A follower has read everything before the message that made them one, and a sender their own.
-- The answer is write_batch's `followed`.
-- A membership of the parent that ends at this moment is passed over: to wait for it could be to
-- wait for one who waits for these locks. Held so, it cannot end before this transaction.
CREATE OR REPLACE FUNCTION follow_by_replies(sends json, outcomes int[], seqs bigint[])
RETURNS json
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  followed json;
BEGIN
  INSERT INTO thread_summaries (conversation_id, due_at)
  SELECT DISTINCT v.id, clock_timestamp() + interval '3 seconds'
  FROM ROWS FROM (json_to_recordset(sends) AS (c bigint)) WITH ORDINALITY AS i (c, n)
  JOIN conversations v ON v.id = i.c AND v.parent_id IS NOT NULL
  WHERE outcomes[i.n] = 0
  ON CONFLICT DO NOTHING;

  WITH reply AS MATERIALIZED (
    SELECT i.n, i.c, i.s, v.parent_id, v.parent_seq, y.seq, coalesce(y.n, y.seq) AS at_n,
      coalesce(y.n, y.seq) - CASE WHEN i.q IS NULL THEN 1 ELSE 0 END AS before_n,
      y.extra->'mentions' AS mentions
    FROM ROWS FROM (json_to_recordset(sends) AS (c bigint, s bigint, q boolean))
      WITH ORDINALITY AS i (c, s, q, n)
    JOIN conversations v ON v.id = i.c AND v.parent_id IS NOT NULL
    JOIN messages y ON y.conversation_id = i.c AND y.seq = seqs[i.n]
    WHERE outcomes[i.n] = 0
  ), named AS MATERIALIZED (
    SELECT x.c, x.u, x.parent_id, x.parent_seq, min(x.n) AS n,
      coalesce(max(x.seq) FILTER (WHERE x.is_own), min(x.seq) - 1) AS read_seq,
      coalesce(max(x.at_n) FILTER (WHERE x.is_own), min(x.before_n)) AS read_n
    FROM (
      SELECT r.c, r.s AS u, r.parent_id, r.parent_seq, r.n, r.seq, r.at_n, r.before_n,
        true AS is_own
      FROM reply r
      UNION ALL
      SELECT r.c, t.id::bigint, r.parent_id, r.parent_seq, r.n, r.seq, r.at_n, r.before_n, false
      FROM reply r CROSS JOIN LATERAL jsonb_array_elements_text(r.mentions) t (id)
    ) x
    GROUP BY x.c, x.u, x.parent_id, x.parent_seq
  ), present AS (
    SELECT d.* FROM named d
    JOIN conversation_members k ON k.conversation_id = d.parent_id AND k.user_id = d.u
    WHERE coalesce(k.visible_from_seq, 1) <= d.parent_seq AND NOT EXISTS (
      SELECT 1 FROM conversation_members f WHERE f.conversation_id = d.c AND f.user_id = d.u)
    FOR KEY SHARE OF k SKIP LOCKED
  ), added AS (
    INSERT INTO conversation_members
      (conversation_id, user_id, thread_of, delivered_seq, read_seq, read_n, own_activity_at)
    SELECT p.c, p.u, p.parent_id, p.read_seq, p.read_seq, nullif(p.read_n, p.read_seq),
      clock_timestamp()
    FROM present p
    ON CONFLICT DO NOTHING
    RETURNING conversation_id, user_id, read_seq, read_n
  ), counted AS (
    UPDATE conversations v SET member_count = v.member_count + x.added
    FROM (SELECT a.conversation_id, count(*) AS added FROM added a GROUP BY 1) x
    WHERE v.id = x.conversation_id
  )
  SELECT json_agg(json_build_object(
    'n', d.n - 1, 'u', a.user_id::text, 'r', a.read_seq, 'a', a.read_n))
  INTO followed
  FROM added a JOIN named d ON d.c = a.conversation_id AND d.u = a.user_id;
  IF followed IS NOT NULL THEN
    INSERT INTO user_changes (user_ids)
    SELECT array_agg(DISTINCT f.u) FROM json_to_recordset(followed) AS f (u bigint);
  END IF;
  RETURN followed;
END
$$;
