-- Names are stored once and referred to by number, handed out from 1 in order of first appearance.
-- `events` counts the account's entries; nothing else in these tables ever changes.
CREATE TABLE account (
  code INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  position INTEGER NOT NULL,
  events INTEGER NOT NULL
) STRICT;

CREATE TABLE identity (
  code INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (account, name)
) STRICT;

CREATE TABLE action (
  code INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- Events in order of arrival. Positions are shared with documents and have no gaps.
CREATE TABLE entry (
  position INTEGER PRIMARY KEY,
  recorded_at INTEGER NOT NULL,
  account INTEGER NOT NULL,
  identity INTEGER NOT NULL,
  type INTEGER NOT NULL CHECK (type BETWEEN 0 AND 4),
  occurred_at INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  identity_type TEXT,
  action INTEGER,
  results INTEGER,
  mode TEXT,
  voids TEXT,
  digest BLOB NOT NULL
) STRICT;

-- An event id is taken once within its account, for ever.
CREATE TABLE once (
  account INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (account, event_id)
) WITHOUT ROWID, STRICT;

-- What begins or ends activity, by account and time: all that a bill reads, in integers. This and
-- `once` are tables and no indexes of `entry` because a table can be filled a batch at a time in
-- its own order, which takes less than half the time.
CREATE TABLE moment (
  account INTEGER NOT NULL,
  occurred_at INTEGER NOT NULL,
  position INTEGER NOT NULL,
  identity INTEGER NOT NULL,
  type INTEGER NOT NULL,
  PRIMARY KEY (account, occurred_at, position)
) WITHOUT ROWID, STRICT;

CREATE INDEX entry_creation ON entry (account, identity_type, identity) WHERE type = 3;
CREATE INDEX entry_void ON entry (account, voids) WHERE type = 4;

-- Terms, conflicts, and what was issued, each sealed by its digest.
CREATE TABLE document (
  position INTEGER PRIMARY KEY,
  recorded_at INTEGER NOT NULL,
  kind TEXT NOT NULL
    CHECK (kind IN ('terms', 'conflict', 'restatement', 'invoice', 'supplementary_invoice', 'credit_note')),
  number TEXT UNIQUE,
  account_id TEXT,
  cycle_start INTEGER,
  content TEXT NOT NULL,
  digest BLOB NOT NULL,
  CHECK ((number IS NULL) = (kind IN ('terms', 'conflict', 'restatement')))
) STRICT;

CREATE UNIQUE INDEX document_original ON document (account_id, cycle_start) WHERE kind = 'invoice';
CREATE UNIQUE INDEX document_conflict ON document (content) WHERE kind = 'conflict';
CREATE INDEX document_account ON document (account_id, position);

CREATE TRIGGER account_kept BEFORE DELETE ON account
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER account_fixed BEFORE UPDATE OF code, name, position ON account
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER identity_kept BEFORE DELETE ON identity
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER identity_fixed BEFORE UPDATE ON identity
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER action_kept BEFORE DELETE ON action
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER action_fixed BEFORE UPDATE ON action
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER entry_kept BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER entry_fixed BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER once_kept BEFORE DELETE ON once
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER once_fixed BEFORE UPDATE ON once
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER moment_kept BEFORE DELETE ON moment
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER moment_fixed BEFORE UPDATE ON moment
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER document_kept BEFORE DELETE ON document
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
CREATE TRIGGER document_fixed BEFORE UPDATE ON document
BEGIN SELECT RAISE(ABORT, 'a ledger only grows'); END;
