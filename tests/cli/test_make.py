"""``make serve``, and Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.live import environment

if os.name == "nt" or shutil.which("make") is None:
    pytest.skip("there is no make", allow_module_level=True)

MAKEFILE = Path(__file__).parents[2] / "Makefile"


def test_make_says_nothing_behind_the_servers_goodbye(tmp_path: Path) -> None:
    shutil.copy(MAKEFILE, tmp_path)
    command = tmp_path / ".venv" / "bin" / "chatloom"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m chatloom "$@"\n')
    command.chmod(0o755)
    with subprocess.Popen(
        ["make", "--old-file=.venv/run", "serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env=environment(tmp_path),
        start_new_session=True,  # so that all of them can be told, as a terminal does
    ) as making:
        assert making.stdout is not None
        lines: list[str] = []
        for line in making.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                os.killpg(making.pid, signal.SIGINT)
    assert lines[-1] == "stopped\n"
