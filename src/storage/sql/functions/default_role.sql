-- The least role for an action where permissions do not say. As defaultRoleFor in
-- protocol/permissions.ts.
CREATE OR REPLACE FUNCTION default_role(p_kind text, p_settings json, p_action text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN p_action IN ('mention_all', 'delete_any', 'silence', 'ban') THEN 'moderator'
    WHEN p_action IN ('remove_members', 'edit_roles') THEN 'admin'
    WHEN p_action = 'edit_settings' THEN 'owner'
    WHEN p_kind = 'channel' AND p_action <> 'react' THEN 'moderator'
    WHEN p_settings->>'join' = 'open' AND p_action IN ('pin', 'edit_info', 'add_members')
      THEN 'moderator'
    ELSE 'member'
  END
$$;
