-- Adds users to a group. outcome: ok, not_found, conflict (a direct conversation), user_not_found,
-- invalid_payload (the group would have more than p_members_max members).
-- It locks the conversation's row first and reads in later statements, so that under READ
-- COMMITTED it sees everything that was committed before: rev is taken under that lock.
CREATE OR REPLACE FUNCTION add_members(
  p_id bigint, p_by bigint, p_user_ids bigint[], p_members_max int
)
RETURNS TABLE (
  outcome text, changed boolean, id bigint, kind text, title text, owner_id bigint,
  last_seq bigint, rev bigint, created_at timestamptz,
  member_ids bigint[], member_delivered bigint[], member_read bigint[]
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  before conversations;
  new_ids bigint[];
BEGIN
  SELECT c.* INTO before FROM conversations c WHERE c.id = p_id FOR NO KEY UPDATE;
  SELECT coalesce(array_agg(DISTINCT u), '{}') INTO new_ids
  FROM unnest(p_user_ids) u
  WHERE NOT EXISTS (
    SELECT 1 FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = u
  );
  outcome := CASE
    WHEN NOT EXISTS (
      SELECT 1 FROM conversation_members m WHERE m.conversation_id = p_id AND m.user_id = p_by
    ) THEN 'not_found'
    WHEN before.kind = 'direct' THEN 'conflict'
    WHEN (SELECT count(*) FROM users u WHERE u.id = ANY (new_ids)) < cardinality(new_ids)
      THEN 'user_not_found'
    WHEN cardinality(new_ids) > 0 AND cardinality(new_ids) + (
      SELECT count(*) FROM conversation_members m WHERE m.conversation_id = p_id
    ) > p_members_max THEN 'invalid_payload'
    ELSE 'ok'
  END;
  IF outcome <> 'ok' THEN
    RETURN NEXT;
    RETURN;
  END IF;
  changed := cardinality(new_ids) > 0;
  IF changed THEN
    INSERT INTO conversation_members (conversation_id, user_id)
    SELECT p_id, u FROM unnest(new_ids) u ORDER BY u;
    UPDATE conversations c SET rev = c.rev + 1, meta_rev = c.rev + 1 WHERE c.id = p_id;
    INSERT INTO conversation_changes
      (conversation_id, rev, before_rev, last_seq, title_before, owner_before, added_ids)
    VALUES (
      p_id, before.rev + 1, before.meta_rev, before.last_seq, before.title, before.owner_id,
      new_ids
    );
    INSERT INTO user_changes (user_ids) VALUES (new_ids);
  END IF;
  RETURN QUERY SELECT outcome, changed, r.* FROM conversation_rows r WHERE r.id = p_id;
END
$$;
