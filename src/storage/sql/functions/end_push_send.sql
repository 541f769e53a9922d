-- How the sending of a push has ended, up to the message p_seq: what came meanwhile is sent then.
-- p_end: sent, dropped (it is not pushed any more), gone (the device is removed), failed (it is tried
-- again in p_retry_ms), later (so, too, but it was not begun). What a device shows is noted where it
-- can be sent that it was read.
CREATE OR REPLACE FUNCTION end_push_send(
  p_device bigint, p_kind text, p_conversation bigint, p_notification bigint, p_seq bigint,
  p_end text, p_retry_ms int, p_decision json, p_kept int
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  reader push_devices;
  has_read boolean;
BEGIN
  SELECT d.* INTO reader FROM push_devices d WHERE d.id = p_device;
  IF p_end = 'gone' THEN
    DELETE FROM push_devices d WHERE d.id = p_device;
  ELSIF p_end IN ('failed', 'later') THEN
    UPDATE push_sends s SET claimed_until = NULL,
      -- A newer message may have set it to 0 meanwhile.
      attempts = greatest(0, s.attempts - CASE p_end WHEN 'later' THEN 1 ELSE 0 END),
      due_at = clock_timestamp() + p_retry_ms * interval '1 millisecond'
    WHERE s.device = p_device AND s.kind = p_kind AND s.conversation_id = p_conversation
      AND s.notification_id = p_notification;
  ELSE
    DELETE FROM push_sends s
    WHERE s.device = p_device AND s.kind = p_kind AND s.conversation_id = p_conversation
      AND s.notification_id = p_notification AND s.seq <= p_seq;
    UPDATE push_sends s SET claimed_until = NULL, due_at = clock_timestamp(), attempts = 0
    WHERE s.device = p_device AND s.kind = p_kind AND s.conversation_id = p_conversation
      AND s.notification_id = p_notification;
  END IF;
  IF p_end = 'sent' AND p_kind = 'message' AND reader.provider IN ('fcm', 'apns') THEN
    -- A mark that is being written sees the row below, or is seen here.
    SELECT k.read_seq >= p_seq INTO has_read FROM conversation_members k
    WHERE k.conversation_id = p_conversation AND k.user_id = reader.user_id FOR SHARE;
    INSERT INTO push_shown AS s (user_id, conversation_id, seq)
    VALUES (reader.user_id, p_conversation, p_seq)
    ON CONFLICT (user_id, conversation_id) DO UPDATE SET
      seq = greatest(s.seq, excluded.seq), at = excluded.at;
    IF has_read THEN
      INSERT INTO push_feed (kind, user_id, conversation_id)
      VALUES ('read', reader.user_id, p_conversation);
    END IF;
  END IF;
  PERFORM note_push_decisions(p_decision, p_kept);
END
$$;
