-- Keeps which file is the picture of a user. A file that was one goes as one that was attached does.
CREATE OR REPLACE FUNCTION note_user_picture() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  file bigint := picture_file(NEW.image_url);
BEGIN
  DELETE FROM pictures p WHERE p.user_id = NEW.id;
  IF file IS NOT NULL THEN
    INSERT INTO pictures (file_id, user_id) VALUES (file, NEW.id);
    UPDATE files f SET attached_at = clock_timestamp() WHERE f.id = file AND f.attached_at IS NULL;
  END IF;
  RETURN NULL;
END
$$;
