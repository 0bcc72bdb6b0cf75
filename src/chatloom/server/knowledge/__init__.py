"""What accounts know: read, split into passages, found by its words. Speaks no protocol, no SQL."""
