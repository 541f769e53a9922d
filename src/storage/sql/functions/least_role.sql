-- The least role for an action; p_extra is the conversation's. As leastRoleFor in
-- protocol/permissions.ts.
CREATE OR REPLACE FUNCTION least_role(p_kind text, p_extra json, p_action text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(
    p_extra->'permissions'->>p_action, default_role(p_kind, p_extra->'settings', p_action))
$$;
