-- A message as it was at the version's rev, before a later change replaced that version. What a
-- version does not hold does not change, or is null as long as the message can be replaced.
CREATE OR REPLACE FUNCTION message_before(m messages, r message_versions) RETURNS messages
LANGUAGE sql STABLE AS $$
  SELECT jsonb_populate_record(m, jsonb_build_object(
    'rev', r.rev, 'body', r.body, 'edited_at', r.edited_at, 'deleted_at', r.deleted_at,
    'data', r.data, 'extra', r.extra, 'revised', r.revised))
$$;
