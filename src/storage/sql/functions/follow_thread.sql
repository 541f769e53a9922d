-- A member of the parent begins or ceases to follow a thread. A new follower has read everything
-- before p_before_seq, the message that made them one; everything where that is null.
-- outcome: ok, not_found (no such thread, or p_user may not read it). rev, last_seq,
-- last_n: the thread's, last_n null where it is last_seq.
CREATE OR REPLACE FUNCTION follow_thread(
  p_id bigint, p_user bigint, p_on boolean, p_before_seq bigint
)
RETURNS TABLE (outcome text, changed boolean, rev bigint, last_seq bigint, last_n bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  thread conversations;
  read_to bigint;
BEGIN
  SELECT c.* INTO thread FROM conversations c
  WHERE c.id = p_id AND c.parent_id IS NOT NULL AND c.deleted_at IS NULL FOR NO KEY UPDATE;
  -- See follow_by_replies.
  PERFORM 1 FROM conversation_members k
  WHERE k.conversation_id = thread.parent_id AND k.user_id = p_user
    AND coalesce(k.visible_from_seq, 1) <= thread.parent_seq
  FOR KEY SHARE SKIP LOCKED;
  outcome := CASE WHEN FOUND THEN 'ok' ELSE 'not_found' END;
  changed := false;
  rev := thread.rev;
  last_seq := thread.last_seq;
  last_n := thread.last_n;
  read_to := coalesce(p_before_seq - 1, thread.last_seq);
  IF outcome = 'ok' AND p_on THEN
    INSERT INTO conversation_members
      (conversation_id, user_id, thread_of, delivered_seq, read_seq, read_n, own_activity_at)
    VALUES (p_id, p_user, thread.parent_id, read_to, read_to, nullif((
        SELECT coalesce(y.n, y.seq) FROM messages y
        WHERE y.conversation_id = p_id AND y.seq = read_to
      ), read_to), clock_timestamp())
    ON CONFLICT DO NOTHING;
    changed := FOUND;
    IF changed THEN
      INSERT INTO user_changes (user_ids) VALUES (ARRAY[p_user]);
    END IF;
  ELSIF outcome = 'ok' THEN
    DELETE FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = p_user;
    changed := FOUND;
  END IF;
  IF changed THEN
    UPDATE conversations c SET member_count = c.member_count + CASE WHEN p_on THEN 1 ELSE -1 END
    WHERE c.id = p_id;
  END IF;
  RETURN NEXT;
END
$$;
