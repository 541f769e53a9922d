-- Where the message of an id stands. The BRIN index on ids is read by bitmap scans only, which
-- Troupe's sessions turn off for everything else.
CREATE OR REPLACE FUNCTION place_of_message(bigint) RETURNS TABLE (conversation_id bigint, seq bigint)
LANGUAGE sql STABLE SET enable_bitmapscan = on AS
$$ SELECT m.conversation_id, m.seq FROM messages m WHERE m.id = $1 $$;
