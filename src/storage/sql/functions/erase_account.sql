-- What an erased user has as a person: logins, settings, drafts, what waits to be sent, whom they
-- follow, what they are notified of; and what reports and the audit log say of them.
CREATE OR REPLACE FUNCTION erase_account(p_user bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  gone bigint;
BEGIN
  -- So that the result names what there was none of.
  PERFORM count_erased(p_user, 'messages', 0), count_erased(p_user, 'files', 0);
  -- Pushes that wait for a device go with it.
  DELETE FROM push_devices d WHERE d.user_id = p_user;
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM count_erased(p_user, 'devices', gone);
  DELETE FROM push_settings s WHERE s.user_id = p_user;
  DELETE FROM push_pending p WHERE p.user_id = p_user;
  DELETE FROM push_shown s WHERE s.user_id = p_user;
  DELETE FROM push_decisions d WHERE d.user_id = p_user;
  DELETE FROM refresh_families f WHERE f.user_id = p_user;
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM count_erased(p_user, 'logins', gone);
  DELETE FROM follows f WHERE f.follower_id = p_user OR f.followee_id = p_user;
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM count_erased(p_user, 'follows', gone);
  DELETE FROM scheduled_messages s WHERE s.user_id = p_user;
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM count_erased(p_user, 'scheduled', gone);
  DELETE FROM conversation_prefs p WHERE p.user_id = p_user;
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM count_erased(p_user, 'preferences', gone);
  DELETE FROM notifications n WHERE n.user_id = p_user;
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM count_erased(p_user, 'notifications', gone);
  DELETE FROM notification_counters c WHERE c.user_id = p_user;
  DELETE FROM prefs_counters c WHERE c.user_id = p_user;
  DELETE FROM user_privacy p WHERE p.user_id = p_user;
  DELETE FROM user_words w WHERE w.user_id = p_user;
  DELETE FROM message_mentions x WHERE x.user_id = p_user;
  DELETE FROM unread_members w WHERE w.user_id = p_user;
  DELETE FROM unread_turns t WHERE t.user_id = p_user;
  DELETE FROM conversation_invites i WHERE i.inviter_id = p_user;
  UPDATE conversation_bans b SET reason = NULL WHERE b.user_id = p_user AND b.reason IS NOT NULL;
  UPDATE reports r SET content = '{}', note = NULL, resolution_note = NULL
  WHERE r.author_id = p_user AND r.content::text <> '{}';
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM count_erased(p_user, 'reports', gone);
  UPDATE reports r SET note = NULL WHERE r.reporter_id = p_user AND r.note IS NOT NULL;
  UPDATE audit_log a SET reason = NULL
  WHERE a.target = 'user:' || p_user AND a.reason IS NOT NULL;
END
$$;
