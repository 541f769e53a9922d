-- A login that has ended is pushed nothing any more. A trigger of refresh_families.
CREATE OR REPLACE FUNCTION forget_devices_of_login() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM push_devices d WHERE d.family_id = NEW.id;
  RETURN NULL;
END
$$;
