-- What a user's list of logins shows, and what a refresh that is repeated needs.
ALTER TABLE refresh_families
  -- SHA-256, hex, of the part that all refresh tokens of a login have in common. A token that is
  -- not found below, because it was spent and pruned, still names its login by it.
  ADD COLUMN root_hash    text COLLATE "C",
  -- Where the login was made: an IPv4 address or an IPv6 /64.
  ADD COLUMN address      text COLLATE "C",
  ADD COLUMN user_agent   text,
  ADD COLUMN last_used_at timestamptz(3) NOT NULL DEFAULT clock_timestamp();
UPDATE refresh_families SET last_used_at = created_at;
CREATE UNIQUE INDEX refresh_families_root ON refresh_families (root_hash)
  WHERE root_hash IS NOT NULL;

-- Spent tokens are pruned after an hour.
CREATE INDEX refresh_tokens_spent ON refresh_tokens (spent_at) WHERE spent_at IS NOT NULL;
