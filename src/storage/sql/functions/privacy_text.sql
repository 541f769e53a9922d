-- What a user lets others see, as the contract's JSON text: the user's own choices, else the
-- deployment's.
CREATE OR REPLACE FUNCTION privacy_text(p_user bigint) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT json_build_object(
    'presence', coalesce(p.presence, d.presence),
    'last_seen', coalesce(p.last_seen, d.last_seen),
    'receipts', coalesce(p.receipts, d.receipts),
    'direct', coalesce(p.direct, d.direct),
    'add_consent', coalesce(p.add_consent, d.add_consent),
    'discoverable', coalesce(p.discoverable, d.discoverable)
  )::text
  FROM privacy_defaults d LEFT JOIN user_privacy p ON p.user_id = p_user
$$;
