-- Keeps the words by which a user is found; see user_words.
CREATE OR REPLACE FUNCTION note_name_words() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.display_name = OLD.display_name THEN
      RETURN NULL;
    END IF;
    DELETE FROM user_words w WHERE w.user_id = NEW.id;
  END IF;
  INSERT INTO user_words (word, user_id)
  SELECT w.word, NEW.id FROM unnest(name_words(NEW.display_name)) AS w (word)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
