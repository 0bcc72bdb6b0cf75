"""The user's own folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def config_folder() -> Path:
    """Where the user's configuration lies; the same for clients and server."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home()) / "chatloom"
    told = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    # The XDG rules ignore a relative one; it would be found in the current folder.
    return (told if told.is_absolute() else Path.home() / ".config") / "chatloom"
