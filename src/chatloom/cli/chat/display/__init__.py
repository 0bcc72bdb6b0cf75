"""Answers on the terminal: Markdown that is shown while it is written."""
