-- A time as the contract writes it. The session is in UTC, and columns hold no more than
-- milliseconds. PostgreSQL inlines it; see message_text.sql.
CREATE OR REPLACE FUNCTION iso_time(p_at timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT to_char(p_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
