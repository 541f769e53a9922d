-- Empties the index of messages, which is then built again. The number of conversations to read.
CREATE OR REPLACE FUNCTION empty_search() RETURNS bigint
LANGUAGE plpgsql
SET lock_timeout = '3s' SET enable_seqscan = on
AS $$
BEGIN
  TRUNCATE search_blocks, search_progress;
  UPDATE search_state SET epoch = epoch + 1;
  RETURN (SELECT count(*) FROM conversations c WHERE c.deleted_at IS NULL AND c.last_seq > 0);
END
$$;
