-- Writes the event message.unread for a user who has no session: of the conversation that waits
-- longest and is still unread and not muted. Once in p_every; what else waits comes then. Whether
-- it was written. The event and the notes of it are one transaction.
CREATE OR REPLACE FUNCTION tell_unread(p_user bigint, p_every interval) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  moment constant timestamptz(3) := clock_timestamp();
  turn unread_turns;
  reader users;
  waiting record;
BEGIN
  INSERT INTO unread_turns (user_id) VALUES (p_user) ON CONFLICT DO NOTHING;
  SELECT t.* INTO turn FROM unread_turns t WHERE t.user_id = p_user FOR UPDATE;
  IF turn.told_at > moment - p_every OR NOT (SELECT s.is_on FROM event_log_state s) THEN
    RETURN false;
  END IF;
  SELECT u.* INTO reader FROM users u WHERE u.id = p_user;
  FOR waiting IN
    SELECT w.conversation_id AS id, c.last_seq, x.items, x.found, unread_count(c, k) AS unread
    FROM unread_members w
    JOIN conversations c ON c.id = w.conversation_id
    LEFT JOIN conversation_members k
      ON k.conversation_id = w.conversation_id AND k.user_id = p_user AND c.deleted_at IS NULL
    LEFT JOIN conversation_prefs p ON p.user_id = p_user AND p.conversation_id = w.conversation_id
    LEFT JOIN messages m ON m.conversation_id = w.conversation_id AND m.seq = w.waiting_seq
    LEFT JOIN LATERAL (
      SELECT string_agg(n.item, ',' ORDER BY n.seq) AS items, count(*) AS found
      FROM (
        SELECT y.seq, message_text(y) AS item FROM messages y
        WHERE y.conversation_id = w.conversation_id AND y.seq > k.read_seq
          AND y.seq >= greatest(k.visible_from_seq, k.cleared_before_seq, kept_of(c))
          AND y.sender_id IS DISTINCT FROM p_user AND y.deleted_at IS NULL
          AND y.extra->>'type' IS DISTINCT FROM 'system'
        ORDER BY y.seq DESC LIMIT 10
      ) n
    ) x ON k.read_seq < w.waiting_seq AND NOT is_suspended(reader)
      AND (reader.last_seen_at IS NULL OR reader.last_seen_at < m.created_at)
      AND NOT is_silenced(p, CASE WHEN w.is_mention THEN 'mention' ELSE 'message' END, moment)
    WHERE w.user_id = p_user AND w.waiting_seq IS NOT NULL
    ORDER BY w.since, w.conversation_id
  LOOP
    UPDATE unread_members w SET waiting_seq = NULL, is_mention = false, since = moment,
      told_seq = CASE WHEN waiting.found > 0 THEN waiting.last_seq ELSE w.told_seq END
    WHERE w.user_id = p_user AND w.conversation_id = waiting.id;
    -- Read, muted, left or deleted meanwhile: that is no event.
    CONTINUE WHEN coalesce(waiting.found, 0) = 0 OR coalesce(waiting.unread, 0) = 0;
    PERFORM log_events(ARRAY[outside_event('message.unread', 'user:' || p_user, NULL, NULL,
      '{"user":' || json_build_object(
          'id', reader.id::text, 'username', reader.username, 'display_name', reader.display_name,
          'image_url', reader.image_url, 'data', reader.data, 'trusted', reader.trusted,
          'external_id', reader.external_id, 'created_at', reader.created_at)
        || ',"conversation":' || logged_conversation(waiting.id)
        || ',"messages":[' || waiting.items || '],"unread_count":' || waiting.unread || '}')]);
    UPDATE unread_turns t SET told_at = moment WHERE t.user_id = p_user;
    RETURN true;
  END LOOP;
  RETURN false;
END
$$;
