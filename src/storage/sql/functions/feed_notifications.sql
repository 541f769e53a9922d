-- Notifications that may be pushed: of comments, follows and mentions, and those that services send.
-- A mention in a conversation is pushed as its message. A trigger of push_triggers.
CREATE OR REPLACE FUNCTION feed_notifications() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO push_feed (kind, user_id, seq)
  SELECT 'notification', a.user_id, a.id FROM added a
  WHERE (a.type IN ('comment', 'follow', 'mention') AND a.data->>'conversation_id' IS NULL)
    OR (a.actor_id IS NULL AND a.type NOT IN ('like', 'reaction', 'comment', 'follow', 'mention'))
  ORDER BY a.id;
  RETURN NULL;
END
$$;
