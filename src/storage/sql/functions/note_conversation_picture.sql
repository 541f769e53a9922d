-- As note_user_picture, of a conversation.
CREATE OR REPLACE FUNCTION note_conversation_picture() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  file bigint := CASE WHEN NEW.deleted_at IS NULL THEN picture_file(NEW.extra->>'image_url') END;
BEGIN
  DELETE FROM pictures p WHERE p.conversation_id = NEW.id;
  IF file IS NOT NULL THEN
    INSERT INTO pictures (file_id, conversation_id) VALUES (file, NEW.id);
    UPDATE files f SET attached_at = clock_timestamp() WHERE f.id = file AND f.attached_at IS NULL;
  END IF;
  RETURN NULL;
END
$$;
