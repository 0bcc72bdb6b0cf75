"""Request in, domain command, answer out: one file a protocol."""
