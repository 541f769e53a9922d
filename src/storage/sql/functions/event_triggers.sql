-- The triggers of the event log. To log the changes of a further table, add its row here and write
-- its function; a host brings them into being at its start where the log is kept.
CREATE OR REPLACE FUNCTION event_triggers()
RETURNS TABLE (trigger_name text, table_name text, definition text)
LANGUAGE sql IMMUTABLE AS $$
  SELECT t.name, t.on_table, replace(t.definition, '*', t.name) FROM (VALUES
    ('event_new_message', 'messages', 'CREATE TRIGGER * AFTER INSERT ON messages REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION log_new_messages()'),
    ('event_changed_message', 'messages', 'CREATE TRIGGER * AFTER UPDATE ON messages REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION log_changed_messages()'),
    ('event_new_conversation', 'conversations', 'CREATE CONSTRAINT TRIGGER * AFTER INSERT ON conversations DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_new_conversation()'),
    ('event_changed_conversation', 'conversation_changes', 'CREATE TRIGGER * AFTER INSERT ON conversation_changes FOR EACH ROW EXECUTE FUNCTION log_changed_conversation()'),
    ('event_member_came', 'conversation_members', 'CREATE TRIGGER * AFTER INSERT ON conversation_members REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION log_quiet_members()'),
    ('event_member_gone', 'conversation_members', 'CREATE TRIGGER * AFTER DELETE ON conversation_members REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION log_quiet_members()'),
    ('event_changed_member', 'conversation_members', 'CREATE TRIGGER * AFTER UPDATE OF extra ON conversation_members FOR EACH ROW WHEN (NEW.in_channel AND OLD.extra::text IS DISTINCT FROM NEW.extra::text) EXECUTE FUNCTION log_quiet_member()'),
    ('event_users', 'users', 'CREATE TRIGGER * AFTER INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION log_users()'),
    ('event_posts', 'posts', 'CREATE TRIGGER * AFTER INSERT OR UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION log_posts()'),
    ('event_new_comment', 'comments', 'CREATE TRIGGER * AFTER INSERT ON comments REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION log_comments()'),
    ('event_comment_gone', 'comments', 'CREATE TRIGGER * AFTER DELETE ON comments REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION log_comments()'),
    ('event_new_like', 'likes', 'CREATE TRIGGER * AFTER INSERT ON likes REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION log_likes()'),
    ('event_like_gone', 'likes', 'CREATE TRIGGER * AFTER DELETE ON likes REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION log_likes()'),
    ('event_new_follow', 'follows', 'CREATE TRIGGER * AFTER INSERT ON follows REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION log_follows()'),
    ('event_follow_gone', 'follows', 'CREATE TRIGGER * AFTER DELETE ON follows REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION log_follows()'),
    ('event_notifications', 'notifications', 'CREATE TRIGGER * AFTER INSERT ON notifications REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION log_notifications()'),
    ('event_reports', 'reports', 'CREATE TRIGGER * AFTER INSERT ON reports FOR EACH ROW EXECUTE FUNCTION log_reports()')
  ) t (name, on_table, definition)
$$;
