-- The database of a petition: one file, one writer, WAL, synchronous=FULL, secure_delete.
--
-- application_id 0x50455431 ("PET1"); user_version counts schema changes, and a newer one than the
-- program's is refused, an older one brought up to date (db_schema.c). Clear text at rest is only: tag, tier, country, day, visibility, and the
-- name of those who did not choose `private`. All else is in the sealed record or a commitment.

PRAGMA application_id = 1346720817;
PRAGMA user_version = 6;

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

-- The Merkle tree over the entries, cut into tiles as in https://c2sp.org/tlog-tiles: full tiles only,
-- inserted in the transaction that fills them. What is not full is hashed anew at start. A rowid
-- table on purpose: the rows are large.
CREATE TABLE log_tile (
    level  INTEGER NOT NULL CHECK (level BETWEEN 0 AND 6),
    n      INTEGER NOT NULL CHECK (n >= 0),
    hashes BLOB NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, n)
) STRICT;
CREATE TRIGGER log_tile_in_order BEFORE INSERT ON log_tile
WHEN NEW.n <> (SELECT ifnull(max(n) + 1, 0) FROM log_tile WHERE level = NEW.level)
BEGIN SELECT RAISE(ABORT, 'log_tile is append-only'); END;
CREATE TRIGGER log_tile_no_update BEFORE UPDATE ON log_tile
BEGIN SELECT RAISE(ABORT, 'log_tile is append-only'); END;
CREATE TRIGGER log_tile_no_delete BEFORE DELETE ON log_tile
BEGIN SELECT RAISE(ABORT, 'log_tile is append-only'); END;

-- Every checkpoint that was published: the signed note, as it was served.
CREATE TABLE log_checkpoint (
    size INTEGER PRIMARY KEY CHECK (size > 0),
    note TEXT NOT NULL
) STRICT;
CREATE TRIGGER log_checkpoint_in_order BEFORE INSERT ON log_checkpoint
WHEN NEW.size <= (SELECT ifnull(max(size), 0) FROM log_checkpoint)
BEGIN SELECT RAISE(ABORT, 'log_checkpoint is append-only'); END;
CREATE TRIGGER log_checkpoint_no_update BEFORE UPDATE ON log_checkpoint
BEGIN SELECT RAISE(ABORT, 'log_checkpoint is append-only'); END;
CREATE TRIGGER log_checkpoint_no_delete BEFORE DELETE ON log_checkpoint
BEGIN SELECT RAISE(ABORT, 'log_checkpoint is append-only'); END;

-- What the log says of a sign entry, and of its deliveries, found without reading the log; written
-- with each wd, void and dlv entry, in its transaction.
CREATE TABLE log_end (
    idx   INTEGER PRIMARY KEY REFERENCES log_entry,             -- the sign entry
    entry INTEGER NOT NULL REFERENCES log_entry CHECK (entry > idx) -- that ended it
) STRICT;
CREATE TABLE log_delivery (
    n    INTEGER PRIMARY KEY CHECK (n > 0),
    size INTEGER NOT NULL CHECK (size > 0),      -- of the log, when it was frozen
    entry INTEGER NOT NULL REFERENCES log_entry
) STRICT;

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
    batch      INTEGER REFERENCES paper_batch,                      -- NULL: a form
    CHECK (tag IS NOT NULL OR (name IS NULL AND opening IS NULL AND sealed IS NULL))
) STRICT;

CREATE INDEX submission_batch ON submission(batch) WHERE batch IS NOT NULL AND tag IS NOT NULL;
-- How many rows have a name is asked before each delivery.
CREATE INDEX submission_named ON submission(visibility) WHERE tag IS NOT NULL AND visibility > 0;

-- Rows of paper sheets that came in one file, and its removal as a whole. `live` and
-- `without_contact` are kept in the same transaction as the rows.
CREATE TABLE paper_batch (
    id              INTEGER PRIMARY KEY CHECK (id > 0),
    day             INTEGER NOT NULL,
    who             TEXT NOT NULL,
    label           TEXT NOT NULL,
    rows            INTEGER NOT NULL CHECK (rows > 0), -- of the file
    live            INTEGER NOT NULL DEFAULT 0 CHECK (live BETWEEN 0 AND rows),
    without_contact INTEGER NOT NULL DEFAULT 0         -- of the rows that came in, ever
                    CHECK (without_contact BETWEEN 0 AND rows),
    done_s          INTEGER, -- Unix time; NULL: rows are coming in, or that was interrupted
    removed_s       INTEGER, -- Unix time: from then on its rows are being removed
    why             TEXT,    -- the void reason
    CHECK ((removed_s IS NULL) = (why IS NULL))
) STRICT;

-- De-duplication: one row per contact with at least one live submission that is counted here: its
-- index is below `upto` of its tag's slice, which is the number that the first ten bits of the tag
-- make. The others the writer counts in memory, and again when it starts (db_signer.c).
-- 16 bytes of a tag are as good as 32 to tell contacts apart, and take half the pages.
CREATE TABLE signer_row (
    head      BLOB PRIMARY KEY CHECK (length(head) = 16),                -- first bytes of the tag
    live      INTEGER NOT NULL CHECK (live > 0),                         -- live submissions
    confirmed INTEGER NOT NULL CHECK (confirmed BETWEEN 0 AND live)      -- of them, confirmed
) STRICT, WITHOUT ROWID;
CREATE TABLE signer_slice (
    slice INTEGER PRIMARY KEY CHECK (slice BETWEEN 0 AND 1023),
    upto  INTEGER NOT NULL CHECK (upto >= 0) -- without a row: 0
) STRICT;
-- One row per contact, whoever counts it: for people who ask; the program does not.
CREATE VIEW signer AS
    SELECT tag, count(*) AS live, sum(tier = 0) AS confirmed FROM submission
    WHERE tag IS NOT NULL GROUP BY tag;

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

-- Who may come to the desk. The password is libsodium's Argon2id string. A secret for one-time codes
-- cannot be hashed; a code is accepted once, so the step of the last one is kept.
CREATE TABLE organiser (
    name        TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
    password    TEXT NOT NULL,
    day         INTEGER NOT NULL,
    role        INTEGER NOT NULL DEFAULT 2 CHECK (role BETWEEN 0 AND 2), -- enum role; 2: owner
    totp_secret BLOB CHECK (length(totp_secret) = 20),                   -- NULL: no codes
    totp_step   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- What is left of the recovery codes, as BLAKE2b-256; each works once.
CREATE TABLE recovery (
    organiser TEXT NOT NULL REFERENCES organiser,
    hash      BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (organiser, hash)
) STRICT, WITHOUT ROWID;

-- Who is logged in: the BLAKE2b-256 of the cookie. The token of its forms follows from the cookie
-- and is not stored.
CREATE TABLE session (
    hash      BLOB PRIMARY KEY CHECK (length(hash) = 32),
    organiser TEXT NOT NULL REFERENCES organiser,
    lang      INTEGER CHECK (lang BETWEEN 0 AND 2), -- enum lang, if one was chosen
    created_s INTEGER NOT NULL,
    seen_s    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_organiser ON session(organiser);

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
    completed_s  INTEGER,          -- its annexes with names are deleted
    CHECK ((size IS NULL) = (figures IS NULL) AND (size IS NULL) = (frozen_s IS NULL))
) STRICT;
CREATE TABLE bundle (
    delivery  INTEGER NOT NULL REFERENCES delivery,
    addressee INTEGER NOT NULL CHECK (addressee BETWEEN 1 AND 19),
    sha256    BLOB NOT NULL CHECK (length(sha256) = 32),
    bytes     INTEGER NOT NULL CHECK (bytes > 0),
    PRIMARY KEY (delivery, addressee)
) STRICT, WITHOUT ROWID;

-- A bundle that was handed over, by hand or by post.
CREATE TABLE handover (
    delivery  INTEGER NOT NULL REFERENCES delivery,
    addressee INTEGER NOT NULL CHECK (addressee BETWEEN 1 AND 19),
    day       INTEGER NOT NULL,
    note      TEXT NOT NULL,
    who       TEXT NOT NULL,
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
