-- Where the messages of an import have come to in their conversation: `named` is the number by which
-- other lines name them, `seq` the one that they have, null before they are written. A message whose
-- line does not name it is known by what it says: by its place among the lines of the file that say the
-- same. So the same file again adds nothing, and another file of the same conversation loses nothing.
CREATE OR REPLACE FUNCTION import_places(p_import bigint, p_ref text, p_id bigint)
RETURNS TABLE (n bigint, named bigint, sender bigint, client_id text, seq bigint)
LANGUAGE sql STABLE AS $$
  SELECT m.n, m.named, m.sender, m.client_id, coalesce(d.seq, s.seq)
  FROM (
    SELECT w.n, w.named, u.id AS sender, coalesce(w.client_id, 'import-' || w.said || '-'
      || row_number() OVER (PARTITION BY w.client_id IS NULL, w.said ORDER BY w.n)) AS client_id
    FROM (
      SELECT l.n, l.usr, l.client_id,
        coalesce(l.seq, row_number() OVER (ORDER BY l.n)) AS named,
        CASE WHEN l.client_id IS NULL THEN md5(jsonb_build_array(l.usr, l.line->'created_at',
          l.line->'message_type', l.line->'body', l.line->'data')::text) END AS said
      FROM import_lines l
      WHERE l.import_id = p_import AND l.type = 'message' AND l.ref = p_ref
    ) w
    LEFT JOIN users u ON u.external_id = w.usr
  ) m
  LEFT JOIN messages d
    ON d.conversation_id = p_id AND d.sender_id = m.sender AND d.client_id = m.client_id
  LEFT JOIN service_messages s ON m.sender IS NULL
    AND s.conversation_id = p_id AND s.subject = 'import' AND s.client_id = m.client_id
$$;
