-- Whether p_other is a contact of p_user: somebody whom p_user follows, or with whom p_user has a
-- direct conversation in which both wrote. Each part is a lookup by an index.
CREATE OR REPLACE FUNCTION is_contact(p_user bigint, p_other bigint) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (
    SELECT 1 FROM follows f WHERE f.follower_id = p_user AND f.followee_id = p_other
  ) OR EXISTS (
    SELECT 1 FROM conversations c
    WHERE c.kind = 'direct' AND c.direct_lo = least(p_user, p_other)
      AND c.direct_hi = greatest(p_user, p_other)
      AND EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = c.id AND m.sender_id = p_user)
      AND EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = c.id AND m.sender_id = p_other)
  );
END
$$;
