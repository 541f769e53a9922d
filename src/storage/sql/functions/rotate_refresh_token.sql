-- Spends a refresh token and stores the next one in its place.
-- outcome: rotated, unknown (or expired, or its login is revoked), reused (it was spent before,
-- which revokes its login), suspended (the token is not spent, so that it works again when the
-- suspension is lifted), repeated (it was spent less than 10 s ago, for the same next token, which
-- is unused: the answer was lost, or two tabs asked at once).
-- The next token is derived from the spent one (edge/auth/refresh-tokens.ts), so a repeated call
-- names the same one.
CREATE OR REPLACE FUNCTION rotate_refresh_token(
  p_hash text, p_next_hash text, p_expires_at timestamptz
)
RETURNS TABLE (outcome text, family_id bigint, user_id bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  found_spent_at timestamptz;
  found_expired boolean;
BEGIN
  outcome := 'unknown';
  SELECT t.family_id, t.spent_at, t.expires_at <= clock_timestamp()
  INTO family_id, found_spent_at, found_expired
  FROM refresh_tokens t WHERE t.token_hash = p_hash FOR UPDATE;
  -- Second statement, for the family as it is once the token is locked. The family's lock also
  -- keeps its newest token from being spent until this transaction has ended.
  SELECT f.user_id INTO user_id FROM refresh_families f
  WHERE f.id = family_id AND f.revoked_at IS NULL FOR NO KEY UPDATE;
  IF user_id IS NULL THEN
    RETURN NEXT;
    RETURN;
  END IF;
  IF found_spent_at IS NOT NULL THEN
    outcome := 'reused';
    IF found_spent_at > clock_timestamp() - interval '10 seconds' AND EXISTS (
      SELECT 1 FROM refresh_tokens t
      WHERE t.token_hash = p_next_hash AND t.family_id = rotate_refresh_token.family_id
        AND t.spent_at IS NULL AND t.expires_at > clock_timestamp()
    ) THEN
      outcome := 'repeated';
    END IF;
  ELSIF NOT found_expired THEN
    outcome := 'rotated';
  END IF;
  IF outcome IN ('rotated', 'repeated')
    AND EXISTS (SELECT 1 FROM users u WHERE u.id = user_id AND is_suspended(u)) THEN
    outcome := 'suspended';
  END IF;
  IF outcome = 'reused' THEN
    UPDATE refresh_families f SET revoked_at = clock_timestamp() WHERE f.id = family_id;
  ELSIF outcome = 'rotated' THEN
    UPDATE refresh_tokens t SET spent_at = clock_timestamp() WHERE t.token_hash = p_hash;
    UPDATE refresh_families f SET expires_at = p_expires_at, last_used_at = clock_timestamp()
    WHERE f.id = family_id;
    INSERT INTO refresh_tokens (token_hash, family_id, expires_at)
    VALUES (p_next_hash, family_id, p_expires_at);
  END IF;
  RETURN NEXT;
END
$$;
