-- Makes one trigger of push_triggers, or drops it where there is no device; whether it changed
-- something. Each is a transaction of its own: making it waits for those that are writing its table,
-- and all that write it from then on, on whichever host, feed pushes.
CREATE OR REPLACE FUNCTION set_push_trigger(p_name text, p_on boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '3s' AS $$
DECLARE
  t record;
  is_there boolean;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('push triggers', 0));
  SELECT e.* INTO t FROM push_triggers() e WHERE e.trigger_name = p_name;
  is_there := EXISTS (
    SELECT 1 FROM pg_trigger g WHERE g.tgrelid = t.table_name::regclass AND g.tgname = p_name);
  IF is_there = p_on OR (NOT p_on AND EXISTS (SELECT 1 FROM push_devices)) THEN
    RETURN false;
  END IF;
  IF p_on THEN
    EXECUTE t.definition;
  ELSE
    EXECUTE format('DROP TRIGGER %I ON %I', p_name, t.table_name);
  END IF;
  RETURN true;
END
$$;
