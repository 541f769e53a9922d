-- Changes a post: p_change holds the keys that change: body, data and attachments, the ids of all
-- files that it shows from then on; a data of null takes it away.
-- outcome: ok, not_found (none, deleted, or blocked), forbidden (p_by is not the author), and those of
-- attach_to_post.
CREATE OR REPLACE FUNCTION edit_post(p_id bigint, p_by bigint, p_change json) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  found_author bigint;
  new_files bigint[] := ARRAY(
    SELECT f.id::bigint FROM json_array_elements_text(p_change->'attachments') f (id));
  problem text;
BEGIN
  SELECT p.author_id INTO found_author FROM posts p
  WHERE p.id = p_id AND p.deleted_at IS NULL FOR NO KEY UPDATE;
  IF found_author IS NULL OR is_apart(found_author, p_by) THEN
    RETURN 'not_found';
  END IF;
  IF found_author <> p_by THEN
    RETURN 'forbidden';
  END IF;
  IF cardinality(new_files) > 0 THEN
    problem := attach_to_post(p_by, new_files);
    IF problem IS NOT NULL THEN RETURN problem; END IF;
  END IF;
  UPDATE posts p SET
    body = coalesce(p_change->>'body', p.body),
    data = CASE
      WHEN p_change->'data' IS NULL THEN p.data
      WHEN json_typeof(p_change->'data') = 'null' THEN NULL
      ELSE p_change->'data'
    END,
    file_ids = CASE
      WHEN p_change->'attachments' IS NULL THEN p.file_ids
      ELSE nullif(new_files, '{}')
    END,
    edited_at = clock_timestamp()
  WHERE p.id = p_id;
  RETURN 'ok';
END
$$;
