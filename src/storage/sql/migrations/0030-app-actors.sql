-- The application's own actors.

CREATE TABLE app_actors (
  kind            text COLLATE "C" NOT NULL,
  key             text COLLATE "C" NOT NULL,
  id              bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  -- The fence: a commit is written only on the version on which its turns began.
  version         bigint NOT NULL,
  -- How many events it has had; goes on after it was destroyed and made again.
  rev             bigint NOT NULL,
  -- JSON as it was written; null: destroyed, or in memory only.
  state           text,
  is_gone         boolean NOT NULL,
  is_durable      boolean NOT NULL,
  code_version    integer NOT NULL,
  -- {args, caller}: how it was made.
  created         json NOT NULL,
  conversation_id bigint REFERENCES conversations,
  now_ms          bigint NOT NULL,
  -- [{name, at: milliseconds since 1970 by the database's clock}]
  timers          json NOT NULL,
  -- A timer is due, or an effect has not been carried out.
  wake_at         timestamptz,
  -- Users whom the state names.
  users           text[] NOT NULL DEFAULT '{}',
  -- Users for whom onWatch has run.
  watching        text[] NOT NULL DEFAULT '{}',
  effect_count    bigint NOT NULL,
  created_at      timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (kind, key)
);
CREATE INDEX app_actors_wake ON app_actors (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX app_actors_users ON app_actors USING gin (users);
CREATE INDEX app_actors_conversation ON app_actors (conversation_id)
  WHERE conversation_id IS NOT NULL;

-- The newest 200 of each actor.
CREATE TABLE app_events (
  actor_id bigint NOT NULL,
  rev      bigint NOT NULL,
  name     text COLLATE "C" NOT NULL,
  data     text NOT NULL,
  -- Others receive its rev only; null: it is for everybody.
  to_users text[],
  PRIMARY KEY (actor_id, rev)
);

-- Calls that were committed within 24 hours, the newest 1,000 of each actor.
CREATE TABLE app_calls (
  actor_id bigint NOT NULL,
  n        bigint GENERATED ALWAYS AS IDENTITY,
  caller   text COLLATE "C" NOT NULL,
  call_id  text COLLATE "C" NOT NULL,
  hash     text COLLATE "C" NOT NULL,
  -- Null: too long to be kept.
  answer   text,
  rev      bigint NOT NULL,
  made_at  timestamptz NOT NULL,
  PRIMARY KEY (actor_id, n)
);

-- Effects of committed turns that were not carried out yet.
CREATE TABLE app_effects (
  actor_id bigint NOT NULL,
  n        bigint NOT NULL,
  effect   text NOT NULL,
  PRIMARY KEY (actor_id, n)
);

-- An actor that is bound to a conversation looks at once who is still a member, and whether the
-- conversation is there.
CREATE FUNCTION wake_bound_app_actors() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'conversations' THEN
    UPDATE app_actors p SET wake_at = clock_timestamp()
    WHERE p.conversation_id = OLD.id AND NOT p.is_gone;
  ELSE
    UPDATE app_actors p SET wake_at = clock_timestamp()
    WHERE p.conversation_id = OLD.conversation_id AND NOT p.is_gone;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER wake_bound_app_actors AFTER UPDATE OF deleted_at ON conversations
  FOR EACH ROW EXECUTE FUNCTION wake_bound_app_actors();
CREATE TRIGGER wake_bound_app_actors AFTER DELETE ON conversation_members
  FOR EACH ROW EXECUTE FUNCTION wake_bound_app_actors();
