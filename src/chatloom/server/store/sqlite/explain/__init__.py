"""Everything the database knows of one turn."""

from chatloom.server.store.sqlite.explain.turn import NoSuchTurn, explain_file

__all__ = ["NoSuchTurn", "explain_file"]
