-- Takes the waiting likes of these posts, as the events that they become: of each post those that
-- came, then those that went. A like that was taken back meanwhile is no event.
CREATE OR REPLACE FUNCTION gathered_likes(p_posts bigint[]) RETURNS json[]
LANGUAGE sql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
  WITH taken AS (
    DELETE FROM event_likes k WHERE k.post_id = ANY (p_posts)
    RETURNING k.post_id, k.user_id, k.is_added
  ), steps AS (
    SELECT t.post_id, t.user_id, sum(CASE WHEN t.is_added THEN 1 ELSE -1 END) AS step
    FROM taken t GROUP BY t.post_id, t.user_id
  )
  SELECT array_agg(outside_event(
      CASE WHEN g.step > 0 THEN 'like.added' ELSE 'like.removed' END, 'post:' || g.post_id, NULL,
      CASE WHEN cardinality(g.users) = 1 THEN g.users[1] END,
      json_build_object('post_id', g.post_id::text, 'user_ids', g.users,
        'like_count', (SELECT p.like_count FROM posts p WHERE p.id = g.post_id))::text)
    ORDER BY g.post_id, g.step DESC)
  FROM (
    SELECT s.post_id, sign(s.step) AS step, array_agg(s.user_id::text ORDER BY s.user_id) AS users
    FROM steps s WHERE s.step <> 0 GROUP BY s.post_id, sign(s.step)
  ) g
$$;
