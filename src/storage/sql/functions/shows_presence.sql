-- Whether a user shows everybody when they are there, and when they were last seen: of others the
-- event log says so to services with the scope presence only.
CREATE OR REPLACE FUNCTION shows_presence(p_user bigint) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT coalesce(t.presence, d.presence) = 'everyone'
    AND coalesce(t.last_seen, d.last_seen) = 'everyone'
  FROM privacy_defaults d LEFT JOIN user_privacy t ON t.user_id = p_user
$$;
