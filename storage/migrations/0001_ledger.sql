-- The ledger of one node: what became of each transfer, the texts that prove it, and the audit log.
--
-- A migration that was released is never changed; the next one comes after it.
-- Unsigned 64-bit numbers are kept as the signed number of the same bits.

PRAGMA application_id = 1399155505;

CREATE TABLE ledger (
    only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
    environment TEXT NOT NULL,
    log_origin  TEXT NOT NULL,
    log_key     TEXT NOT NULL,
    openings    INTEGER NOT NULL               -- times it was opened for writing
) STRICT;

-- The audit log. The leaf of an entry is its exact text. Entries are written at the end of a transaction, after what
-- refers to them.

CREATE TABLE log_entry (
    position INTEGER PRIMARY KEY,
    text     TEXT NOT NULL,
    hash     BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- Full subtrees above the leaves, numbered in the order in which they become full.
CREATE TABLE log_node (
    number INTEGER PRIMARY KEY,
    hash   BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TABLE log_head (
    only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
    size       INTEGER NOT NULL,
    root       BLOB NOT NULL CHECK (length(root) = 32),
    checkpoint TEXT NOT NULL
) STRICT;

CREATE TRIGGER log_entry_is_final BEFORE UPDATE ON log_entry BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_entry_is_kept BEFORE DELETE ON log_entry BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_node_is_final BEFORE UPDATE ON log_node BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_node_is_kept BEFORE DELETE ON log_node BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

-- The newest signed head that each counterpart's log has shown.
CREATE TABLE counterpart_log (
    origin     TEXT PRIMARY KEY,
    key        TEXT NOT NULL,
    identity   TEXT NOT NULL,
    size       INTEGER NOT NULL,
    root       BLOB NOT NULL CHECK (length(root) = 32),
    checkpoint TEXT NOT NULL
) STRICT;

-- What changes while a transfer lives. The long texts stand apart, so that a step writes little.

CREATE TABLE acknowledgement (
    number INTEGER PRIMARY KEY,
    text   TEXT NOT NULL,
    entry  INTEGER NOT NULL UNIQUE REFERENCES log_entry (position) DEFERRABLE INITIALLY DEFERRED
) STRICT;

CREATE TABLE transfer (
    number          INTEGER PRIMARY KEY,
    sender          TEXT NOT NULL,
    id              TEXT NOT NULL,
    receiver        TEXT NOT NULL,
    kind            TEXT NOT NULL,
    claim_month     TEXT NOT NULL,             -- '' for kinds without one
    length          INTEGER NOT NULL,
    sha256          BLOB NOT NULL CHECK (length(sha256) = 32),
    class           TEXT NOT NULL,
    manifest_sha256 BLOB NOT NULL CHECK (length(manifest_sha256) = 32),
    resubmission_of TEXT,
    phase           TEXT NOT NULL,
    reason          TEXT,                      -- cause of an abort, problem of a refusal
    attempt         INTEGER NOT NULL,
    durable         INTEGER NOT NULL,          -- bytes
    mismatches      INTEGER NOT NULL,
    since           INTEGER NOT NULL,          -- times: milliseconds since 1970
    offered_at      INTEGER NOT NULL,
    deadline        INTEGER NOT NULL,
    delivered_at    INTEGER,
    acknowledged_at INTEGER,
    acknowledgement INTEGER REFERENCES acknowledgement (number) DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (sender, id)
) STRICT;

CREATE INDEX transfer_unfinished ON transfer (sender) WHERE phase IN ('offered', 'receiving', 'checking', 'aborted');
CREATE INDEX transfer_offered ON transfer (sender, offered_at, length);
CREATE INDEX transfer_running ON transfer (number) WHERE phase IN ('receiving', 'checking');
CREATE INDEX transfer_waiting ON transfer (deadline) WHERE phase IN ('offered', 'aborted');
CREATE INDEX transfer_undelivered ON transfer (number) WHERE phase = 'committed' AND delivered_at IS NULL;
CREATE INDEX transfer_held ON transfer (sender, sha256, receiver, kind, claim_month) WHERE phase = 'committed';

CREATE TABLE manifest (
    transfer INTEGER PRIMARY KEY REFERENCES transfer (number),
    text     TEXT NOT NULL,
    entry    INTEGER NOT NULL UNIQUE REFERENCES log_entry (position) DEFERRABLE INITIALLY DEFERRED
) STRICT;

-- The receiver's last word: a transfer gets a receipt or a refusal, never both.
CREATE TABLE answer (
    transfer INTEGER PRIMARY KEY REFERENCES transfer (number),
    what     TEXT NOT NULL CHECK (what IN ('receipt', 'refusal')),
    text     TEXT NOT NULL,
    sha256   BLOB NOT NULL CHECK (length(sha256) = 32),
    entry    INTEGER NOT NULL UNIQUE REFERENCES log_entry (position) DEFERRABLE INITIALLY DEFERRED
) STRICT;

CREATE TRIGGER manifest_is_final BEFORE UPDATE ON manifest BEGIN SELECT RAISE(ABORT, 'evidence never changes'); END;
CREATE TRIGGER answer_is_final BEFORE UPDATE ON answer BEGIN SELECT RAISE(ABORT, 'evidence never changes'); END;
CREATE TRIGGER acknowledgement_is_final BEFORE UPDATE ON acknowledgement
BEGIN SELECT RAISE(ABORT, 'evidence never changes'); END;

-- How many transfers there are of each sort: counted as they change, so that asking costs the same for ever.

CREATE TABLE tally (
    name  TEXT PRIMARY KEY,
    count INTEGER NOT NULL CHECK (count >= 0)
) STRICT, WITHOUT ROWID;

INSERT INTO tally (name, count) VALUES
    ('offered', 0), ('receiving', 0), ('checking', 0), ('committed', 0), ('aborted', 0), ('refused', 0),
    ('delivered', 0), ('acknowledged', 0);

CREATE TRIGGER tally_new AFTER INSERT ON transfer BEGIN
    UPDATE tally SET count = count + 1
    WHERE name = NEW.phase OR (name = 'delivered' AND NEW.delivered_at IS NOT NULL);
END;

CREATE TRIGGER tally_phase AFTER UPDATE OF phase ON transfer WHEN OLD.phase <> NEW.phase BEGIN
    UPDATE tally SET count = count - 1 WHERE name = OLD.phase;
    UPDATE tally SET count = count + 1 WHERE name = NEW.phase;
END;

CREATE TRIGGER tally_delivered AFTER UPDATE OF delivered_at ON transfer
WHEN OLD.delivered_at IS NULL AND NEW.delivered_at IS NOT NULL BEGIN
    UPDATE tally SET count = count + 1 WHERE name = 'delivered';
END;

CREATE TRIGGER tally_acknowledged AFTER UPDATE OF acknowledged_at ON transfer
WHEN OLD.acknowledged_at IS NULL AND NEW.acknowledged_at IS NOT NULL BEGIN
    UPDATE tally SET count = count + 1 WHERE name = 'acknowledged';
END;
