-- Whether others find a user in the directory: neither suspended nor erased, and discoverable.
CREATE OR REPLACE FUNCTION may_be_found(p_user users) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT NOT is_suspended(p_user)
$$;
