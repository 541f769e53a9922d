-- An event as a row of the event log holds it; src/storage/postgres/event-rows.ts reads it. Where a
-- service made the change of its own, the statement has set troupe.service to the service's name.
CREATE OR REPLACE FUNCTION outside_event(p_type text, p_key text, p_rev bigint, p_actor text, p_data text)
RETURNS json
LANGUAGE sql STABLE AS $$
  SELECT ('{"t":"' || p_type || '","k":"' || p_key || '"' || coalesce(',"r":' || p_rev, '')
    || coalesce(',"a":"' || nullif(p_actor, '') || '"', '')
    || coalesce(',"s":' || to_json(nullif(current_setting('troupe.service', true), ''))::text, '')
    || ',"d":' || p_data || '}')::json
$$;
