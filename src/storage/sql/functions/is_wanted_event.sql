-- Whether a type is meant by one of the patterns; the twin of isWanted in
-- src/protocol/outside-events.ts.
CREATE OR REPLACE FUNCTION is_wanted_event(p_type text, p_patterns text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT p_type = ANY (p_patterns) OR (p_type NOT IN (
    'user.online', 'user.offline', 'hidden.online', 'hidden.offline') AND ('*' = ANY (p_patterns) OR split_part(p_type, '.', 1) || '.*' = ANY (p_patterns)))
$$;
