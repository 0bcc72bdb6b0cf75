-- Webhooks, what they are told, and what became of it.

CREATE TABLE webhook (
    id                TEXT PRIMARY KEY,
    account_id        TEXT NOT NULL REFERENCES account (id),
    end_user          TEXT,
    organization      TEXT,
    key_id            TEXT REFERENCES api_key (id),
    url               TEXT NOT NULL,
    events            TEXT NOT NULL,   -- JSON: names and patterns
    description       TEXT NOT NULL,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    disabled_at       INTEGER,
    disabled_because  TEXT CHECK (disabled_because IN ('owner', 'gone', 'failing', 'key')),
    last_triggered_at INTEGER,
    last_delivered_at INTEGER,
    failures          INTEGER NOT NULL DEFAULT 0,
    removed_at        INTEGER,         -- then it is gone for everybody, and its log follows
    CHECK ((disabled_at IS NULL) = (disabled_because IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_of_account ON webhook (account_id) WHERE removed_at IS NULL;

CREATE VIEW webhook_seen AS
SELECT id, account_id, end_user, organization, key_id, url, events, description, created_at,
       updated_at, disabled_at, disabled_because, last_triggered_at, last_delivered_at, failures
FROM webhook WHERE removed_at IS NULL;

-- HMAC wants the secret itself: whoever reads the file may sign in its name.
CREATE TABLE webhook_secret (
    webhook_id TEXT NOT NULL REFERENCES webhook (id),
    value      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (webhook_id, value)
) STRICT, WITHOUT ROWID;

-- The outbox: what happened, where somebody wanted to be told.
CREATE TABLE event (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    account_id      TEXT NOT NULL,
    type            TEXT NOT NULL,
    conversation_id TEXT,
    message_id      TEXT,              -- whose words it tells
    created_at      INTEGER NOT NULL,
    body            TEXT NOT NULL      -- as it is delivered
) STRICT;

CREATE INDEX event_of_message ON event (conversation_id, message_id) WHERE message_id IS NOT NULL;

CREATE TABLE delivery (
    webhook_id TEXT NOT NULL REFERENCES webhook (id),
    event      INTEGER NOT NULL REFERENCES event (number),
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'missed')),
    lane       TEXT,                   -- the conversation, whose order it keeps; NULL for none
    next_at    INTEGER,                -- NULL while it waits behind another of its lane
    attempts   INTEGER NOT NULL DEFAULT 0,
    tries      INTEGER NOT NULL DEFAULT 0,  -- since it came, or was last replayed
    first_at   INTEGER,                -- when the first of these was
    PRIMARY KEY (webhook_id, event),
    CHECK (next_at IS NULL OR state = 'waiting')
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_due ON delivery (webhook_id, next_at, event) WHERE next_at IS NOT NULL;
CREATE INDEX delivery_in_lane ON delivery (webhook_id, lane, event) WHERE state = 'waiting';
CREATE INDEX delivery_in_state ON delivery (webhook_id, state, event);
CREATE INDEX delivery_of_event ON delivery (event);

CREATE VIEW delivery_told AS
SELECT d.event, d.webhook_id, e.id AS event_id, e.type, e.conversation_id, d.state, e.created_at,
       d.next_at
FROM delivery d JOIN event e ON e.number = d.event;

CREATE TABLE delivery_attempt (
    webhook_id TEXT NOT NULL,
    event      INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    status     INTEGER,
    problem    TEXT,
    response   TEXT,
    PRIMARY KEY (webhook_id, event, number)
) STRICT, WITHOUT ROWID;
