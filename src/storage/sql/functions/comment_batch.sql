-- Group commit of comments; it locks, reads and answers as like_batch does.
--   added: [{p: post, u: author, b: body, d: data as JSON text}].
--   outcomes: 0 added, 2 no such post (none, deleted, or blocked).
--   counts: comments of the post after this one, which includes those before it in the batch.
CREATE OR REPLACE FUNCTION comment_batch(post_ids bigint[], added json)
RETURNS TABLE (at timestamptz, outcomes int[], ids bigint[], counts bigint[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  moment timestamptz(3);
BEGIN
  PERFORM 1 FROM posts p WHERE p.id = ANY (post_ids) ORDER BY p.id FOR NO KEY UPDATE;
  moment := clock_timestamp();

  WITH input AS MATERIALIZED (
    SELECT i.n, i.p, i.u, i.b, i.d
    FROM ROWS FROM (json_to_recordset(added) AS (p bigint, u bigint, b text, d text))
      WITH ORDINALITY AS i (p, u, b, d, n)
  ), checked AS (
    SELECT i.*, p.comment_count,
      CASE
        WHEN p.id IS NULL OR b.blocker_id IS NOT NULL OR e.blocker_id IS NOT NULL THEN 2
        ELSE 0
      END AS outcome
    FROM input i
    LEFT JOIN posts p ON p.id = i.p AND p.deleted_at IS NULL
    LEFT JOIN blocks b ON b.blocker_id = p.author_id AND b.blocked_id = i.u
    LEFT JOIN blocks e ON e.blocker_id = i.u AND e.blocked_id = p.author_id
  ), ranked AS (
    SELECT c.*, count(*) FILTER (WHERE c.outcome = 0)
      OVER (PARTITION BY c.p ORDER BY c.n ROWS UNBOUNDED PRECEDING) AS rank
    FROM checked c
  ), numbered AS MATERIALIZED (
    -- The window above has sorted its rows: within a post ids rise in the order of the calls.
    SELECT r.*, CASE WHEN r.outcome = 0 THEN nextval('comments_id_seq') END AS id
    FROM ranked r
  ), stored AS (
    INSERT INTO comments (post_id, id, author_id, body, created_at, data)
    SELECT x.p, x.id, x.u, x.b, moment, x.d::json FROM numbered x WHERE x.outcome = 0
  ), moved AS (
    UPDATE posts p SET comment_count = p.comment_count + x.more
    FROM (SELECT p, max(rank) AS more FROM numbered WHERE outcome = 0 GROUP BY p) x
    WHERE p.id = x.p
  )
  SELECT moment, array_agg(x.outcome ORDER BY x.n), array_agg(coalesce(x.id, 0) ORDER BY x.n),
    array_agg(coalesce(x.comment_count + x.rank, 0) ORDER BY x.n)
  INTO at, outcomes, ids, counts
  FROM numbered x;
  RETURN NEXT;
END
$$;
