-- The triggers that feed pushes, which are there only while there is a device.
CREATE OR REPLACE FUNCTION push_triggers()
RETURNS TABLE (trigger_name text, table_name text, definition text)
LANGUAGE sql IMMUTABLE AS $$
  SELECT t.name, t.on_table, replace(t.definition, '*', t.name) FROM (VALUES
    ('push_new_message', 'messages', 'CREATE TRIGGER * AFTER INSERT ON messages REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION feed_messages()'),
    ('push_ended_stream', 'messages', 'CREATE TRIGGER * AFTER UPDATE ON messages FOR EACH ROW WHEN (OLD.extra->''stream''->>''state'' = ''open'' AND NEW.extra->''stream''->>''state'' <> ''open'') EXECUTE FUNCTION feed_ended_stream()'),
    ('push_read', 'conversation_members', 'CREATE TRIGGER * AFTER UPDATE ON conversation_members REFERENCING NEW TABLE AS marked FOR EACH STATEMENT EXECUTE FUNCTION feed_reads()'),
    ('push_notification', 'notifications', 'CREATE TRIGGER * AFTER INSERT ON notifications REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION feed_notifications()')
  ) t (name, on_table, definition)
$$;
