-- Registers a device, or changes it. The address belongs to one device of one user: another one that
-- has it is removed. outcome: ok, too_many, ended (the login has ended meanwhile).
CREATE OR REPLACE FUNCTION put_device(
  p_user bigint, p_device text, p_family bigint, p_asked json, p_hash text, p_most int
)
RETURNS TABLE (outcome text, device push_devices)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  -- One call of a user at a time, so that their number is exact.
  PERFORM 1 FROM users u WHERE u.id = p_user FOR NO KEY UPDATE;
  outcome := 'ok';
  -- Locked against its end, which takes its devices away.
  IF p_family IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM refresh_families f WHERE f.id = p_family AND f.revoked_at IS NULL FOR SHARE
  ) THEN
    outcome := 'ended';
    RETURN NEXT;
    RETURN;
  END IF;
  IF NOT EXISTS (
    SELECT 1 FROM push_devices d WHERE d.user_id = p_user
      AND (d.device_id = p_device OR d.address_hash = p_hash)
  ) AND (SELECT count(*) FROM push_devices d WHERE d.user_id = p_user) >= p_most THEN
    outcome := 'too_many';
    RETURN NEXT;
    RETURN;
  END IF;
  -- Likewise of an address, which several users may register at the same moment.
  PERFORM pg_advisory_xact_lock(hashtextextended('device ' || p_hash, 0));
  DELETE FROM push_devices d
  WHERE d.address_hash = p_hash AND (d.user_id <> p_user OR d.device_id <> p_device);
  INSERT INTO push_devices AS d
    (user_id, device_id, provider, address, address_hash, keys, locale, tz, family_id)
  VALUES (p_user, p_device, p_asked->>'provider', p_asked->>'address', p_hash, p_asked->'keys',
    p_asked->>'locale', p_asked->>'tz', p_family)
  ON CONFLICT (user_id, device_id) DO UPDATE SET
    provider = excluded.provider, address = excluded.address, address_hash = excluded.address_hash,
    keys = excluded.keys, locale = excluded.locale, tz = excluded.tz,
    family_id = excluded.family_id, updated_at = clock_timestamp()
  RETURNING d.* INTO device;
  RETURN NEXT;
END
$$;
