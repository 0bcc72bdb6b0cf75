"""Names to addresses, in threads of its own.

Whoever names a host may own the name server that keeps it waiting. A look-up
cannot be taken back, so those of strangers' names have a few threads to
themselves: the loop's own threads also look up providers, and read the store.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from chatloom.server.egress.failures import EgressFailed

Resolve: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""Give the addresses of a name: none, where it has none."""

THREADS = 4


class Resolver:
    """The system's own, asked anew each time.

    Whoever asks for a name that is being looked up waits for the same answer, so that a name
    whose server is silent keeps one thread, however many ask.
    """

    def __init__(self, threads: int = THREADS) -> None:
        self._threads = ThreadPoolExecutor(threads, "chatloom-egress-names")
        self._asked: dict[str, asyncio.Future[list[str]]] = {}

    async def __call__(self, name: str) -> Sequence[str]:
        """Look *name* up; raises `EgressFailed` where it is not known whether it has addresses."""
        try:
            return await asyncio.shield(self._asked.get(name) or self._ask(name))
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise EgressFailed("unresolved") from error
            return ()
        except (OSError, UnicodeError):
            return ()

    def _ask(self, name: str) -> asyncio.Future[list[str]]:
        loop = asyncio.get_running_loop()
        asked = self._asked[name] = loop.run_in_executor(self._threads, _addresses, name)
        asked.add_done_callback(lambda _: self._answered(name, asked))
        return asked

    def _answered(self, name: str, asked: asyncio.Future[list[str]]) -> None:
        self._asked.pop(name, None)
        if not asked.cancelled():
            asked.exception()  # so that asyncio does not log one that nobody waits for any longer

    def close(self) -> None:
        """Wait for nothing; look-ups on their way end by themselves."""
        self._threads.shutdown(wait=False)


def _addresses(name: str) -> list[str]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]
