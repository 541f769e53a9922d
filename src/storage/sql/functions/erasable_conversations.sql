-- Among the p_most conversations that follow p_after, those in which a user has messages that are not
-- emptied. last: the last conversation looked at; null: there are no more. One look into the index
-- of each conversation's senders, whether they are members still or not.
CREATE OR REPLACE FUNCTION erasable_conversations(p_user bigint, p_after bigint, p_most int)
RETURNS TABLE (last bigint, ids bigint[])
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
  SELECT max(x.id), array_agg(x.id ORDER BY x.id) FILTER (WHERE EXISTS (
    SELECT 1 FROM messages m
    WHERE m.conversation_id = x.id AND m.sender_id = p_user AND m.client_id IS NOT NULL))
  INTO last, ids
  FROM (
    SELECT c.id FROM conversations c WHERE c.id > p_after ORDER BY c.id LIMIT p_most
  ) x;
  RETURN NEXT;
END
$$;
