-- Messages that may be pushed: not those of the system, silent ones, those whose text still arrives,
-- those of an import, which writes no events, and old ones. A trigger of push_triggers.
CREATE OR REPLACE FUNCTION feed_messages() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('troupe.events', true) = 'off' THEN
    RETURN NULL;
  END IF;
  INSERT INTO push_feed (kind, conversation_id, seq)
  SELECT 'message', a.conversation_id, a.seq FROM added a
  WHERE a.created_at > clock_timestamp() - interval '1 day' AND (a.extra IS NULL OR (
    a.extra->>'type' IS DISTINCT FROM 'system' AND a.extra->>'silent' IS NULL
    AND a.extra->'stream'->>'state' IS DISTINCT FROM 'open'
  ))
  ORDER BY a.conversation_id, a.seq;
  RETURN NULL;
END
$$;
