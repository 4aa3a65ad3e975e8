-- The number of this schema. A later one adds a row; `postgres.py` writes it after each file.
CREATE TABLE ledger_version (
  version integer PRIMARY KEY
);

-- Text is compared byte by byte, as everywhere here: a collation of the system may change under an index.
-- Names are stored once and referred to by number, handed out from 1 in order of first appearance.
-- `events` counts the account's entries; nothing else in these tables ever changes. The free half of
-- each page lets a row be written again beside itself, without touching an index.
CREATE TABLE account (
  code integer PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  position bigint NOT NULL,
  events bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE identity (
  code integer PRIMARY KEY,
  account integer NOT NULL,
  name text COLLATE "C" NOT NULL,
  UNIQUE (account, name)
);

CREATE TABLE action (
  code integer PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE
);

-- Events in order of arrival. Positions are shared with documents and have no gaps. An event id is
-- taken once within its account, for ever. Bills read the newest part, by index alone where a vacuum
-- has been: it comes after so many new rows, and not only after a fifth of all.
CREATE TABLE entry (
  position bigint PRIMARY KEY,
  recorded_at bigint NOT NULL,
  account integer NOT NULL,
  identity integer NOT NULL,
  type smallint NOT NULL CHECK (type BETWEEN 0 AND 4),
  occurred_at bigint NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  identity_type text COLLATE "C",
  action integer,
  results bigint,
  mode text COLLATE "C",
  voids text COLLATE "C",
  digest bytea NOT NULL,
  UNIQUE (account, event_id)
) WITH (autovacuum_vacuum_insert_threshold = 100000, autovacuum_vacuum_insert_scale_factor = 0.01);

CREATE INDEX entry_moment ON entry (account, occurred_at) INCLUDE (identity, type, position) WHERE type < 3;
CREATE INDEX entry_creation ON entry (account, identity_type, identity) WHERE type = 3;
CREATE INDEX entry_void ON entry (account, voids) WHERE type = 4;

-- What SQLite keeps as tables. With the rights of whoever asks, so that they show no more than `entry`.
CREATE VIEW once WITH (security_invoker = true) AS
  SELECT account, event_id, position FROM entry;

-- What begins or ends activity: all that a bill reads, in integers.
CREATE VIEW moment WITH (security_invoker = true) AS
  SELECT account, occurred_at, position, identity, type FROM entry WHERE type < 3;

-- Terms, conflicts, and what was issued, each sealed by its digest.
CREATE TABLE document (
  position bigint PRIMARY KEY,
  recorded_at bigint NOT NULL,
  kind text COLLATE "C" NOT NULL
    CHECK (kind IN ('terms', 'conflict', 'restatement', 'invoice', 'supplementary_invoice', 'credit_note')),
  number text COLLATE "C" UNIQUE,
  account_id text COLLATE "C",
  cycle_start bigint,
  content text COLLATE "C" NOT NULL,
  digest bytea NOT NULL,
  CHECK ((number IS NULL) = (kind IN ('terms', 'conflict', 'restatement')))
);

-- A conflict quotes one event, whose ids are limited, so that its content fits into an index (2,704 bytes).
CREATE UNIQUE INDEX document_original ON document (account_id, cycle_start) WHERE kind = 'invoice';
CREATE UNIQUE INDEX document_conflict ON document (content) WHERE kind = 'conflict';
CREATE INDEX document_account ON document (account_id, position);

CREATE FUNCTION only_grows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a ledger only grows'; END $$;

CREATE TRIGGER account_kept BEFORE DELETE OR TRUNCATE ON account EXECUTE FUNCTION only_grows();
CREATE TRIGGER account_fixed BEFORE UPDATE OF code, name, position ON account EXECUTE FUNCTION only_grows();
CREATE TRIGGER identity_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON identity EXECUTE FUNCTION only_grows();
CREATE TRIGGER action_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON action EXECUTE FUNCTION only_grows();
CREATE TRIGGER entry_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON entry EXECUTE FUNCTION only_grows();
CREATE TRIGGER document_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON document EXECUTE FUNCTION only_grows();
CREATE TRIGGER ledger_version_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_version EXECUTE FUNCTION only_grows();
