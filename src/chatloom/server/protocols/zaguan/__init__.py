"""Zaguan: what it has beside the completions and models that it shares with ChatServer."""
