-- Forgets events that are older than p_kept, but for those that a webhook has queued, and these after
-- p_queued; at most p_rows of each. Whether there may be more. With p_may_end the log ends where
-- nobody listens any more: no webhook, and no pull within p_kept.
CREATE OR REPLACE FUNCTION prune_events(
  p_kept interval, p_queued interval, p_rows int, p_may_end boolean
) RETURNS TABLE (has_more boolean, is_idle boolean)
LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  moment constant timestamptz := clock_timestamp();
  upto bigint;
  gone int;
BEGIN
  DELETE FROM webhook_queue q WHERE q.ctid = ANY (ARRAY(
    SELECT x.ctid FROM webhook_queue x WHERE x.at < moment - p_queued LIMIT p_rows));
  GET DIAGNOSTICS gone = ROW_COUNT;
  has_more := gone = p_rows;
  SELECT max(y.pos) INTO upto FROM (
    SELECT l.pos, l.at FROM event_log l WHERE l.pos > (SELECT s.pruned_pos FROM event_log_state s)
    ORDER BY l.pos LIMIT p_rows) y
  WHERE y.at < moment - p_kept;
  UPDATE event_log_state s SET pruned_pos = upto WHERE upto > s.pruned_pos;
  DELETE FROM event_log l WHERE l.pos = ANY (ARRAY(
    SELECT x.pos FROM event_log x
    WHERE x.pos <= (SELECT s.pruned_pos FROM event_log_state s)
      AND NOT EXISTS (SELECT 1 FROM webhook_queue q WHERE q.pos = x.pos)
    ORDER BY x.pos LIMIT p_rows));
  GET DIAGNOSTICS gone = ROW_COUNT;
  has_more := has_more OR gone = p_rows;
  is_idle := p_may_end AND NOT EXISTS (SELECT 1 FROM webhooks)
    AND EXISTS (SELECT 1 FROM event_log_state s WHERE s.is_on AND s.pulled_at < moment - p_kept);
  RETURN NEXT;
END
$$;
