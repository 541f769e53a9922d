-- Removes a member of a group, or lets p_by leave it. When the owner leaves, ownership passes to
-- the member of longest standing. outcome: ok, not_found, conflict (a direct conversation),
-- forbidden (p_by is not the owner), user_not_found (not a member).
-- It locks the conversation's row first and reads in later statements, so that under READ
-- COMMITTED it sees everything that was committed before: rev is taken under that lock.
CREATE OR REPLACE FUNCTION remove_member(p_id bigint, p_by bigint, p_user_id bigint)
RETURNS TABLE (
  outcome text, changed boolean, id bigint, kind text, title text, owner_id bigint,
  last_seq bigint, rev bigint, created_at timestamptz,
  member_ids bigint[], member_delivered bigint[], member_read bigint[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  before conversations;
  gone conversation_members;
BEGIN
  SELECT c.* INTO before FROM conversations c WHERE c.id = p_id FOR NO KEY UPDATE;
  outcome := CASE
    WHEN NOT EXISTS (
      SELECT 1 FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = p_by
    ) THEN 'not_found'
    WHEN before.kind = 'direct' THEN 'conflict'
    WHEN p_by <> p_user_id AND before.owner_id IS DISTINCT FROM p_by THEN 'forbidden'
    ELSE 'ok'
  END;
  IF outcome = 'ok' THEN
    DELETE FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = p_user_id
    RETURNING m.* INTO gone;
    IF NOT FOUND THEN
      outcome := 'user_not_found';
    END IF;
  END IF;
  IF outcome <> 'ok' THEN
    RETURN NEXT;
    RETURN;
  END IF;
  UPDATE conversations c
  SET rev = c.rev + 1, meta_rev = c.rev + 1,
    owner_id = CASE
      WHEN c.owner_id IS DISTINCT FROM p_user_id THEN c.owner_id
      ELSE (
        SELECT m.user_id FROM conversation_members m
        WHERE m.conversation_id = p_id ORDER BY m.joined_at, m.user_id LIMIT 1
      )
    END
  WHERE c.id = p_id;
  INSERT INTO conversation_changes (
    conversation_id, rev, before_rev, last_seq, title_before, owner_before,
    removed_id, removed_place, removed_delivered, removed_read
  )
  VALUES (
    p_id, before.rev + 1, before.meta_rev, before.last_seq, before.title, before.owner_id,
    p_user_id, (
      SELECT count(*) FROM conversation_members m
      WHERE m.conversation_id = p_id AND (m.joined_at, m.user_id) < (gone.joined_at, gone.user_id)
    ), gone.delivered_seq, gone.read_seq
  );
  RETURN QUERY SELECT outcome, true, r.* FROM conversation_rows r WHERE r.id = p_id;
END
$$;
