-- Whether a message that is scheduled names the file: only its uploader can attach it.
CREATE OR REPLACE FUNCTION is_to_be_sent(f files) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT f.state <> 'uploading' AND EXISTS (
    SELECT 1 FROM scheduled_messages s
    CROSS JOIN LATERAL json_array_elements(s.content->'attachments') a
    WHERE s.user_id = f.user_id AND a->>'file_id' = f.id::text)
$$;
