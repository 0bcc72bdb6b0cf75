"""Everything the database knows of one turn."""

from chatloom.server.store.sqlite.explain.naming import NothingNamedSo
from chatloom.server.store.sqlite.explain.turn import explain_file

__all__ = ["NothingNamedSo", "explain_file"]
