-- A message as the contract's JSON text. Every statement that answers messages calls it, so this
-- is the only place in SQL that lists a message's keys; null where there is no message.
-- It is one expression over one row, which PostgreSQL inlines: it costs what the same text in the
-- statement would cost. An aggregate, a subquery or a SET clause here would end that, and every
-- row would pay for a call; test/contract/message-text.test.ts looks.
-- Ids are JSON strings, since JSON's numbers would lose digits. Keys that are left out where they
-- have nothing to say are in the column extra, whose braces are taken off, or are written as
--   || coalesce(',"n":' || m.n, '')
-- which costs a message without them one test for null.
CREATE OR REPLACE FUNCTION message_text(m messages) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT '{"id":"' || m.id
    || '","conversation_id":"' || m.conversation_id
    || '","seq":' || m.seq
    || ',"rev":' || m.rev
    || ',"sender_id":' || coalesce('"' || m.sender_id || '"', 'null')
    || ',"client_id":' || coalesce(to_json(m.client_id)::text, 'null')
    || ',"body":' || to_json(m.body)::text
    || ',"reply_to_seq":' || coalesce(m.reply_to_seq::text, 'null')
    || ',"created_at":"' || iso_time(m.created_at)
    || '","edited_at":' || coalesce('"' || iso_time(m.edited_at) || '"', 'null')
    || ',"deleted_at":' || coalesce('"' || iso_time(m.deleted_at) || '"', 'null')
    || coalesce(',"reactions":' || nullif(m.reactions, ''), '')
    || coalesce(',"n":' || m.n, '')
    || coalesce(',"data":' || m.data, '')
    || coalesce(',' || left(substr(m.extra::text, 2), -1), '')
    || '}'
$$;
