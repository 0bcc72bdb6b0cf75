"""``chatloom chat`` on a pseudo-terminal, with somebody who reads and types."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from support.live import environment

_ESCAPES = re.compile(r"\x1b(\[[?0-9;]*[A-Za-z]|\][^\x07]*\x07|[()=>].?)")
_DRAWING = "\x1b[?2026h"
_PATIENCE = 30.0


class Pseudo:
    """Types, and waits for what must come."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._is_open = True
        self.raw = ""
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "chatloom", "chat", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=folder,
            env=environment(folder, {"TERM": "xterm-256color", **variables}),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C is one
        )
        os.close(theirs)

    @property
    def text(self) -> str:
        """All that came, without colours and movements."""
        return _ESCAPES.sub("", self.raw)

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def hang_up(self) -> int:
        """Close the terminal, as its window does; return the exit code."""
        os.close(self._ours)
        self._is_open = False
        return self._process.wait(timeout=_PATIENCE)

    def wait_for(self, words: str, *, times: int = 1) -> None:
        """Wait until *words* have come."""
        self._wait(lambda: self.text.count(words) >= times, words)

    def wait_for_drawings(self) -> None:
        """Wait until an answer is being shown; what was typed before is not in the way then."""
        self._wait(lambda: self.raw.count(_DRAWING) > 3, "an answer")

    def _wait(self, has_come: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + _PATIENCE
        while not has_come():
            left = until - time.monotonic()
            assert left > 0, f"{what!r} did not come, but {self.text[-2000:]!r}"
            assert self._read(left), f"it ended without {what!r}: {self.text[-2000:]!r}"

    def end(self) -> int:
        """Read to the end; return the exit code. A traceback fails the test."""
        until = time.monotonic() + _PATIENCE
        while self._read(until - time.monotonic()):
            assert time.monotonic() < until, f"it did not end: {self.text[-2000:]!r}"
        code = self._process.wait(timeout=_PATIENCE)
        assert "Traceback" not in self.text, self.text
        return code

    def leave(self) -> int:
        """Press Ctrl-D until it is heard, which it is at the prompt alone; return the exit code."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            self.type("\x04")
            pause = time.monotonic() + 0.3
            while time.monotonic() < pause:
                if not self._read(pause - time.monotonic()):
                    return self.end()
        raise AssertionError(f"it did not end: {self.text[-2000:]!r}")

    def is_as_found(self) -> bool:
        """Whether the terminal echoes, and shows its cursor."""
        echoes = bool(termios.tcgetattr(self._ours)[3] & termios.ECHO)
        return echoes and self.raw.rfind("\x1b[?25h") >= self.raw.rfind("\x1b[?25l")

    def _read(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], max(0.0, seconds))[0]:
            return True
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # how Linux says that the other side has closed
            piece = b""
        if b"\x1b[6n" in piece:
            self.type("\x1b[1;1R")  # where the cursor is; any terminal answers that
        self.raw += piece.decode(errors="replace")
        return bool(piece)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._is_open:
            os.close(self._ours)
