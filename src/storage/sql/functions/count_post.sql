-- Keeps the count of a user's posts that are not deleted.
CREATE OR REPLACE FUNCTION count_post() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO user_counts AS k (user_id, post_count)
  VALUES (NEW.author_id, CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END)
  ON CONFLICT (user_id) DO UPDATE SET post_count = k.post_count + excluded.post_count;
  RETURN NULL;
END
$$;
