-- A file has been made ready, as p_bytes bytes, or has been refused and has none. False where it
-- does not wait for that, or its uploader has taken it back.
CREATE OR REPLACE FUNCTION settle_file(p_id bigint, p_state text, p_bytes bigint, p_facts jsonb)
RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  found files;
BEGIN
  SELECT f.* INTO found FROM files f
  WHERE f.id = p_id AND f.state = 'processing' AND f.removed_at IS NULL FOR NO KEY UPDATE;
  IF found.id IS NULL THEN RETURN false; END IF;
  -- What it grew by is taken in any case: its uploader could do nothing about it.
  PERFORM take_file_bytes(found.user_id, p_bytes - found.bytes, 9223372036854775807);
  UPDATE files f SET state = p_state, bytes = p_bytes, facts = f.facts || p_facts
  WHERE f.id = p_id;
  RETURN true;
END
$$;
