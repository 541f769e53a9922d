-- Users who have chosen to be pushed every message are found without the other members of a channel.
CREATE INDEX conversation_prefs_all ON conversation_prefs (conversation_id) WHERE level = 'all';
CREATE INDEX push_settings_all ON push_settings (user_id) WHERE level = 'all';

-- It asks for the kind of the conversation, too.
DROP FUNCTION IF EXISTS is_push_mention(messages, bigint);
