-- Files that users upload. Their bytes are in a store of their own (ports/files.ts), under the id.
CREATE TABLE files (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The uploader.
  user_id     bigint NOT NULL,
  name        text NOT NULL,
  -- What the bytes are; null while they are on their way, and so is kind.
  mime        text COLLATE "C",
  kind        text COLLATE "C" CHECK (kind IN ('image', 'video', 'audio', 'file')),
  -- What is taken of the uploader's quota.
  bytes       bigint NOT NULL,
  state       text COLLATE "C" NOT NULL DEFAULT 'uploading'
    CHECK (state IN ('uploading', 'processing', 'ready', 'refused')),
  -- Further keys as the contract writes them: width, height, duration_ms, placeholder.
  facts       jsonb NOT NULL DEFAULT '{}',
  -- Stands for the file's address in stored messages; the edge writes the address in its place.
  mark        text COLLATE "C",
  created_at  timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  -- When it was first attached to a message; null: never.
  attached_at timestamptz(3),
  -- Its uploader has taken it back; the messages that show it and its bytes go next.
  removed_at  timestamptz(3)
);
CREATE INDEX files_removed ON files (removed_at) WHERE removed_at IS NOT NULL;
CREATE INDEX files_loose ON files (created_at) WHERE attached_at IS NULL;
CREATE INDEX files_attached ON files (attached_at) WHERE attached_at IS NOT NULL;

-- What each user's files take of FILE_QUOTA_BYTES.
CREATE TABLE file_usage (
  user_id bigint PRIMARY KEY,
  bytes   bigint NOT NULL
);

-- The messages that show a file; the rows go with the message's deletion.
CREATE TABLE message_files (
  conversation_id bigint NOT NULL,
  seq             bigint NOT NULL,
  file_id         bigint NOT NULL,
  PRIMARY KEY (conversation_id, seq, file_id)
);
CREATE INDEX message_files_file ON message_files (file_id);

-- The key that signs the addresses of files, the same on every host.
CREATE TABLE file_key (key bytea NOT NULL);
INSERT INTO file_key (key) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
