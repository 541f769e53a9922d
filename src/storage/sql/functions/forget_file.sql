-- Deletes the row of a file and gives its bytes back to the uploader's quota.
CREATE OR REPLACE FUNCTION forget_file(p_id bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  gone files;
BEGIN
  -- Posts before files, as edit_post locks them.
  PERFORM 1 FROM posts p WHERE p.file_ids @> ARRAY[p_id] ORDER BY p.id FOR NO KEY UPDATE;
  DELETE FROM files f WHERE f.id = p_id RETURNING f.* INTO gone;
  IF gone.id IS NULL THEN RETURN; END IF;
  PERFORM take_file_bytes(gone.user_id, -gone.bytes, 0);
  DELETE FROM uploads u WHERE u.file_id = p_id;
  UPDATE posts p SET file_ids = nullif(array_remove(p.file_ids, p_id), '{}')
  WHERE p.file_ids @> ARRAY[p_id];
  DELETE FROM message_files r WHERE r.file_id = p_id;
END
$$;
