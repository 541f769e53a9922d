-- A message whose text has arrived. A trigger of push_triggers.
CREATE OR REPLACE FUNCTION feed_ended_stream() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.extra->>'silent' IS NULL AND NEW.deleted_at IS NULL THEN
    INSERT INTO push_feed (kind, conversation_id, seq) VALUES ('message', NEW.conversation_id, NEW.seq);
  END IF;
  RETURN NULL;
END
$$;
