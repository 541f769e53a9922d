-- Schedules a message, or finds what its client_id has become: an item that waits, or the message
-- that was sent. outcome: ok, not_found (the user may not read the conversation), full (p_most wait).
CREATE OR REPLACE FUNCTION schedule_message(
  p_user bigint, p_id bigint, p_client_id text, p_send_at timestamptz, p_body text,
  p_reply_to bigint, p_content json, p_most int
)
RETURNS TABLE (outcome text, changed boolean, item text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  made scheduled_messages;
BEGIN
  -- Calls of one user come one after another, so that none is counted twice and none passes p_most.
  PERFORM pg_advisory_xact_lock(hashtextextended('scheduled ' || p_user, 0));
  changed := false;
  IF NOT EXISTS (
    SELECT 1 FROM conversations c
    JOIN conversation_members k
      ON k.conversation_id = coalesce(c.parent_id, c.id) AND k.user_id = p_user
        AND (c.parent_id IS NULL OR coalesce(k.visible_from_seq, 1) <= c.parent_seq)
    WHERE c.id = p_id AND c.deleted_at IS NULL
  ) THEN
    outcome := 'not_found';
    RETURN NEXT;
    RETURN;
  END IF;
  item := coalesce((
    SELECT message_text(m) FROM messages m
    WHERE m.conversation_id = p_id AND m.sender_id = p_user AND m.client_id = p_client_id
  ), (
    SELECT scheduled_text(s) FROM scheduled_messages s
    WHERE s.conversation_id = p_id AND s.user_id = p_user AND s.client_id = p_client_id
  ));
  outcome := CASE WHEN item IS NULL AND p_most <= (
    SELECT count(*) FROM scheduled_messages s WHERE s.user_id = p_user) THEN 'full' ELSE 'ok' END;
  IF outcome = 'ok' AND item IS NULL THEN
    INSERT INTO scheduled_messages
      (user_id, conversation_id, client_id, send_at, due_at, body, reply_to_seq, content)
    VALUES (p_user, p_id, p_client_id, p_send_at, p_send_at, p_body, p_reply_to, p_content)
    RETURNING * INTO made;
    item := scheduled_text(made);
    changed := true;
  END IF;
  RETURN NEXT;
END
$$;
