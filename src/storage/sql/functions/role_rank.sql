-- The rank of a role; -1 for null, a user who is no member. As rankOf in protocol/permissions.ts.
CREATE OR REPLACE FUNCTION role_rank(p_role text) RETURNS int
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_role
    WHEN 'owner' THEN 4 WHEN 'admin' THEN 3 WHEN 'moderator' THEN 2 WHEN 'member' THEN 1
    WHEN 'reader' THEN 0 ELSE -1
  END
$$;
