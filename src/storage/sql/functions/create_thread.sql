-- Finds or makes the thread of a message. Its sender follows it from then on, as far as they are a
-- member of the parent still. outcome: ok, not_found (p_by is no member), message_not_found, apart
-- (a block), thread (a thread has no threads), conflict (the message is deleted, and has none).
-- follower: who follows it since this call; null where nobody does.
CREATE OR REPLACE FUNCTION create_thread(p_parent bigint, p_seq bigint, p_by bigint)
RETURNS TABLE (outcome text, changed boolean, id bigint, follower bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  parent conversations;
  reader conversation_members;
  root messages;
BEGIN
  -- Two calls at once make one thread, and the members of the parent stay as they are meanwhile.
  SELECT c.* INTO parent FROM conversations c
  WHERE c.id = p_parent AND c.deleted_at IS NULL FOR NO KEY UPDATE;
  SELECT m.* INTO reader FROM conversation_members m
  WHERE m.conversation_id = coalesce(parent.parent_id, p_parent) AND m.user_id = p_by;
  SELECT y.* INTO root FROM messages y WHERE y.conversation_id = p_parent AND y.seq = p_seq;
  SELECT c.id INTO id FROM conversations c WHERE c.parent_id = p_parent AND c.parent_seq = p_seq;
  outcome := CASE
    WHEN parent.id IS NULL OR reader.user_id IS NULL THEN 'not_found'
    WHEN parent.kind = 'thread' THEN 'thread'
    WHEN root.seq IS NULL OR p_seq < kept_of(parent) OR reader.visible_from_seq > p_seq
      THEN 'message_not_found'
    WHEN reader.apart THEN 'apart'
    WHEN id IS NULL AND root.deleted_at IS NOT NULL THEN 'conflict'
    ELSE 'ok'
  END;
  changed := outcome = 'ok' AND id IS NULL;
  IF changed THEN
    INSERT INTO conversations (kind, parent_id, parent_seq, reply_count, counted_seq, member_count)
    VALUES ('thread', p_parent, p_seq, 0, 0, 0)
    RETURNING conversations.id INTO id;
    INSERT INTO conversation_members (conversation_id, user_id, thread_of)
    SELECT id, m.user_id, p_parent FROM conversation_members m
    WHERE m.conversation_id = p_parent AND m.user_id = root.sender_id
      AND coalesce(m.visible_from_seq, 1) <= p_seq
    RETURNING user_id INTO follower;
    IF follower IS NOT NULL THEN
      UPDATE conversations c SET member_count = 1 WHERE c.id = create_thread.id;
      INSERT INTO user_changes (user_ids) VALUES (ARRAY[follower]);
    END IF;
  END IF;
  RETURN NEXT;
END
$$;
