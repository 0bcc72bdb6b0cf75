-- Who may not log in any more is still known.

ALTER TABLE person ADD COLUMN disabled_at INTEGER;
