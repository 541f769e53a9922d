-- Changes the title of a group. outcome: ok, not_found, conflict (a direct conversation).
-- It locks the conversation's row first and reads in later statements, so that under READ
-- COMMITTED it sees everything that was committed before: rev is taken under that lock.
CREATE OR REPLACE FUNCTION retitle_conversation(p_id bigint, p_by bigint, p_title text)
RETURNS TABLE (
  outcome text, changed boolean, id bigint, kind text, title text, owner_id bigint,
  last_seq bigint, rev bigint, created_at timestamptz,
  member_ids bigint[], member_delivered bigint[], member_read bigint[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  before conversations;
BEGIN
  SELECT c.* INTO before FROM conversations c WHERE c.id = p_id FOR NO KEY UPDATE;
  outcome := CASE
    WHEN NOT EXISTS (
      SELECT 1 FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = p_by
    ) THEN 'not_found'
    WHEN before.kind = 'direct' THEN 'conflict'
    ELSE 'ok'
  END;
  IF outcome <> 'ok' THEN
    RETURN NEXT;
    RETURN;
  END IF;
  UPDATE conversations c SET title = p_title, rev = c.rev + 1, meta_rev = c.rev + 1
  WHERE c.id = p_id AND c.title IS DISTINCT FROM p_title;
  changed := FOUND;
  IF changed THEN
    INSERT INTO conversation_changes
      (conversation_id, rev, before_rev, last_seq, title_before, owner_before)
    VALUES
      (p_id, before.rev + 1, before.meta_rev, before.last_seq, before.title, before.owner_id);
  END IF;
  RETURN QUERY SELECT outcome, changed, r.* FROM conversation_rows r WHERE r.id = p_id;
END
$$;
