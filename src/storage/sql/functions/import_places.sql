-- Where the messages of an import have come to in their conversation: `named` is the number by which
-- other lines name them, `seq` the one that they have, null before they are written.
CREATE OR REPLACE FUNCTION import_places(p_import bigint, p_ref text, p_id bigint)
RETURNS TABLE (n bigint, named bigint, sender bigint, client_id text, seq bigint)
LANGUAGE sql STABLE AS $$
  SELECT m.n, m.named, m.sender, m.client_id, coalesce(d.seq, s.seq)
  FROM (
    SELECT l.n, coalesce(l.seq, row_number() OVER (ORDER BY l.n)) AS named, u.id AS sender,
      coalesce(l.client_id, 'import-' || row_number() OVER (ORDER BY l.n)) AS client_id
    FROM import_lines l LEFT JOIN users u ON u.external_id = l.usr
    WHERE l.import_id = p_import AND l.type = 'message' AND l.ref = p_ref
  ) m
  LEFT JOIN messages d
    ON d.conversation_id = p_id AND d.sender_id = m.sender AND d.client_id = m.client_id
  LEFT JOIN service_messages s ON m.sender IS NULL
    AND s.conversation_id = p_id AND s.subject = 'import' AND s.client_id = m.client_id
$$;
