"""Whose a file is that is being recorded: two recordings would overwrite each other's."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from chatloom.core.errors import SettingsError

if TYPE_CHECKING:
    from chatloom.transports.recorded.recording import Recording

_latest: WeakValueDictionary[Path, Recording] = WeakValueDictionary()
_claiming = threading.Lock()


def claim(recording: Recording, user: object) -> None:
    """Have *user* write with *recording*, until it leaves or is collected.

    Raises `SettingsError` where another one is at its file, or has been since.
    """
    with _claiming:
        latest = _latest.get(recording.path)
        if latest is not recording:
            if latest is not None and latest.users:
                raise SettingsError(
                    f"the cassette {recording.path} is being recorded already:"
                    " give one Cassette to all clients, or close the other client first"
                )
            if not recording.is_empty:
                raise SettingsError(f"the cassette {recording.path} was recorded anew since")
            _latest[recording.path] = recording
        recording.users.add(user)


def is_latest(recording: Recording) -> bool:
    """Whether nobody else has claimed the file since. Never waits, see `Recording.save`."""
    return _latest.get(recording.path) is recording
