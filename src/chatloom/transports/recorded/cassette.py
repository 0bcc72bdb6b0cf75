"""A file of what went over the wire, and what is done with it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias

from chatloom.core.errors import SettingsError
from chatloom.transports.recorded.recording import Recording
from chatloom.transports.recorded.replay import Match, Replay
from chatloom.transports.recorded.secrets import Secrets
from chatloom.transports.recorded.tape import read

Mode: TypeAlias = Literal["auto", "record", "replay"]


class Cassette:
    """A file of exchanges, for any number of clients, threads and event loops at once.

    *mode* ``auto`` replays where the file exists, and records where it does not.
    *match* ``strict`` wants the same requests in the same order; ``lenient`` takes
    them in any order, as often as they come, and answers with what is nearest.

    Secrets are taken out before anything is written: credentials, wherever they
    occur, and all that fields and parameters hold that are named like one. *secrets*
    names further ones, as texts or patterns. Of an answer's headers only those
    are kept that clients go by, and the *headers* named here.

    Raises `SettingsError` where there is no file to replay, or a damaged one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        mode: Mode = "auto",
        match: Match = "strict",
        *,
        secrets: Iterable[str | re.Pattern[str]] = (),
        headers: Iterable[str] = (),
    ) -> None:
        if mode not in {"auto", "record", "replay"}:
            raise SettingsError(f"mode must be auto, record or replay, not {mode!r}")
        if match not in {"strict", "lenient"}:
            raise SettingsError(f"match must be strict or lenient, not {match!r}")
        self.path = Path(os.path.realpath(path))
        self.tape: Recording | Replay
        """What a transport records with, or plays from."""
        if mode == "replay" or (mode == "auto" and self.path.exists()):
            self.tape = Replay(self.path, read(self.path), match, Secrets(secrets))
        else:
            names = (name.lower() for name in headers)
            self.tape = Recording(self.path, Secrets(secrets), names)

    @property
    def is_replaying(self) -> bool:
        """Whether answers come from the file."""
        return isinstance(self.tape, Replay)

    @property
    def unused(self) -> list[str]:
        """Method and path of what was recorded and nobody has asked for, in order."""
        return self.tape.unused() if isinstance(self.tape, Replay) else []

    def __repr__(self) -> str:
        return f"<Cassette {self.path.name}, {'replaying' if self.is_replaying else 'recording'}>"
