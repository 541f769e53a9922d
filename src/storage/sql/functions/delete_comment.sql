-- Deletes a comment: its author may, and the author of the post. p_by null: a moderator, who may as
-- well. comment_count: of the post afterwards.
-- outcome: ok, not_found (no such post, or blocked), comment_not_found, forbidden.
CREATE OR REPLACE FUNCTION delete_comment(p_post bigint, p_id bigint, p_by bigint)
RETURNS TABLE (outcome text, comment_count bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  post_author bigint;
  comment_author bigint;
BEGIN
  -- Under the post's lock, as its comments are added.
  SELECT p.author_id INTO post_author FROM posts p
  WHERE p.id = p_post AND p.deleted_at IS NULL FOR NO KEY UPDATE;
  SELECT c.author_id INTO comment_author FROM comments c
  WHERE c.post_id = p_post AND c.id = p_id;
  outcome := CASE
    WHEN post_author IS NULL OR p_by IS NOT NULL AND is_apart(post_author, p_by) THEN 'not_found'
    WHEN comment_author IS NULL THEN 'comment_not_found'
    WHEN p_by <> post_author AND p_by <> comment_author THEN 'forbidden'
    ELSE 'ok'
  END;
  IF outcome = 'ok' THEN
    DELETE FROM comments c WHERE c.post_id = p_post AND c.id = p_id;
    UPDATE posts p SET comment_count = p.comment_count - 1 WHERE p.id = p_post
    RETURNING p.comment_count INTO comment_count;
  END IF;
  RETURN NEXT;
END
$$;
