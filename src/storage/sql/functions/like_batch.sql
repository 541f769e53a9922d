-- Group commit of likes: locks the posts in rising order and reads in later statements, so that
-- under READ COMMITTED it sees everything that was committed before. The arrays of the answer run
-- parallel to the input. Blocks are joined, never looked up by EXISTS: a kept plan might hash the
-- whole table for that.
--   changes: [{p: post, u: user, l: liked}], no (p, u) twice.
--   outcomes: 0 nothing to change, 1 changed, 2 no such post (none, deleted, or blocked).
--   counts: likes of the post after this change, which includes those before it in the batch.
CREATE OR REPLACE FUNCTION like_batch(post_ids bigint[], changes json)
RETURNS TABLE (outcomes int[], counts bigint[])
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
  PERFORM 1 FROM posts p WHERE p.id = ANY (post_ids) ORDER BY p.id FOR NO KEY UPDATE;

  WITH input AS MATERIALIZED (
    SELECT i.n, i.p, i.u, i.l
    FROM ROWS FROM (json_to_recordset(changes) AS (p bigint, u bigint, l boolean))
      WITH ORDINALITY AS i (p, u, l, n)
  ), checked AS (
    SELECT i.*, p.like_count,
      CASE
        WHEN p.id IS NULL OR b.blocker_id IS NOT NULL OR d.blocker_id IS NOT NULL THEN 2
        WHEN (k.user_id IS NOT NULL) = i.l THEN 0
        ELSE 1
      END AS outcome
    FROM input i
    LEFT JOIN posts p ON p.id = i.p AND p.deleted_at IS NULL
    LEFT JOIN likes k ON k.post_id = i.p AND k.user_id = i.u
    LEFT JOIN blocks b ON b.blocker_id = p.author_id AND b.blocked_id = i.u
    LEFT JOIN blocks d ON d.blocker_id = i.u AND d.blocked_id = p.author_id
  ), stepped AS (
    SELECT c.*, CASE WHEN c.outcome <> 1 THEN 0 WHEN c.l THEN 1 ELSE -1 END AS step
    FROM checked c
  ), counted AS MATERIALIZED (
    SELECT s.*, s.like_count + sum(s.step)
      OVER (PARTITION BY s.p ORDER BY s.n ROWS UNBOUNDED PRECEDING) AS count
    FROM stepped s
  ), added AS (
    INSERT INTO likes (post_id, user_id)
    SELECT c.p, c.u FROM counted c WHERE c.step = 1
  ), taken AS (
    DELETE FROM likes k USING counted c
    WHERE c.step = -1 AND k.post_id = c.p AND k.user_id = c.u
  ), moved AS (
    UPDATE posts p SET like_count = p.like_count + x.steps
    FROM (SELECT c.p, sum(c.step) AS steps FROM counted c GROUP BY c.p) x
    WHERE p.id = x.p AND x.steps <> 0
  )
  SELECT array_agg(c.outcome ORDER BY c.n),
    array_agg(coalesce(c.count, 0)::bigint ORDER BY c.n)
  INTO outcomes, counts
  FROM counted c;
  RETURN NEXT;
END
$$;
