"""Runs `chatloom` commands as a shell would."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from chatloom.cli.application import application
from support.live import environment


@dataclass(frozen=True)
class Run:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output, decoded."""
        return json.loads(self.out)


class Shell:
    """Runs commands in a folder of their own, by default on the database there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "own.db"

    @property
    def environ(self) -> dict[str, str]:
        """The variables of its commands."""
        return environment(self.folder, {"CHATLOOM_DB": str(self.database)})

    def __call__(self, *arguments: str) -> Run:
        """Run ``chatloom`` with *arguments*, in this process, which costs less."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self.environ, clear=True),
            chdir(self.folder),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                application(arguments, prog_name="chatloom")
            except SystemExit as ended:
                return Run(int(ended.code or 0), out.getvalue(), err.getvalue())
        raise AssertionError("the command line did not end")

    def apart(self, *arguments: str) -> Run:
        """Run ``chatloom`` with *arguments* in a process of its own. A traceback fails the test."""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "chatloom", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.folder,
            env=self.environ,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Run(done.returncode, done.stdout, done.stderr)
