-- Looks at the next rows of the log for one webhook and queues the events that it wants; what its
-- deliverer needs to know, too. No row: there is no such webhook.
--   fresh: keys of the events that were queued now. due: keys whose next try is due.
--   has_more: there are further rows to look at.
CREATE OR REPLACE FUNCTION queue_webhook(p_id bigint, p_rows int)
RETURNS TABLE (
  url text, is_batch boolean, is_enabled boolean, secrets text[], fresh text[], due text[],
  has_more boolean
)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  w webhooks;
  last bigint;
  begun bigint;
  upto bigint;
BEGIN
  last := sequence_events();
  SELECT x.* INTO w FROM webhooks x WHERE x.id = p_id FOR UPDATE;
  IF w.id IS NULL THEN
    RETURN;
  END IF;
  fresh := '{}';
  begun := greatest(w.looked_pos, (SELECT s.pruned_pos FROM event_log_state s));
  IF w.is_enabled AND last > begun THEN
    SELECT max(y.pos) INTO upto FROM (
      SELECT l.pos FROM event_log l WHERE l.pos > begun AND l.pos <= last
      ORDER BY l.pos LIMIT p_rows) y;
    upto := coalesce(upto, last);
    WITH queued AS (
      INSERT INTO webhook_queue AS q (webhook_id, key, pos, n, at)
      SELECT p_id, e.event->>'k', l.pos, e.n - 1, l.at
      FROM event_log l CROSS JOIN LATERAL unnest(l.events) WITH ORDINALITY AS e (event, n)
      WHERE l.pos > begun AND l.pos <= upto AND is_wanted_event(e.event->>'t', w.types)
      ON CONFLICT DO NOTHING
      RETURNING q.key
    )
    SELECT coalesce(array_agg(DISTINCT q.key), '{}') INTO fresh FROM queued q;
    UPDATE webhooks x SET looked_pos = upto WHERE x.id = p_id;
  END IF;
  url := w.url;
  is_batch := w.is_batch;
  is_enabled := w.is_enabled;
  secrets := ARRAY[w.secret]
    || CASE WHEN w.old_secret_until > clock_timestamp() THEN ARRAY[w.old_secret] ELSE '{}' END;
  due := ARRAY(
    SELECT k.key FROM webhook_keys k
    WHERE k.webhook_id = p_id AND k.parked_at IS NULL AND k.retry_at <= statement_timestamp()
    ORDER BY k.retry_at LIMIT 100);
  has_more := upto < last;
  RETURN NEXT;
END
$$;
