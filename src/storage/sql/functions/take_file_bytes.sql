-- Takes so many bytes of a user's quota, or gives them back where they are less than 0. False, and
-- nothing is taken, where that would be more than p_quota.
CREATE OR REPLACE FUNCTION take_file_bytes(p_user bigint, p_bytes bigint, p_quota bigint)
RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO file_usage AS u (user_id, bytes) VALUES (p_user, 0) ON CONFLICT DO NOTHING;
  UPDATE file_usage u SET bytes = greatest(u.bytes + p_bytes, 0)
  WHERE u.user_id = p_user AND (p_bytes <= 0 OR u.bytes + p_bytes <= p_quota);
  RETURN FOUND;
END
$$;
