-- A scheduled message as the contract's JSON text.
CREATE OR REPLACE FUNCTION scheduled_text(s scheduled_messages) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT '{"id":"' || s.id
    || '","conversation_id":"' || s.conversation_id
    || '","client_id":' || to_json(s.client_id)::text
    || ',"send_at":"' || iso_time(s.send_at)
    || '","body":' || to_json(s.body)::text
    || ',"reply_to_seq":' || coalesce(s.reply_to_seq::text, 'null')
    || ',"created_at":"' || iso_time(s.created_at)
    || '"' || coalesce(',' || nullif(left(substr(s.content::text, 2), -1), ''), '')
    || '}'
$$;
