-- Operators find a message by its id. Ids rise with the table, so the least and greatest of each
-- run of pages are enough: an index of a few kilobytes that a send does not notice.
CREATE INDEX messages_ids ON messages USING brin (id) WITH (pages_per_range = 32, autosummarize = on);

-- Such an index is read by bitmap only, which sessions of Troupe turn off for all else.
CREATE FUNCTION place_of_message(bigint) RETURNS TABLE (conversation_id bigint, seq bigint)
LANGUAGE sql STABLE SET enable_bitmapscan = on AS
$$ SELECT m.conversation_id, m.seq FROM messages m WHERE m.id = $1 $$;
