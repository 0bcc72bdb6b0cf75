-- People, and what renews their sessions. A session is an API key that nobody ever sees: its access
-- tokens descend from it, so that all of them end with it.

CREATE TABLE person (
    id         TEXT PRIMARY KEY,
    account_id TEXT NOT NULL UNIQUE REFERENCES account (id),
    login      TEXT NOT NULL,               -- as names are compared
    dev        INTEGER NOT NULL,            -- made by --dev, unknown without it
    email      TEXT,
    name       TEXT,
    password   TEXT NOT NULL,               -- Argon2id, with its parameters and its salt
    created_at INTEGER NOT NULL,
    UNIQUE (login, dev)
) STRICT, WITHOUT ROWID;

CREATE TABLE refresh_token (
    digest     BLOB PRIMARY KEY,            -- SHA-256
    session_id TEXT NOT NULL REFERENCES api_key (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER                      -- kept until it expires, to know it when it comes again
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_token_by_session ON refresh_token (session_id);
CREATE INDEX refresh_token_by_end ON refresh_token (expires_at);
