-- The database of a petition: one file, one writer, WAL, synchronous=FULL, secure_delete.
--
-- application_id 0x50455431 ("PET1"); user_version counts schema changes, and a newer one than the
-- program's is refused. Clear text at rest is only: tag, tier, country, day, visibility, and the
-- name of those who did not choose `private`. All else is in the sealed record or a commitment.

PRAGMA application_id = 1346720817;
PRAGMA user_version = 1;

-- The public log, append-only: the exact bytes of every entry, hashed as stored. Entry 0 is the
-- `open` entry, written by init. Indices have no gaps.
CREATE TABLE log_entry (
    idx  INTEGER PRIMARY KEY CHECK (idx >= 0),
    body BLOB NOT NULL CHECK (length(body) BETWEEN 1 AND 65535)
) STRICT;
-- An INSERT OR REPLACE fires no DELETE trigger, so what may be inserted is said, too.
CREATE TRIGGER log_entry_in_order BEFORE INSERT ON log_entry
WHEN NEW.idx <> (SELECT ifnull(max(idx) + 1, 0) FROM log_entry)
BEGIN SELECT RAISE(ABORT, 'log_entry is append-only'); END;
CREATE TRIGGER log_entry_no_update BEFORE UPDATE ON log_entry
BEGIN SELECT RAISE(ABORT, 'log_entry is append-only'); END;
CREATE TRIGGER log_entry_no_delete BEFORE DELETE ON log_entry
BEGIN SELECT RAISE(ABORT, 'log_entry is append-only'); END;

-- One accepted form, or one row of a paper batch; idx is its `sign` entry. Live while tag is set:
-- withdrawal and removal NULL tag, name, opening and sealed.
CREATE TABLE submission (
    idx        INTEGER PRIMARY KEY REFERENCES log_entry,
    tag        BLOB CHECK (length(tag) = 32),
    tier       INTEGER NOT NULL CHECK (tier BETWEEN 0 AND 2),       -- enum tier
    visibility INTEGER NOT NULL CHECK (visibility BETWEEN 0 AND 2), -- enum visibility
    country    TEXT NOT NULL CHECK (length(country) = 2),
    day        INTEGER NOT NULL,                                    -- UTC, days since 1970-01-01
    name       TEXT CHECK (name IS NULL OR visibility > 0),
    opening    BLOB CHECK (opening IS NULL OR (length(opening) = 64 AND visibility > 0)),
    sealed     BLOB,
    CHECK (tag IS NOT NULL OR (name IS NULL AND opening IS NULL AND sealed IS NULL))
) STRICT;

-- De-duplication: one row per contact with at least one live submission.
CREATE TABLE signer (
    tag       BLOB PRIMARY KEY CHECK (length(tag) = 32),
    live      INTEGER NOT NULL CHECK (live > 0),                         -- live submissions
    confirmed INTEGER NOT NULL CHECK (confirmed BETWEEN 0 AND live)      -- of them, confirmed
) STRICT, WITHOUT ROWID;

-- Live submissions by day, country and tier; kept in the same transaction as the rows.
CREATE TABLE tally (
    day     INTEGER NOT NULL,
    country TEXT NOT NULL CHECK (length(country) = 2),
    tier    INTEGER NOT NULL CHECK (tier BETWEEN 0 AND 2),
    n       INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (day, country, tier)
) STRICT, WITHOUT ROWID;

-- The sums, one row; kept in the same transaction. `shown_*` is what the public sees, `jitter_*` its
-- secret (figures.h).
CREATE TABLE totals (
    id                INTEGER PRIMARY KEY CHECK (id = 1),
    text_idx          INTEGER NOT NULL REFERENCES log_entry, -- last open or text entry
    live              INTEGER NOT NULL CHECK (live >= 0),
    signatures        INTEGER NOT NULL CHECK (signatures BETWEEN 0 AND live),
    confirmed         INTEGER NOT NULL CHECK (confirmed BETWEEN 0 AND signatures),
    withdrawn         INTEGER NOT NULL CHECK (withdrawn >= 0),
    void_request      INTEGER NOT NULL CHECK (void_request >= 0),
    void_duplicate    INTEGER NOT NULL CHECK (void_duplicate >= 0),
    void_fraud        INTEGER NOT NULL CHECK (void_fraud >= 0),
    void_test         INTEGER NOT NULL CHECK (void_test >= 0),
    void_lost         INTEGER NOT NULL CHECK (void_lost >= 0),
    shown_count       INTEGER NOT NULL CHECK (shown_count >= 0),
    jitter_count      INTEGER NOT NULL CHECK (jitter_count >= 0),
    shown_confirmed   INTEGER NOT NULL CHECK (shown_confirmed >= 0),
    jitter_confirmed  INTEGER NOT NULL CHECK (jitter_confirmed >= 0)
) STRICT;

-- Who may export and deliver. The password is libsodium's Argon2id string.
CREATE TABLE organiser (
    name     TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
    password TEXT NOT NULL,
    day      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Bearer tokens, as the BLAKE2b-256 of the token.
CREATE TABLE token (
    hash      BLOB PRIMARY KEY CHECK (length(hash) = 32),
    organiser TEXT NOT NULL REFERENCES organiser,
    day       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A delivery has its size only once its annexes are spooled and fsynced: before, a restart freezes
-- anew; after, it builds from the spool.
CREATE TABLE delivery (
    id           INTEGER PRIMARY KEY CHECK (id > 0),
    organiser    TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
    requested_s  INTEGER NOT NULL, -- Unix time
    frozen_s     INTEGER,
    size         INTEGER,          -- of the log
    figures      TEXT,             -- JSON, as in summary.json
    why          TEXT,             -- for 'failed'
    CHECK ((size IS NULL) = (figures IS NULL) AND (size IS NULL) = (frozen_s IS NULL))
) STRICT;
CREATE TABLE bundle (
    delivery  INTEGER NOT NULL REFERENCES delivery,
    addressee INTEGER NOT NULL CHECK (addressee BETWEEN 1 AND 19),
    sha256    BLOB NOT NULL CHECK (length(sha256) = 32),
    bytes     INTEGER NOT NULL CHECK (bytes > 0),
    PRIMARY KEY (delivery, addressee)
) STRICT, WITHOUT ROWID;

-- Every act of an organiser, append-only, each row hashed with the one before it:
-- hash = SHA-256("petition-audit/v1\n" || previous hash or 32 zeros || line),
-- line = {"id":N,"at":N,"who":"…","act":"…","detail":"…"}
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY CHECK (id > 0),
    at_s   INTEGER NOT NULL,
    who    TEXT NOT NULL,
    act    TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash   BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER audit_in_order BEFORE INSERT ON audit
WHEN NEW.id <> (SELECT ifnull(max(id), 0) + 1 FROM audit)
BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
