-- The bytes of a file are whole: p_bytes of them. Null where the uploader's quota has no room for
-- what is more than was taken at its beginning, or where there is no such file on its way. The job
-- that makes a file ready is added in the same transaction.
CREATE OR REPLACE FUNCTION complete_file(
  p_id bigint, p_bytes bigint, p_mime text, p_kind text, p_state text, p_mark text, p_quota bigint
) RETURNS SETOF files
LANGUAGE plpgsql AS $$
DECLARE
  found files;
BEGIN
  SELECT f.* INTO found FROM files f
  WHERE f.id = p_id AND f.state = 'uploading' AND f.removed_at IS NULL FOR UPDATE;
  IF found.id IS NULL OR NOT take_file_bytes(found.user_id, p_bytes - found.bytes, p_quota) THEN
    RETURN;
  END IF;
  IF p_state = 'processing' THEN
    INSERT INTO jobs (kind, key) VALUES ('files.prepare', p_id::text) ON CONFLICT DO NOTHING;
    PERFORM pg_notify('troupe_jobs', '');
  END IF;
  RETURN QUERY
  UPDATE files f SET bytes = p_bytes, mime = p_mime, kind = p_kind, state = p_state, mark = p_mark,
    created_at = clock_timestamp()
  WHERE f.id = p_id RETURNING f.*;
END
$$;
