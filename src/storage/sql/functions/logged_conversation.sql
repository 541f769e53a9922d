-- A conversation with its members as the event log holds it; src/storage/postgres/event-rows.ts
-- reads it.
CREATE OR REPLACE FUNCTION logged_conversation(p_id bigint) RETURNS json
LANGUAGE sql STABLE AS $$
  SELECT row_to_json(x) FROM (
    SELECT r.*, c.parent_id::text AS parent_id, c.parent_seq, (
        SELECT json_build_object('owner_id', p.owner_id::text, 'settings', p.extra->'settings',
          'permissions', p.extra->'permissions')
        FROM conversations p WHERE p.id = c.parent_id
      ) AS parent_rules
    FROM conversation_rows r JOIN conversations c ON c.id = r.id WHERE r.id = p_id
  ) x
$$;
