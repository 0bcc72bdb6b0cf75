-- Repeated requests, budgets, attempts, and what recovery needs after a crash. Tables that every
-- turn writes to are made anew, to cost it less: wide rows have a rowid (without one, a row past
-- 1,000 bytes takes pages of its own), and references that nothing ever breaks are gone; `chatloom
-- doctor` looks for them. No statement checks foreign keys while migrations run.

ALTER TABLE api_key ADD COLUMN unread TEXT NOT NULL DEFAULT 'cancel';

CREATE TABLE new_turn (
    id             TEXT PRIMARY KEY,
    account_id     TEXT NOT NULL,
    key_id         TEXT NOT NULL REFERENCES api_key (id),
    end_user       TEXT,
    conversation_id TEXT NOT NULL,          -- stored with its first message
    branch_id      TEXT,
    parent_id      TEXT,
    message_id     TEXT,                    -- the answer, once settled
    protocol       TEXT NOT NULL,
    told_as        TEXT NOT NULL,           -- how its protocol tells it
    model          TEXT NOT NULL,           -- as asked for
    served_model   TEXT,
    provider       TEXT NOT NULL,
    streamed       INTEGER NOT NULL,
    listed         INTEGER NOT NULL,
    outcome        TEXT,                    -- NULL while it runs
    problem        TEXT,
    problem_kind   TEXT,
    usage          BLOB,
    price_id       INTEGER REFERENCES price (id),
    reserved       INTEGER NOT NULL,
    cost           INTEGER,
    started_at     INTEGER NOT NULL,
    first_token_at INTEGER,
    ended_at       INTEGER,
    key_digest     BLOB,                    -- both until the idempotency key is free again
    body_digest    BLOB,
    request        BLOB NOT NULL,           -- JSON: what was asked besides messages
    metadata       TEXT,                    -- of the conversation it begins; NULL once settled
    asked          BLOB                     -- JSON: what recovery needs besides; NULL once settled
) STRICT;

INSERT INTO new_turn
SELECT id, account_id, key_id, end_user, conversation_id, branch_id, parent_id, message_id, protocol,
       '', model, served_model, provider, streamed, 0, outcome, problem,
       -- What has no kind, did not fail; the first schema kept none, and these are the likeliest.
       CASE outcome WHEN 'truncated' THEN 'truncated' WHEN 'provider_error' THEN 'unavailable' END,
       usage, price_id, reserved, cost, started_at, first_token_at, ended_at, NULL, NULL,
       iif(json_valid(CAST(request AS TEXT)),
           CAST(json_remove(CAST(request AS TEXT), '$.new') AS BLOB), request),
       (SELECT metadata FROM conversation c
        WHERE c.id = conversation_id AND outcome IS NULL AND message_count = 0 AND title IS NULL
            AND NOT c.listed),
       iif(outcome IS NULL AND json_valid(CAST(request AS TEXT)),
           CAST(json_extract(CAST(request AS TEXT), '$.new') AS BLOB), NULL)
FROM turn;

DROP TABLE turn;
ALTER TABLE new_turn RENAME TO turn;

CREATE INDEX turn_open ON turn (conversation_id) WHERE outcome IS NULL;
CREATE UNIQUE INDEX turn_by_key ON turn (account_id, key_digest) WHERE key_digest IS NOT NULL;

DROP TABLE idempotency;

-- A conversation is stored with its first message; those that still wait for it are their turns'.
DELETE FROM branch WHERE head_id IS NULL AND conversation_id IN (
    SELECT id FROM conversation WHERE message_count = 0 AND title IS NULL AND NOT listed);
DELETE FROM conversation WHERE message_count = 0 AND title IS NULL AND NOT listed;

CREATE TABLE new_message (
    id              TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    parent_id       TEXT,
    depth           INTEGER NOT NULL,       -- 1 at a root
    role            TEXT NOT NULL,
    body            TEXT NOT NULL,          -- canonical JSON; '{}' once deleted
    hash            BLOB NOT NULL,          -- over version, role, content, parents' hashes
    turn_id         TEXT,
    tokens          INTEGER,
    created_at      INTEGER NOT NULL,
    answered        INTEGER NOT NULL,       -- it, or one before it, was said here, not told to us
    deleted_at      INTEGER
) STRICT;

INSERT INTO new_message SELECT * FROM message ORDER BY id;
DROP TABLE message;                         -- and message_by_conversation, which nothing read
ALTER TABLE new_message RENAME TO message;

CREATE INDEX message_by_hash ON message (account_id, hash);

CREATE TABLE new_branch (
    id               TEXT NOT NULL,
    conversation_id  TEXT NOT NULL,
    name             TEXT NOT NULL,
    head_id          TEXT,
    parent_branch_id TEXT,
    forked_from_id   TEXT,
    is_main          INTEGER NOT NULL DEFAULT 0,
    active           INTEGER NOT NULL DEFAULT 1,
    context_mode     TEXT NOT NULL DEFAULT 'FULL',
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    deleted_at       INTEGER,
    PRIMARY KEY (conversation_id, id)       -- all of a conversation's lie together
) STRICT, WITHOUT ROWID;

INSERT INTO new_branch SELECT * FROM branch;
DROP TABLE branch;
ALTER TABLE new_branch RENAME TO branch;

CREATE TABLE new_attempt (
    turn_id    TEXT NOT NULL,
    number     INTEGER NOT NULL,
    provider   TEXT NOT NULL,
    model      TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    problem    TEXT,
    PRIMARY KEY (turn_id, number)
) STRICT, WITHOUT ROWID;

INSERT INTO new_attempt SELECT * FROM attempt;
DROP TABLE attempt;
ALTER TABLE new_attempt RENAME TO attempt;

-- A settled turn's journal, folded.
CREATE TABLE new_replay (
    turn_id    TEXT PRIMARY KEY,
    deltas     BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

INSERT INTO new_replay SELECT * FROM replay ORDER BY turn_id;
DROP TABLE replay;
ALTER TABLE new_replay RENAME TO replay;

CREATE INDEX replay_by_end ON replay (expires_at);

-- Its rows are in the order of turns, and say what became of one that nobody read. (The check of
-- `kind` is spelled out: an IN would build a table of its own for each row.)
CREATE TABLE new_ledger (
    turn_id           TEXT NOT NULL,
    kind              TEXT NOT NULL
                      CHECK (kind = 'reserve' OR kind = 'settle' OR kind = 'release'),
    account_id        TEXT NOT NULL,
    key_id            TEXT NOT NULL,
    end_user          TEXT,
    amount            INTEGER NOT NULL,
    price_id          INTEGER,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    unread            TEXT NOT NULL DEFAULT 'cancel',
    estimated         INTEGER NOT NULL DEFAULT 0,  -- nobody counted: a guess, or nobody knows
    created_at        INTEGER NOT NULL,
    PRIMARY KEY (turn_id, kind)             -- settled once, whatever happens
) STRICT, WITHOUT ROWID;

INSERT INTO new_ledger
SELECT turn_id, kind, account_id, key_id, end_user, amount, price_id, prompt_tokens,
       completion_tokens, 'cancel', estimated, created_at
FROM ledger;
DROP TABLE ledger;                          -- its triggers go with it
ALTER TABLE new_ledger RENAME TO ledger;

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
