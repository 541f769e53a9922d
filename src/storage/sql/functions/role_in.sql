-- The role of a member by their row's extra. As roleIn in protocol/permissions.ts.
CREATE OR REPLACE FUNCTION role_in(p_owner_id bigint, p_user_id bigint, p_extra json) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_owner_id = p_user_id THEN 'owner' ELSE coalesce(p_extra->>'role', 'member') END
$$;
