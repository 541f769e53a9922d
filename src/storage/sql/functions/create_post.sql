-- A post that shows files. outcome: ok, no_file (one of them is not there for the author),
-- not_uploader (the author sees it and has not uploaded it).
CREATE OR REPLACE FUNCTION create_post(p_author bigint, p_body text, p_data json, p_files bigint[])
RETURNS TABLE (outcome text, id bigint)
LANGUAGE plpgsql AS $$
BEGIN
  outcome := coalesce(attach_to_post(p_author, p_files), 'ok');
  IF outcome = 'ok' THEN
    INSERT INTO posts AS p (author_id, body, data, file_ids)
    VALUES (p_author, p_body, p_data, p_files) RETURNING p.id INTO create_post.id;
  END IF;
  RETURN NEXT;
END
$$;
