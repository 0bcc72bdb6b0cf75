"""A user of Infinity Assistant who has set up nothing."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who has set up nothing."""
    for service in ("INFINITY_ASSISTANT", "CHATLOOM"):
        for name in ("API_KEY", "BASE_URL", "TIMEOUT", "MAX_RETRIES", "LOG", "CONFIG"):
            monkeypatch.delenv(f"{service}_{name}", raising=False)
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
