-- Spends a refresh token and stores the next one in its place.
-- outcome: rotated, unknown (or expired, or its login is revoked), reused (it was spent before,
-- which revokes its login), suspended (the token is not spent, so that it works again when the
-- suspension is lifted).
CREATE OR REPLACE FUNCTION rotate_refresh_token(
  p_hash text, p_next_hash text, p_expires_at timestamptz
)
RETURNS TABLE (outcome text, family_id bigint, user_id bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  found_spent boolean;
  found_expired boolean;
BEGIN
  outcome := 'unknown';
  SELECT t.family_id, t.spent_at IS NOT NULL, t.expires_at <= clock_timestamp()
  INTO family_id, found_spent, found_expired
  FROM refresh_tokens t WHERE t.token_hash = p_hash FOR UPDATE;
  -- Second statement, for the family as it is once the token is locked.
  SELECT f.user_id INTO user_id FROM refresh_families f
  WHERE f.id = family_id AND f.revoked_at IS NULL FOR NO KEY UPDATE;
  IF user_id IS NOT NULL AND found_spent THEN
    outcome := 'reused';
    UPDATE refresh_families f SET revoked_at = clock_timestamp() WHERE f.id = family_id;
  ELSIF user_id IS NOT NULL AND NOT found_expired THEN
    IF EXISTS (SELECT 1 FROM users u WHERE u.id = user_id AND u.suspended_at IS NOT NULL) THEN
      outcome := 'suspended';
      RETURN NEXT;
      RETURN;
    END IF;
    outcome := 'rotated';
    UPDATE refresh_tokens t SET spent_at = clock_timestamp() WHERE t.token_hash = p_hash;
    UPDATE refresh_families f SET expires_at = p_expires_at WHERE f.id = family_id;
    INSERT INTO refresh_tokens (token_hash, family_id, expires_at)
    VALUES (p_next_hash, family_id, p_expires_at);
  END IF;
  RETURN NEXT;
END
$$;
