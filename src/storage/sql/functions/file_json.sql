-- A file as messages hold it: the contract's object, with its mark in the place of its address.
CREATE OR REPLACE FUNCTION file_json(f files) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'id', f.id::text, 'name', f.name, 'mime', f.mime, 'bytes', f.bytes, 'kind', f.kind,
    'state', f.state, 'url', f.mark, 'created_at', iso_time(f.created_at)) || (f.facts - 'thumb_bytes')
$$;
