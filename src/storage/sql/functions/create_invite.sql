-- Makes an invitation by a member who may invite. outcome: ok, not_found (no member), conflict (a
-- kind that nobody is invited to), forbidden (the role), invites_max (the member has p_most).
CREATE OR REPLACE FUNCTION create_invite(
  p_id bigint, p_by bigint, p_token_hash text, p_role text, p_max_uses int, p_ttl_s int, p_most int
)
RETURNS TABLE (
  outcome text, changed boolean, id bigint, conversation_id bigint, inviter_id bigint, role text,
  max_uses int, uses int, expires_at timestamptz, created_at timestamptz
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  found conversations;
  own_role text;
BEGIN
  SELECT c.* INTO found FROM conversations c
  WHERE c.id = p_id AND c.deleted_at IS NULL FOR NO KEY UPDATE;
  SELECT role_in(found.owner_id, m.user_id, m.extra) INTO own_role FROM conversation_members m
  WHERE m.conversation_id = found.id AND m.user_id = p_by;
  outcome := CASE
    WHEN own_role IS NULL THEN 'not_found'
    WHEN found.kind NOT IN ('group', 'channel') THEN 'conflict'
    WHEN role_rank(own_role) < role_rank(least_role(found.kind, found.extra, 'invite'))
      THEN 'forbidden'
    WHEN role_rank(p_role) > role_rank(own_role)
      OR (role_rank(p_role) = role_rank(own_role) AND p_role NOT IN ('member', 'reader'))
      THEN 'forbidden'
    WHEN p_most <= (
      SELECT count(*) FROM conversation_invites i
      WHERE i.conversation_id = p_id AND i.inviter_id = p_by AND i.expires_at > clock_timestamp()
    ) THEN 'invites_max'
    ELSE 'ok'
  END;
  IF outcome <> 'ok' THEN
    RETURN NEXT;
    RETURN;
  END IF;
  RETURN QUERY
  INSERT INTO conversation_invites
    (conversation_id, inviter_id, token_hash, role, max_uses, expires_at)
  VALUES (p_id, p_by, p_token_hash, p_role, p_max_uses,
    clock_timestamp() + p_ttl_s * interval '1 second')
  RETURNING outcome, true, conversation_invites.id, conversation_invites.conversation_id,
    conversation_invites.inviter_id, conversation_invites.role, conversation_invites.max_uses,
    conversation_invites.uses, conversation_invites.expires_at, conversation_invites.created_at;
END
$$;
