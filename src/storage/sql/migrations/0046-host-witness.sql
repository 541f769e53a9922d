-- What hosts say of themselves while they cannot hear Redis (src/ports/witness.ts). A host that does
-- is not dead, and its users keep their status. No row is written while Redis can be
-- reached; what is left of a host that never came back is deleted within an hour (postgres/pruning.ts).
CREATE TABLE host_witness (
  host      text PRIMARY KEY,
  signed_at timestamptz(3) NOT NULL,
  has_left  boolean NOT NULL
);
