-- Deletes what is left of a deleted conversation but its messages: its members and the followers of its
-- threads, those who have left, bans, and what would have expired. At most p_most rows a call, so that
-- nobody waits for it; whether there were any. Its rows mean nothing meanwhile: every reader looks at
-- deleted_at. Memberships are locked in rising order, before the counters of preferences that
-- forget_prefs locks.
CREATE OR REPLACE FUNCTION forget_conversation(p_id bigint, p_most int) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM conversations c WHERE c.id = p_id AND c.deleted_at IS NOT NULL) THEN
    RETURN false;
  END IF;
  WITH d AS MATERIALIZED (
    SELECT m.conversation_id, m.user_id FROM conversation_members m
    WHERE m.conversation_id = p_id ORDER BY m.user_id LIMIT p_most FOR UPDATE
  )
  DELETE FROM conversation_members m USING d
  WHERE m.conversation_id = d.conversation_id AND m.user_id = d.user_id;
  IF FOUND THEN
    RETURN true;
  END IF;
  WITH d AS MATERIALIZED (
    SELECT m.conversation_id, m.user_id FROM conversation_members m
    WHERE m.conversation_id IN (SELECT c.id FROM conversations c WHERE c.parent_id = p_id)
    ORDER BY m.conversation_id, m.user_id LIMIT p_most FOR UPDATE
  )
  DELETE FROM conversation_members m USING d
  WHERE m.conversation_id = d.conversation_id AND m.user_id = d.user_id;
  IF FOUND THEN
    RETURN true;
  END IF;
  WITH d AS MATERIALIZED (
    SELECT l.user_id FROM conversation_leavers l WHERE l.conversation_id = p_id LIMIT p_most
  )
  DELETE FROM conversation_leavers l USING d
  WHERE l.conversation_id = p_id AND l.user_id = d.user_id;
  IF FOUND THEN
    RETURN true;
  END IF;
  WITH d AS MATERIALIZED (
    SELECT b.user_id FROM conversation_bans b WHERE b.conversation_id = p_id LIMIT p_most
  )
  DELETE FROM conversation_bans b USING d
  WHERE b.conversation_id = p_id AND b.user_id = d.user_id;
  IF FOUND THEN
    RETURN true;
  END IF;
  WITH d AS MATERIALIZED (
    SELECT e.seq FROM message_expiries e WHERE e.conversation_id = p_id LIMIT p_most
  )
  DELETE FROM message_expiries e USING d WHERE e.conversation_id = p_id AND e.seq = d.seq;
  RETURN FOUND;
END
$$;
