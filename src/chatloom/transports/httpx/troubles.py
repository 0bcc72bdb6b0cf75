"""What httpx calls the things that go wrong, in our words."""

from __future__ import annotations

import socket
from typing import cast

from chatloom.core.errors import TransportError
from chatloom.transports.failures import (
    OVERDUE,
    Garbled,
    lost,
    no_connection_in_time,
    reason_of,
    silence,
    timed_out,
    unreachable,
    unresolved,
)
from chatloom.transports.httpx.clients import Library
from chatloom.transports.httpx.course import Course


def failures(library: Library) -> tuple[type[Exception], ...]:
    """What a client of *library* may raise for what is not the caller's fault."""
    return (library.RequestError, OSError, Garbled)


def died_idle(library: Library, course: Course, error: Exception) -> bool:
    """Whether a kept connection proved dead, and the request may be sent once more."""
    if not (course.was_kept and course.request.is_idempotent):
        return False
    if isinstance(error, library.ProtocolError):
        return "disconnected" in str(error)
    return not isinstance(error, (library.TimeoutException, library.ConnectError))


def translated(library: Library, course: Course, error: Exception) -> TransportError:
    """Say what *error* is about, and nothing that was sent."""
    request = course.request
    if course.is_overdue():
        return timed_out(request, OVERDUE)
    if isinstance(error, (library.ConnectTimeout, library.PoolTimeout)):
        return no_connection_in_time(request, course.place)
    if isinstance(error, (library.TimeoutException, TimeoutError)):
        return timed_out(request, silence(request.timeouts.idle))
    if isinstance(error, library.ConnectError):
        return unreachable(request, course.place, _root_of(error))
    if isinstance(error, library.ProxyError):
        status = str(error).partition(" ")[0]
        reason = Garbled(f"it refused to pass the connection on ({status})")
        return unreachable(request, course.place, reason)
    if isinstance(error, library.ProtocolError):
        return lost(request, _misunderstood(str(error)))
    return lost(request, reason_of(_root_of(error)))


def _misunderstood(told: str) -> str:
    # What h11 tells may repeat what the server said; of that, only the kind is told.
    if "disconnected" in told:
        return "the server closed the connection without an answer"
    if "closed" in told:
        return "the connection closed before the end of the body"
    return "the answer is not HTTP"


def _root_of(error: Exception) -> Exception:
    """Find the system's own error beneath those of httpx, httpcore and anyio."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, OSError):
        found = found.__cause__ or found.__context__
    if found is None:
        return error
    while found.errno is None and (beneath := _cause_of(found)) is not None:
        found = beneath
    return unresolved(found) if isinstance(found, socket.gaierror) else found


def _cause_of(error: OSError) -> OSError | None:
    """What anyio names as the cause, or one of several."""
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        several = cast("BaseExceptionGroup[BaseException]", cause)
        cause = several.exceptions[-1]
    return cause if isinstance(cause, OSError) else None
