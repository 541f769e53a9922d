-- Readers who have read what their devices show. A trigger of push_triggers.
CREATE OR REPLACE FUNCTION feed_reads() RETURNS trigger
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  INSERT INTO push_feed (kind, user_id, conversation_id)
  SELECT 'read', s.user_id, s.conversation_id FROM marked k
  JOIN push_shown s ON s.user_id = k.user_id AND s.conversation_id = k.conversation_id
  WHERE k.read_seq >= s.seq;
  RETURN NULL;
END
$$;
