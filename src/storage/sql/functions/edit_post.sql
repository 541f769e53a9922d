-- Changes a post: p_change holds the keys that change, body and data; a data of null takes it away.
-- outcome: ok, not_found (none, deleted, or blocked), forbidden (p_by is not the author).
CREATE OR REPLACE FUNCTION edit_post(p_id bigint, p_by bigint, p_change json) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  found_author bigint;
BEGIN
  SELECT p.author_id INTO found_author FROM posts p
  WHERE p.id = p_id AND p.deleted_at IS NULL FOR NO KEY UPDATE;
  IF found_author IS NULL OR is_apart(found_author, p_by) THEN
    RETURN 'not_found';
  END IF;
  IF found_author <> p_by THEN
    RETURN 'forbidden';
  END IF;
  UPDATE posts p SET
    body = coalesce(p_change->>'body', p.body),
    data = CASE
      WHEN p_change->'data' IS NULL THEN p.data
      WHEN json_typeof(p_change->'data') = 'null' THEN NULL
      ELSE p_change->'data'
    END,
    edited_at = clock_timestamp()
  WHERE p.id = p_id;
  RETURN 'ok';
END
$$;
