-- Repeated requests, budgets, attempts, and what recovery needs after a crash.

ALTER TABLE api_key ADD COLUMN unread TEXT NOT NULL DEFAULT 'cancel';

-- A repeat is told by two digests that stay with its turn, until the key is free again.
ALTER TABLE turn ADD COLUMN asked BLOB;     -- JSON: what only an open turn needs; NULL once settled
ALTER TABLE turn ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turn ADD COLUMN told_as TEXT NOT NULL DEFAULT '';
ALTER TABLE turn ADD COLUMN problem_kind TEXT;
ALTER TABLE turn ADD COLUMN key_digest BLOB;
ALTER TABLE turn ADD COLUMN body_digest BLOB;

UPDATE turn SET asked = CAST(json_extract(CAST(request AS TEXT), '$.new') AS BLOB)
WHERE outcome IS NULL AND json_valid(CAST(request AS TEXT));
UPDATE turn SET request = CAST(json_remove(CAST(request AS TEXT), '$.new') AS BLOB)
WHERE json_valid(CAST(request AS TEXT));

CREATE UNIQUE INDEX turn_by_key ON turn (account_id, key_digest) WHERE key_digest IS NOT NULL;

DROP TABLE idempotency;

CREATE INDEX replay_by_end ON replay (expires_at);

-- The ledger, in its own order, and with what became of turns that nobody read.
ALTER TABLE ledger RENAME TO old_ledger;

CREATE TABLE ledger (
    turn_id           TEXT NOT NULL REFERENCES turn (id),
    kind              TEXT NOT NULL CHECK (kind IN ('reserve', 'settle', 'release')),
    account_id        TEXT NOT NULL,
    key_id            TEXT NOT NULL,
    end_user          TEXT,
    amount            INTEGER NOT NULL,
    price_id          INTEGER REFERENCES price (id),
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    unread            TEXT NOT NULL DEFAULT 'cancel',
    estimated         INTEGER NOT NULL DEFAULT 0,  -- nobody counted: a guess, or nobody knows
    created_at        INTEGER NOT NULL,
    PRIMARY KEY (turn_id, kind)             -- settled once, whatever happens
) STRICT, WITHOUT ROWID;

INSERT INTO ledger
SELECT turn_id, kind, account_id, key_id, end_user, amount, price_id, prompt_tokens,
       completion_tokens, 'cancel', estimated, created_at
FROM old_ledger;

DROP TABLE old_ledger;                      -- its triggers go with it

CREATE TRIGGER ledger_is_append_only BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_is_kept BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

-- The most that may be spent in all. `concern` is a balance's scope, or end_users: each of an
-- account's that has no budget of its own.
CREATE TABLE budget (
    concern TEXT NOT NULL CHECK (concern IN ('account', 'key', 'end_user', 'end_users')),
    subject TEXT NOT NULL,
    amount  INTEGER NOT NULL,
    PRIMARY KEY (concern, subject)
) STRICT, WITHOUT ROWID;
