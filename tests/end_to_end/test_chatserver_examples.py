"""Every example of the ChatServer document runs as printed against the dev server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.live import Live

EXAMPLES = Path(__file__).parents[2] / "sdks" / "chatserver" / "examples"

SAYS = {
    "quick_start.py": ["Available models: [", "'claude-3-haiku'", "Assistant: ", "Tokens used: "],
    "context_manager.py": ["."],
    "streaming.py": ["Streaming response:\n", "\nSession fingerprint: 0"],
    "multi_turn.py": ["recursion"],
    "session_history.py": ["\nStream recorded under: 0", "Loaded 4 stored messages"],
    "platform_administration.py": ["Total users: ", "Total requests: ", "Platform admins: "],
    "error_handling.py": ["Bad request: model: ", "Status code: 400"],
}


def test_every_example_is_here() -> None:
    assert sorted(SAYS) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", SAYS)
def test_an_example_runs_as_printed(name: str, live: Live) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        env={**os.environ, "CHATSERVER_BASE_URL": live.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for said in SAYS[name]:
        assert said in done.stdout
