"""Everything in one SQLite file: WAL, one writer thread with group commit, readers beside it."""

from chatloom.server.store.sqlite.check import check_file
from chatloom.server.store.sqlite.store import SQLiteStore

__all__ = ["SQLiteStore", "check_file"]
