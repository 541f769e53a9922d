-- The user has no session any more that could read what waits for it.
CREATE OR REPLACE FUNCTION release_pushes(p_user bigint) RETURNS void
LANGUAGE sql AS $$
  UPDATE push_pending p SET due_at = clock_timestamp()
  WHERE p.user_id = p_user AND p.is_held AND p.due_at > clock_timestamp()
$$;
