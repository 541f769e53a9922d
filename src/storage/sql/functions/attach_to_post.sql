-- Whether p_user may show these files with a post: null where they may, else an outcome. Locks the files,
-- so that no sweep takes them back before the post is written, and counts them as attached.
CREATE OR REPLACE FUNCTION attach_to_post(p_user bigint, p_ids bigint[]) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  found jsonb;
BEGIN
  PERFORM 1 FROM files f WHERE f.id = ANY (p_ids) ORDER BY f.id FOR NO KEY UPDATE;
  found := attached_files(p_user, p_ids);
  IF found IS NULL THEN RETURN 'no_file'; END IF;
  IF jsonb_typeof(found) = 'string' THEN RETURN 'not_uploader'; END IF;
  -- Every one of them changes, so that a sweep which waits for these rows looks at them again.
  UPDATE files f SET attached_at = clock_timestamp() WHERE f.id = ANY (p_ids);
  RETURN NULL;
END
$$;
