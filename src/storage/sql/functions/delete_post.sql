-- Deletes a post. outcome: ok, not_found (none, deleted, or blocked), forbidden (p_by is not the
-- author). p_by null: a moderator, who may as well.
CREATE OR REPLACE FUNCTION delete_post(p_id bigint, p_by bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  found_author bigint;
BEGIN
  -- Under the post's lock: no like or comment comes after.
  SELECT p.author_id INTO found_author FROM posts p
  WHERE p.id = p_id AND p.deleted_at IS NULL FOR NO KEY UPDATE;
  IF found_author IS NULL OR p_by IS NOT NULL AND is_apart(found_author, p_by) THEN
    RETURN 'not_found';
  END IF;
  IF found_author <> p_by THEN
    RETURN 'forbidden';
  END IF;
  UPDATE posts p SET body = '', data = NULL, file_ids = NULL, deleted_at = clock_timestamp()
  WHERE p.id = p_id;
  RETURN 'ok';
END
$$;
