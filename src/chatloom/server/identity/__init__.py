"""Whose key it is, what it may do, and whether now."""
