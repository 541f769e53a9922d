-- An event as a row of the event log holds it; src/storage/postgres/event-rows.ts reads it.
CREATE OR REPLACE FUNCTION outside_event(p_type text, p_key text, p_rev bigint, p_actor text, p_data text)
RETURNS json
LANGUAGE sql IMMUTABLE AS $$
  SELECT ('{"t":"' || p_type || '","k":"' || p_key || '"' || coalesce(',"r":' || p_rev, '')
    || coalesce(',"a":"' || nullif(p_actor, '') || '"', '') || ',"d":' || p_data || '}')::json
$$;
