"""Puter's protocol: one address for all drivers, and people with tokens."""
