"""Conversations, branches, messages and turns: no protocol, no HTTP, no SQL."""
