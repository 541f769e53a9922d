-- Whether a user is suspended now.
CREATE OR REPLACE FUNCTION is_suspended(p_user users) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT p_user.suspended_at IS NOT NULL
    AND (p_user.suspended_until IS NULL OR p_user.suspended_until > statement_timestamp())
$$;
