-- Gives the rows that have been committed since the last call their places in the order in which
-- readers see them; the last place. Every reader calls it first. A row becomes visible after
-- every row that was committed before it, so for one key places rise in the order of the commits,
-- and a row that commits late gets a later place. Likes of a post become one event a second.
CREATE OR REPLACE FUNCTION sequence_events() RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  due constant timestamptz := clock_timestamp() - interval '1 second';
  last bigint;
  added bigint;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM event_log l WHERE l.pos IS NULL)
    AND NOT EXISTS (SELECT 1 FROM event_likes k WHERE k.at < due) THEN
    RETURN (SELECT s.last_pos FROM event_log_state s);
  END IF;
  SELECT s.last_pos INTO last FROM event_log_state s FOR UPDATE;
  WITH ready AS (
    SELECT DISTINCT k.post_id FROM event_likes k WHERE k.at < due ORDER BY 1 LIMIT 500
  ), taken AS (
    DELETE FROM event_likes k USING ready r WHERE k.post_id = r.post_id
    RETURNING k.id, k.post_id, k.user_id, k.is_added
  ), steps AS (
    -- A like that was taken back within the second is no event.
    SELECT t.post_id, t.user_id, sum(CASE WHEN t.is_added THEN 1 ELSE -1 END) AS step
    FROM taken t GROUP BY t.post_id, t.user_id
  )
  INSERT INTO event_log (events)
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
  HAVING count(*) > 0;
  WITH fresh AS (
    SELECT l.id, row_number() OVER (ORDER BY l.id) AS n
    FROM (SELECT x.id FROM event_log x WHERE x.pos IS NULL ORDER BY x.id LIMIT 2000) l
  ), placed AS (
    UPDATE event_log l SET pos = last + f.n FROM fresh f WHERE l.id = f.id RETURNING 1
  )
  SELECT count(*) INTO added FROM placed;
  UPDATE event_log_state s SET last_pos = last + added;
  RETURN last + added;
END
$$;
