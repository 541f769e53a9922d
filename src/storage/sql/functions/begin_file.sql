-- Makes the row of a file whose bytes are to come, and takes p_bytes of the uploader's quota. Null
-- where that would be more than p_quota.
CREATE OR REPLACE FUNCTION begin_file(p_user bigint, p_name text, p_bytes bigint, p_quota bigint)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  made bigint;
BEGIN
  IF NOT take_file_bytes(p_user, p_bytes, p_quota) THEN RETURN NULL; END IF;
  INSERT INTO files (user_id, name, bytes) VALUES (p_user, p_name, p_bytes) RETURNING id INTO made;
  RETURN made;
END
$$;
