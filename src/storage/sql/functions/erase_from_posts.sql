-- A user's posts, comments and likes among the p_most posts that follow p_after, by their ids.
-- last: the last of these posts; null: there are no more.
CREATE OR REPLACE FUNCTION erase_from_posts(p_user bigint, p_after bigint, p_most int)
RETURNS TABLE (last bigint)
LANGUAGE plpgsql AS $$
DECLARE
  chunk bigint[];
  gone bigint;
BEGIN
  SELECT array_agg(x.id) INTO chunk
  FROM (SELECT p.id FROM posts p WHERE p.id > p_after ORDER BY p.id LIMIT p_most) x;
  IF chunk IS NULL THEN
    RETURN NEXT;
    RETURN;
  END IF;
  -- Under the posts' locks, as every change of their counts.
  PERFORM 1 FROM posts p
  WHERE p.id = ANY (chunk) AND (p.author_id = p_user
    OR EXISTS (SELECT 1 FROM likes k WHERE k.post_id = p.id AND k.user_id = p_user)
    OR EXISTS (SELECT 1 FROM comments c WHERE c.post_id = p.id AND c.author_id = p_user))
  ORDER BY p.id FOR NO KEY UPDATE;
  PERFORM set_config('troupe.actor', p_user::text, true);
  UPDATE posts p SET body = '', data = NULL, file_ids = NULL,
    deleted_at = coalesce(p.deleted_at, clock_timestamp())
  WHERE p.id = ANY (chunk) AND p.author_id = p_user AND (p.deleted_at IS NULL OR p.data IS NOT NULL);
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM count_erased(p_user, 'posts', gone);
  WITH removed AS (
    DELETE FROM comments c WHERE c.post_id = ANY (chunk) AND c.author_id = p_user
    RETURNING c.post_id
  ), counted AS (
    UPDATE posts p SET comment_count = p.comment_count - x.n
    FROM (SELECT r.post_id, count(*) AS n FROM removed r GROUP BY r.post_id) x
    WHERE p.id = x.post_id
  )
  SELECT count(*) INTO gone FROM removed;
  PERFORM count_erased(p_user, 'comments', gone);
  WITH removed AS (
    DELETE FROM likes k WHERE k.post_id = ANY (chunk) AND k.user_id = p_user RETURNING k.post_id
  ), counted AS (
    UPDATE posts p SET like_count = p.like_count - 1 FROM removed r WHERE p.id = r.post_id
  )
  SELECT count(*) INTO gone FROM removed;
  PERFORM count_erased(p_user, 'likes', gone);
  last := chunk[cardinality(chunk)];
  RETURN NEXT;
END
$$;
