-- The parent is deleted, and its threads with it.
CREATE OR REPLACE FUNCTION end_threads(p_parent bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM conversations c WHERE c.parent_id = p_parent ORDER BY c.id FOR NO KEY UPDATE;
  UPDATE conversations c
  SET deleted_at = clock_timestamp(), rev = c.rev + 1, meta_rev = c.rev + 1, member_count = 0
  WHERE c.parent_id = p_parent AND c.deleted_at IS NULL;
  DELETE FROM thread_summaries d USING conversations c
  WHERE c.parent_id = p_parent AND d.conversation_id = c.id;
END
$$;
