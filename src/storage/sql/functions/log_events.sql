-- Writes events into the transaction's one row of the event log. Called by the triggers of
-- event_triggers. A transaction writes none where it has set troupe.events to off, as an import does.
-- p_first: before the events that the row has already.
-- A row that takes further events takes the next id, too: they may be of a key whose lock was taken
-- after the row was written, and other transactions of that key have lower ids.
CREATE OR REPLACE FUNCTION log_events(p_events json[], p_first boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  row_id bigint := nullif(current_setting('troupe.event_row', true), '')::bigint;
BEGIN
  IF coalesce(cardinality(p_events), 0) = 0 OR current_setting('troupe.events', true) = 'off' THEN
    RETURN;
  END IF;
  IF row_id IS NULL THEN
    INSERT INTO event_log (events) VALUES (p_events) RETURNING id INTO row_id;
  ELSE
    UPDATE event_log l SET id = DEFAULT, at = clock_timestamp(),
      events = CASE WHEN p_first THEN p_events || l.events ELSE l.events || p_events END
    WHERE l.id = row_id RETURNING l.id INTO row_id;
  END IF;
  PERFORM set_config('troupe.event_row', row_id::text, true);
END
$$;
