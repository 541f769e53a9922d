-- Likes that came or went wait here for a second and become one event (sequence_events). A trigger
-- of event_triggers.
CREATE OR REPLACE FUNCTION log_likes() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO event_likes (post_id, user_id, is_added)
  SELECT c.post_id, c.user_id, TG_OP = 'INSERT' FROM changed c ORDER BY c.post_id, c.user_id;
  RETURN NULL;
END
$$;
