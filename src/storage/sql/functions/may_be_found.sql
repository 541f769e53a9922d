-- Whether others find a user in the directory: neither suspended nor erased, and discoverable.
CREATE OR REPLACE FUNCTION may_be_found(p_user users) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT NOT is_suspended(p_user) AND coalesce(
    (SELECT p.discoverable FROM user_privacy p WHERE p.user_id = p_user.id),
    (SELECT d.discoverable FROM privacy_defaults d))
$$;
