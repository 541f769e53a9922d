-- A thread's summary changes its root even where that is deleted, so a version can be a deleted one.
ALTER TABLE message_versions ADD COLUMN deleted_at timestamptz(3);
