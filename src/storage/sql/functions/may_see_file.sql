-- A user may see a file that they uploaded, and one that a message shows which they may see now, as
-- a present member of its conversation. The members of a thread's parent read the thread. A file that
-- a post shows may be seen by all between whom and its author no block stands, and pictures of users
-- and conversations by anybody.
CREATE OR REPLACE FUNCTION may_see_file(p_user bigint, f files) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT f.user_id = p_user OR EXISTS (SELECT 1 FROM pictures p WHERE p.file_id = f.id) OR EXISTS (
    SELECT 1 FROM message_files r
    JOIN conversations c ON c.id = r.conversation_id AND c.deleted_at IS NULL
    JOIN conversation_members k
      ON k.conversation_id = coalesce(c.parent_id, c.id) AND k.user_id = p_user
    WHERE r.file_id = f.id
      AND coalesce(c.parent_seq, r.seq) >= greatest(k.visible_from_seq, k.cleared_before_seq, 1)
      AND r.seq >= kept_of(c)) OR EXISTS (
    SELECT 1 FROM posts p WHERE p.file_ids @> ARRAY[f.id] AND NOT is_apart(p.author_id, p_user))
$$;
