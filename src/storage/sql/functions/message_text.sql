-- A message as the contract's JSON text. Every statement that answers messages calls it, so this
-- is the only place in SQL that lists a message's keys; null where there is no message.
-- It is one expression over one row, which PostgreSQL inlines: it costs what the same text in the
-- statement would cost. An aggregate, a subquery or a SET clause here would end that, and every
-- row would pay for a call; test/contract/message-text.test.ts looks.
-- Ids are JSON strings, since JSON's numbers would lose digits. A key that is left out where it
-- has nothing to say is written as
--   || coalesce(',"pinned_at":"' || iso_time(m.pinned_at) || '"', '')
CREATE OR REPLACE FUNCTION message_text(m messages) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT '{"id":"' || m.id
    || '","conversation_id":"' || m.conversation_id
    || '","seq":' || m.seq
    || ',"rev":' || m.rev
    || ',"sender_id":"' || m.sender_id
    || '","client_id":' || to_json(m.client_id)::text
    || ',"body":' || to_json(m.body)::text
    || ',"reply_to_seq":' || coalesce(m.reply_to_seq::text, 'null')
    || ',"created_at":"' || iso_time(m.created_at)
    || '","edited_at":' || coalesce('"' || iso_time(m.edited_at) || '"', 'null')
    || ',"deleted_at":' || coalesce('"' || iso_time(m.deleted_at) || '"', 'null')
    || coalesce(',"reactions":' || nullif(m.reactions, ''), '')
    || '}'
$$;
