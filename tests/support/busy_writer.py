"""Writes turns until it is killed, and prints the id of each once it is acknowledged.

Run as ``python busy_writer.py DATABASE``.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from chatloom.server.store.sqlite import SQLiteStore
from support.books import Books, answered, books


async def write(own: Books) -> None:
    """Take turn after turn, each with a piece of journal before its end."""
    while True:
        opening = own.opening()
        await own.store.open_turn(opening)
        await own.store.append(opening.turn_id, 1, b"[]")
        await own.store.settle(answered(opening))
        sys.stdout.write(opening.turn_id + "\n")
        sys.stdout.flush()


async def main() -> None:
    """Write from several tasks at once."""
    own = await books(SQLiteStore(Path(sys.argv[1])))
    await asyncio.gather(*(write(own) for _ in range(8)))


asyncio.run(main())
