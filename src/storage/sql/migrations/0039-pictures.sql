-- Files that are the picture of a user or of a conversation. Anybody may see them, and they stay as
-- long as they are. Kept by note_user_picture and note_conversation_picture, from the address that
-- base/file-links.ts makes.
CREATE TABLE pictures (
  file_id         bigint NOT NULL,
  user_id         bigint UNIQUE,
  conversation_id bigint UNIQUE,
  CHECK (num_nonnulls(user_id, conversation_id) = 1)
);
CREATE INDEX pictures_file ON pictures (file_id);

CREATE FUNCTION note_user_picture() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER note_picture AFTER UPDATE OF image_url ON users
  FOR EACH ROW WHEN (OLD.image_url IS DISTINCT FROM NEW.image_url)
  EXECUTE FUNCTION note_user_picture();
CREATE TRIGGER note_first_picture AFTER INSERT ON users
  FOR EACH ROW WHEN (NEW.image_url IS NOT NULL) EXECUTE FUNCTION note_user_picture();

CREATE FUNCTION note_conversation_picture() RETURNS trigger LANGUAGE plpgsql
  AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER note_picture AFTER UPDATE OF extra, deleted_at ON conversations
  FOR EACH ROW WHEN (OLD.extra->>'image_url' IS DISTINCT FROM NEW.extra->>'image_url'
    OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
  EXECUTE FUNCTION note_conversation_picture();
CREATE TRIGGER note_first_picture AFTER INSERT ON conversations
  FOR EACH ROW WHEN (NEW.extra->>'image_url' IS NOT NULL)
  EXECUTE FUNCTION note_conversation_picture();
