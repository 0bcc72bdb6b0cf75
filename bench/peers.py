"""Who is there to be measured, and in which Python.

Not all peers can live in one environment: litellm wants an older openai and an older
rich. So each may come from a Python of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from bench.processes import Failed

_VERSION = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"


class Homes(msgspec.Struct, frozen=True):
    """Where the peers live: their names, and Pythons."""

    elsewhere: Mapping[str, Path] = {}
    left_out: frozenset[str] = frozenset()

    def python(self, name: str) -> Path:
        """The Python of the candidate *name*; ``litellm`` speaks for ``litellm proxy`` too."""
        return self.elsewhere.get(_family(name), Path(sys.executable))

    def absence(self, name: str, needs: str | None, *, is_found: bool = True) -> str | None:
        """Why the candidate *name* takes no part; `None` if it does."""
        if not self.left_out.isdisjoint({name, _family(name)}):
            return "left out"
        if not is_found or (needs is not None and self.version(name, needs) is None):
            return "not installed"
        return None

    def version(self, name: str, distribution: str) -> str | None:
        """The version of a distribution where *name* lives; `None` for an absent one."""
        elsewhere = self.elsewhere.get(_family(name))
        if elsewhere is None:
            return _version_here(distribution)
        done = subprocess.run(
            [str(elsewhere), "-c", _VERSION, distribution],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else None


def _version_here(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _family(name: str) -> str:
    return name.partition(" ")[0]


def homes(elsewhere: list[str], left_out: list[str]) -> Homes:
    """Read ``NAME=PYTHON`` and names. Raises `Failed`."""
    found: dict[str, Path] = {}
    for told in elsewhere:
        name, _, python = told.partition("=")
        if not Path(python).is_file():
            raise Failed(f"--with {told}: that is not NAME=PYTHON, or the Python is not there")
        # Not resolved: a link is what makes it the Python of a virtual environment.
        found[name] = Path(python).absolute()
    return Homes(found, frozenset(left_out))
