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
  likes json[];
BEGIN
  IF NOT EXISTS (SELECT 1 FROM event_log l WHERE l.pos IS NULL)
    AND NOT EXISTS (SELECT 1 FROM event_likes k WHERE k.at < due) THEN
    RETURN (SELECT s.last_pos FROM event_log_state s);
  END IF;
  SELECT s.last_pos INTO last FROM event_log_state s FOR UPDATE;
  likes := gathered_likes(ARRAY(
    SELECT DISTINCT k.post_id FROM event_likes k WHERE k.at < due ORDER BY 1 LIMIT 500));
  IF likes IS NOT NULL THEN
    INSERT INTO event_log (events) VALUES (likes);
  END IF;
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
