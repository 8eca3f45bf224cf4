-- The part of a compact JWS before its first dot names the signer by its certificates: more than half of the text, and
-- the same in all that one signer says of one kind. From now on it is kept once. A statement's text is the header's, a
-- dot, and its own; statements of before have no header here and stay whole.

CREATE TABLE jws_header (
    number INTEGER PRIMARY KEY,
    text   TEXT NOT NULL,
    sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32)
) STRICT;

-- No foreign keys: for each new header all statements would be read for one that waits for it.
ALTER TABLE manifest ADD COLUMN header INTEGER;
ALTER TABLE answer ADD COLUMN header INTEGER;
ALTER TABLE acknowledgement ADD COLUMN header INTEGER;

CREATE TRIGGER jws_header_is_final BEFORE UPDATE ON jws_header BEGIN SELECT RAISE(ABORT, 'evidence never changes'); END;
CREATE TRIGGER jws_header_is_kept BEFORE DELETE ON jws_header BEGIN SELECT RAISE(ABORT, 'evidence is kept'); END;
