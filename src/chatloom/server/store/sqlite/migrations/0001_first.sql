-- Times are milliseconds since 1970, money is integers of pico-dollars, ids are UUIDv7 as text.

CREATE TABLE account (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    dev        INTEGER NOT NULL DEFAULT 0,  -- made by --dev, refused without it
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
    id           TEXT PRIMARY KEY,
    account_id   TEXT NOT NULL REFERENCES account (id),
    parent_id    TEXT REFERENCES api_key (id),
    name         TEXT NOT NULL,
    scopes       TEXT NOT NULL,             -- a JSON list
    models       TEXT,                      -- a JSON list of patterns; NULL for all
    limits       TEXT NOT NULL DEFAULT '{}',
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX api_key_by_account ON api_key (account_id);

-- Rotation gives a key a second secret for a while; id and links stay.
CREATE TABLE api_secret (
    digest     BLOB PRIMARY KEY,            -- SHA-256 of the whole key
    key_id     TEXT NOT NULL REFERENCES api_key (id),
    hint       TEXT NOT NULL,               -- how it begins, to be told apart
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX api_secret_by_key ON api_secret (key_id);

CREATE TABLE conversation (
    id              TEXT PRIMARY KEY,
    account_id      TEXT NOT NULL REFERENCES account (id),
    end_user        TEXT,
    listed          INTEGER NOT NULL DEFAULT 0,
    title           TEXT,
    model           TEXT,
    metadata        TEXT NOT NULL DEFAULT '{}',
    message_count   INTEGER NOT NULL DEFAULT 0,
    tokens_in       INTEGER NOT NULL DEFAULT 0,
    tokens_out      INTEGER NOT NULL DEFAULT 0,
    cost            INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    last_message_at INTEGER,
    archived        INTEGER NOT NULL DEFAULT 0,
    deleted_at      INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX conversation_listed ON conversation (account_id, end_user, last_message_at)
    WHERE listed AND deleted_at IS NULL;

CREATE TABLE message (
    id              TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL REFERENCES conversation (id),
    account_id      TEXT NOT NULL,
    parent_id       TEXT REFERENCES message (id),
    depth           INTEGER NOT NULL,       -- 1 at a root
    role            TEXT NOT NULL,
    body            TEXT NOT NULL,          -- canonical JSON; '{}' once deleted
    hash            BLOB NOT NULL,          -- over version, role, content, parents' hashes
    turn_id         TEXT,
    tokens          INTEGER,
    created_at      INTEGER NOT NULL,
    answered        INTEGER NOT NULL,       -- it, or one before it, was said here, not told to us
    deleted_at      INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX message_by_hash ON message (account_id, hash);
CREATE INDEX message_by_conversation ON message (conversation_id, id);

-- A merge node's second parent, and in order the messages it brings in.
CREATE TABLE merge (
    message_id TEXT NOT NULL REFERENCES message (id),
    position   INTEGER NOT NULL,            -- 0 is the second parent
    other_id   TEXT NOT NULL REFERENCES message (id),
    PRIMARY KEY (message_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE branch (
    id               TEXT PRIMARY KEY,
    conversation_id  TEXT NOT NULL REFERENCES conversation (id),
    name             TEXT NOT NULL,
    head_id          TEXT REFERENCES message (id),
    parent_branch_id TEXT REFERENCES branch (id),
    forked_from_id   TEXT REFERENCES message (id),
    is_main          INTEGER NOT NULL DEFAULT 0,
    active           INTEGER NOT NULL DEFAULT 1,
    context_mode     TEXT NOT NULL DEFAULT 'FULL',
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    deleted_at       INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX branch_by_conversation ON branch (conversation_id);
CREATE INDEX branch_by_head ON branch (head_id) WHERE deleted_at IS NULL;

CREATE TABLE price (
    id         INTEGER PRIMARY KEY,
    model      TEXT NOT NULL,
    prompt     INTEGER NOT NULL,            -- pico-dollars a token
    completion INTEGER NOT NULL,
    cached     INTEGER,
    valid_from INTEGER NOT NULL
) STRICT;

CREATE INDEX price_by_model ON price (model, id);

CREATE TABLE turn (
    id                TEXT PRIMARY KEY,
    account_id        TEXT NOT NULL REFERENCES account (id),
    key_id            TEXT NOT NULL REFERENCES api_key (id),
    end_user          TEXT,
    conversation_id   TEXT NOT NULL,        -- no reference: an empty one goes with its failed turn
    branch_id         TEXT,
    parent_id         TEXT,
    message_id        TEXT,                 -- the answer, once settled
    protocol          TEXT NOT NULL,
    model             TEXT NOT NULL,        -- as asked for
    served_model      TEXT,
    provider          TEXT NOT NULL,
    streamed          INTEGER NOT NULL,
    request           BLOB NOT NULL,        -- JSON: the new messages, parameters, and the rest
    outcome           TEXT,                 -- NULL while it runs
    problem           TEXT,
    usage             BLOB,
    price_id          INTEGER REFERENCES price (id),
    reserved          INTEGER NOT NULL,
    cost              INTEGER,
    started_at        INTEGER NOT NULL,
    first_token_at    INTEGER,
    ended_at          INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX turn_open ON turn (conversation_id) WHERE outcome IS NULL;

CREATE TABLE attempt (
    turn_id    TEXT NOT NULL REFERENCES turn (id),
    number     INTEGER NOT NULL,
    provider   TEXT NOT NULL,
    model      TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    problem    TEXT,
    PRIMARY KEY (turn_id, number)
) STRICT, WITHOUT ROWID;

-- What was said while a turn grew: deltas as a JSON list, up to and with number `last`.
CREATE TABLE journal (
    turn_id TEXT NOT NULL,
    last    INTEGER NOT NULL,
    deltas  BLOB NOT NULL,
    PRIMARY KEY (turn_id, last)
) STRICT, WITHOUT ROWID;

-- A settled turn's journal, folded.
CREATE TABLE replay (
    turn_id    TEXT PRIMARY KEY REFERENCES turn (id),
    deltas     BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    account_id TEXT NOT NULL,
    key_digest BLOB NOT NULL,
    body_digest BLOB NOT NULL,
    turn_id    TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, key_digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    id                INTEGER PRIMARY KEY,
    kind              TEXT NOT NULL CHECK (kind IN ('reserve', 'settle', 'release')),
    turn_id           TEXT NOT NULL REFERENCES turn (id),
    account_id        TEXT NOT NULL,
    key_id            TEXT NOT NULL,
    end_user          TEXT,
    amount            INTEGER NOT NULL,
    price_id          INTEGER REFERENCES price (id),
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    estimated         INTEGER NOT NULL DEFAULT 0,  -- nobody counted: the figures are a guess
    created_at        INTEGER NOT NULL,
    UNIQUE (turn_id, kind)                  -- settled once, whatever happens
) STRICT;

CREATE TRIGGER ledger_is_append_only BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_is_kept BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

-- What the ledger sums to, kept in the same transaction. `scope` is account, key or end_user.
CREATE TABLE balance (
    scope    TEXT NOT NULL,
    subject  TEXT NOT NULL,
    reserved INTEGER NOT NULL DEFAULT 0,
    spent    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    account_id  TEXT,
    actor       TEXT NOT NULL,
    action      TEXT NOT NULL,
    resource    TEXT NOT NULL,
    resource_id TEXT,
    detail      TEXT NOT NULL DEFAULT '{}',
    hash        BLOB NOT NULL               -- over this entry and its predecessor's hash
) STRICT;

CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
