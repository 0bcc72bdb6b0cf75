"""What `make demo` shows comes about, and fits a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"


@pytest.mark.parametrize("columns", [80, 120])
def test_the_demo_runs(columns: int) -> None:
    terminal = {"COLUMNS": str(columns), "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    shown = subprocess.run(
        [sys.executable, str(DEMO)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **terminal},
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    for told in (
        "ChatServerClient, streamed",
        "ZaguanClient goes on",
        "ChatRoutes forks the same talk, and merges",
        "citations, each word for word in its source",
        "river_length answered: 1,006 km",
        "StreamInterruptedError (truncated)",
        "A webhook was told of all that",
        "pico-dollars",
        "all is well",
    ):
        assert told in " ".join(shown.stdout.split())
    own, _, _ = shown.stdout.partition("\n2 branches")  # the tree knows of no terminal in a pipe
    assert max(map(len, own.splitlines())) <= columns
