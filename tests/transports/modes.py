"""Every transport, driven as its clients drive it.

A transport joins the suite by its line in `MODES`. What it cannot do by its
nature is left out of what it `can`, with the reason beside it; the tests that
need it are then not run with it.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from unittest import mock
from uuid import uuid4

import httpx
import httpx2

from chatloom.core.http import Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.outside import Guarded, Outside
from chatloom.transports.aio import AioTransport
from chatloom.transports.blocking import BlockingTransport
from chatloom.transports.httpx import httpx_transport
from transports.taped import Taped

T = TypeVar("T")


class Can(Enum):
    """What a test may need of a transport, and not each of them can do."""

    REACH_THE_NETWORK = "it sends over a socket of its own"
    OBEY_THE_ENVIRONMENT = "it heeds `http_proxy`, `no_proxy` and `SSL_CERT_FILE`"
    REFUSE_PROXIES = "it reads the environment itself, and so can say what is wrong with it"
    TIME_A_DRIPPING_HEAD = "its deadline holds before the answer's head is whole"
    TELL_ANSWERS_APART = "bytes that nobody asked for are not the next answer"
    READ_IN_BLOCKS = "it hands over what has arrived, and not each chunk by itself"
    CHANGE_LOOPS = "it may be used from one event loop after another, and left behind by each"
    END_WITHIN_A_STREAM = "a program may end with a stream half read, and says nothing of it"
    GO_THROUGH_A_FORK = "a child may use what its parent has used"


class Opens:
    """How a transport comes about; in a test, and in a program of its own."""

    program: str
    """Defines `outside`, with the address in `sys.argv[1]`, and `run`."""

    def __call__(
        self, url: str, environment: Mapping[str, str], context: ssl.SSLContext | None
    ) -> Outside:
        raise NotImplementedError


class Ours(Opens):
    """One of our own transports."""

    def __init__(self, transport: type[BlockingTransport | AioTransport], run: str) -> None:
        self._transport = transport
        self.program = f"""
from {transport.__module__} import {transport.__name__}
from {run} as run
outside = {transport.__name__}(sys.argv[1], environment={{}})
"""

    def __call__(
        self, url: str, environment: Mapping[str, str], context: ssl.SSLContext | None
    ) -> Outside:
        return self._transport(url, environment=environment, ssl_context=context)


class OnTape(Opens):
    """One of our own transports, recorded; as it is closed, it is played again."""

    _folder = TemporaryDirectory()

    def __init__(self, opens: Ours) -> None:
        self._opens = opens
        self.program = f"""{opens.program}
from chatloom.transports.recorded import Cassette, recorded
outside = recorded(outside, Cassette({self._folder.name!r} + f"/{{os.getpid()}}.json"))
"""

    def __call__(
        self, url: str, environment: Mapping[str, str], context: ssl.SSLContext | None
    ) -> Outside:
        path = Path(self._folder.name, f"{uuid4()}.json")
        return Taped(self._opens(url, environment, context), path)


Theirs = httpx.Client | httpx.AsyncClient | httpx2.Client | httpx2.AsyncClient


class HandedIn(Opens):
    """A client of the user's."""

    def __init__(self, client: type[Theirs], run: str) -> None:
        self._client = client
        self._is_blocking = client in (httpx.Client, httpx2.Client)
        self.program = f"""
import {client.__module__}
from chatloom.transports.httpx import httpx_transport
from {run} as run
client = {client.__module__}.{client.__name__}(trust_env=False, verify=False)
outside = httpx_transport(client, sys.argv[1], blocking={self._is_blocking})
# It is its owner's to close; Python tells of it where it is asked to.
import warnings
warnings.simplefilter("ignore", ResourceWarning)
"""

    def __call__(
        self, url: str, environment: Mapping[str, str], context: ssl.SSLContext | None
    ) -> Outside:
        # Loading all the authorities there are takes longer than most tests.
        verify = context or url.startswith("https:")
        with mock.patch.dict(os.environ, {**_without_proxies(), **environment}, clear=True):
            client = self._client(verify=verify, follow_redirects=True)
        return Handed(client, httpx_transport(client, url, blocking=self._is_blocking))


class Handed(Guarded):
    """An outside world, and the client that its owner closes with it."""

    def __init__(self, client: Theirs, outside: Outside) -> None:
        super().__init__(_pass_on, outside)
        self._client = client
        self._outside = outside
        self.close = self._close_both

    async def _close_both(self) -> None:
        await self._outside.close()
        if isinstance(self._client, httpx.Client | httpx2.Client):
            self._client.close()
        else:
            await self._client.aclose()


async def _pass_on(request: Request, outside: Outside) -> Response:
    return await outside.send(request)


def _without_proxies() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name[-6:].lower() != "_proxy"}


@dataclass(frozen=True, repr=False)
class Mode:
    """One of the transports, and how its coroutines are run to their end."""

    name: str
    opens: Opens
    is_blocking: bool
    can: frozenset[Can] = frozenset(Can)

    def __repr__(self) -> str:
        return self.name

    def make(
        self,
        url: str,
        environment: Mapping[str, str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> Outside:
        return self.opens(url, environment or {}, ssl_context)

    def run(self, work: Coroutine[object, None, T]) -> T:
        return run_inline(work) if self.is_blocking else asyncio.run(work)

    def use(self, outside: Outside, work: Callable[[Outside], Coroutine[object, None, T]]) -> T:
        """Do *work* with *outside*, and close it."""

        async def whole() -> T:
            try:
                return await work(outside)
            finally:
                await outside.close()

        return self.run(whole())

    def ask(self, outside: str | Outside, *requests: Request) -> Response:
        """Send *requests* one after the other; give the last answer, its body read."""
        if isinstance(outside, str):
            outside = self.make(outside)

        async def talk(outside: Outside) -> Response:
            for request in requests[:-1]:
                await (await outside.send(request)).read()
            response = await outside.send(requests[-1])
            await response.read()
            return response

        return self.use(outside, talk)


_INLINE = "chatloom.core.inline import run_inline"
_LOOP = "asyncio import run"

_THEIRS = frozenset(Can) - {
    # Their owner makes them, and meets what is wrong with the environment then.
    Can.REFUSE_PROXIES,
    # httpcore hands h11's buffer on to the next answer.
    Can.TELL_ANSWERS_APART,
    # h11 makes an event of each chunk.
    Can.READ_IN_BLOCKS,
    # The connections that httpcore keeps would be shared between parent and child.
    Can.GO_THROUGH_A_FORK,
}
# httpcore's limits are for each read, and the connection is not known before the head is.
_THEIRS_BLOCKING = _THEIRS - {Can.TIME_A_DRIPPING_HEAD}
# The connections that httpcore keeps belong to the loop that opened them.
_THEIRS_ASYNC = _THEIRS - {Can.CHANGE_LOOPS}
# httpcore2 closes generators within each other while asyncio, at the end of a loop, closes each.
_HTTPX2_ASYNC = _THEIRS_ASYNC - {Can.END_WITHIN_A_STREAM}

_BLOCKING = Ours(BlockingTransport, _INLINE)
_AIO = Ours(AioTransport, _LOOP)

MODES = (
    Mode("blocking", _BLOCKING, is_blocking=True),
    Mode("aio", _AIO, is_blocking=False),
    Mode("recorded-blocking", OnTape(_BLOCKING), is_blocking=True),
    Mode("recorded-aio", OnTape(_AIO), is_blocking=False),
    Mode("httpx", HandedIn(httpx.Client, _INLINE), True, _THEIRS_BLOCKING),
    Mode("httpx-async", HandedIn(httpx.AsyncClient, _LOOP), False, _THEIRS_ASYNC),
    Mode("httpx2", HandedIn(httpx2.Client, _INLINE), True, _THEIRS_BLOCKING),
    Mode("httpx2-async", HandedIn(httpx2.AsyncClient, _LOOP), False, _HTTPX2_ASYNC),
)
