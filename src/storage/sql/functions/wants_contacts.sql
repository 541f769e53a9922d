-- Those of p_users who take that from contacts only, and of whom p_by is none. p_what: 'direct', who
-- begins a direct conversation with them, or 'add_consent', who adds them to a conversation.
CREATE OR REPLACE FUNCTION wants_contacts(p_what text, p_by bigint, p_users bigint[])
RETURNS TABLE (user_id bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN QUERY
  SELECT u.id FROM unnest(p_users) u (id)
  CROSS JOIN privacy_defaults d
  LEFT JOIN user_privacy p ON p.user_id = u.id
  WHERE u.id <> p_by AND 'contacts' = CASE p_what
      WHEN 'direct' THEN coalesce(p.direct, d.direct) ELSE coalesce(p.add_consent, d.add_consent)
    END
    AND NOT is_contact(u.id, p_by);
END
$$;
