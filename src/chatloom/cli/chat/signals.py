"""What others may ask of a program: to stop, or to end."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TypeAlias

_Heeding: TypeAlias = Callable[[int, FrameType | None], object]

_ENDING = [signal.SIGTERM] if sys.platform == "win32" else [signal.SIGTERM, signal.SIGHUP]
_OFFSET = 128
"""What shells add to a signal to make an exit code of it."""


@contextmanager
def ending() -> Generator[None, None, None]:
    """Have SIGTERM and SIGHUP end the program as an exception does, and not where it stands.

    So the terminal is put in order, and a server inside settles its turns.
    """

    def end(number: int, _: FrameType | None) -> NoReturn:
        for one in heeded:
            signal.signal(one, signal.SIG_IGN)  # a terminal that closes may say so twice
        raise SystemExit(_OFFSET + number)

    heeded = _not_ignored()
    with _heeding(end, heeded):
        yield


@contextmanager
def stopping() -> Generator[threading.Event, None, None]:
    """Have signals set the event, instead of interrupting a drawing half-way.

    Ctrl-C has done its work with that; others have their effect behind it.
    """
    stop = threading.Event()
    told: list[int] = []

    def heed(number: int, _: FrameType | None) -> None:
        told.append(number)
        stop.set()

    try:
        with _heeding(heed, [signal.SIGINT, *_not_ignored()]):
            yield stop
    finally:
        for number in told:
            if number != signal.SIGINT:
                signal.raise_signal(number)


def _not_ignored() -> list[signal.Signals]:
    """Those that end it; ``nohup`` wants one to be ignored."""
    return [number for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def _heeding(act: _Heeding, numbers: list[signal.Signals]) -> Generator[None, None, None]:
    before = {number: signal.signal(number, act) for number in numbers}
    try:
        yield
    finally:
        for number, then in before.items():
            signal.signal(number, then)
