"""Trees kept by SQLite."""

from __future__ import annotations

from chatloom.server.store.sqlite.branches import Branches
from chatloom.server.store.sqlite.changes import Changes
from chatloom.server.store.sqlite.checkpoints import Checkpoints
from chatloom.server.store.sqlite.paths import Paths
from chatloom.server.store.sqlite.words import Words


class Trees(Branches, Paths, Changes, Checkpoints, Words):
    """Keeps trees, and finds what was said in them."""
