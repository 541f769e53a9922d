-- Changes what is named of a user's privacy. conversation_ids: where somebody's reads are hidden or
-- shown since this change.
CREATE OR REPLACE FUNCTION set_privacy(p_user bigint, p_patch json)
RETURNS TABLE (privacy text, conversation_ids bigint[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  showed boolean;
BEGIN
  -- Changes of one user's privacy go one after another.
  PERFORM 1 FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;
  showed := shows_reads(p_user);
  INSERT INTO user_privacy AS p
    (user_id, presence, last_seen, receipts, direct, add_consent, discoverable)
  VALUES (p_user, p_patch->>'presence', p_patch->>'last_seen', (p_patch->>'receipts')::boolean,
    p_patch->>'direct', p_patch->>'add_consent', (p_patch->>'discoverable')::boolean)
  ON CONFLICT (user_id) DO UPDATE
  SET presence = coalesce(excluded.presence, p.presence),
    last_seen = coalesce(excluded.last_seen, p.last_seen),
    receipts = coalesce(excluded.receipts, p.receipts),
    direct = coalesce(excluded.direct, p.direct),
    add_consent = coalesce(excluded.add_consent, p.add_consent),
    discoverable = coalesce(excluded.discoverable, p.discoverable);
  conversation_ids := '{}';
  IF showed IS DISTINCT FROM shows_reads(p_user) THEN
    -- Rows are locked in the order in which writers lock them.
    PERFORM 1 FROM conversation_members m
    WHERE m.conversation_id IN (
      SELECT k.conversation_id FROM conversation_members k WHERE k.user_id = p_user
    ) AND (m.user_id = p_user OR EXISTS (
      SELECT 1 FROM conversations c WHERE c.id = m.conversation_id AND c.kind = 'direct'
    ))
    ORDER BY m.conversation_id, m.user_id FOR NO KEY UPDATE;
    WITH masked AS (
      UPDATE conversation_members m
      SET read_mask = read_mask_of(m.conversation_id, m.user_id)
      WHERE m.conversation_id IN (
        SELECT k.conversation_id FROM conversation_members k WHERE k.user_id = p_user
      ) AND (m.user_id = p_user OR EXISTS (
        SELECT 1 FROM conversations c WHERE c.id = m.conversation_id AND c.kind = 'direct'
      ))
      RETURNING m.conversation_id
    )
    SELECT coalesce(array_agg(DISTINCT k.conversation_id), '{}') INTO conversation_ids FROM masked k;
  END IF;
  privacy := privacy_text(p_user);
  RETURN NEXT;
END
$$;
