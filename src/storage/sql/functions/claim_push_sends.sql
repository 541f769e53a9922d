-- At most p_most pushes that are due, each with its device; nobody else has them for p_lease. Those in
-- the lanes p_without wait: a lane is the host of a browser's endpoint, or another provider's name.
DROP FUNCTION IF EXISTS claim_push_sends(int, interval);
CREATE OR REPLACE FUNCTION claim_push_sends(
  p_most int, p_lease interval, p_without text[] DEFAULT '{}'
)
RETURNS TABLE (claimed json)
LANGUAGE sql VOLATILE AS $$
  WITH due AS (
    SELECT s.device, s.kind, s.conversation_id, s.notification_id FROM push_sends s
    JOIN push_devices e ON e.id = s.device
    WHERE s.due_at <= statement_timestamp()
      AND (s.claimed_until IS NULL OR s.claimed_until <= clock_timestamp())
      AND CASE e.provider
        WHEN 'webpush' THEN split_part(e.address, '/', 3) ELSE e.provider
      END <> ALL (p_without)
    ORDER BY s.due_at LIMIT p_most FOR UPDATE OF s SKIP LOCKED
  ), taken AS (
    UPDATE push_sends s
    SET claimed_until = clock_timestamp() + p_lease, attempts = s.attempts + 1
    FROM due d
    WHERE s.device = d.device AND s.kind = d.kind AND s.conversation_id = d.conversation_id
      AND s.notification_id = d.notification_id
    RETURNING s.*
  )
  SELECT json_build_object('kind', t.kind, 'u', t.user_id::text, 'c', t.conversation_id::text,
    'i', t.notification_id::text, 'f', t.first_seq, 's', t.seq, 'attempts', t.attempts,
    'age_ms', floor(extract(epoch FROM clock_timestamp() - t.since) * 1000),
    'device', t.device::text, 'device_id', d.device_id, 'provider', d.provider,
    'address', d.address, 'keys', d.keys, 'locale', d.locale, 'tz', d.tz)
  FROM taken t JOIN push_devices d ON d.id = t.device
$$;
