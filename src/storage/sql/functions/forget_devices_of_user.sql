-- All of a user's tokens were revoked, so nothing is pushed to what registered with them. A trigger
-- of users.
CREATE OR REPLACE FUNCTION forget_devices_of_user() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM push_devices d WHERE d.user_id = NEW.id;
  RETURN NULL;
END
$$;
