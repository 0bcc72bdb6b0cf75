"""Programs of their own, that begin with a client of a mode and end by themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent

import pytest

from transports.modes import Mode

START = """
import asyncio, gc, os, signal, sys
from chatloom.core.http import Request
"""
ASK = """
print(run(outside.send(Request("GET", "/"))).status)
"""
HALF_READ = """
async def begin():
    global response
    response = await outside.send(Request("GET", "/", streamed=True))
    print(await response.arriving.read())
run(begin())
"""
FORK = """
sys.stdout.flush()
if not (child := os.fork()):
    print("child", run(outside.send(Request("GET", "/"))).status)
    sys.exit()
os.waitpid(child, 0)
"""
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="there is no such thing")


def program(mode: Mode, url: str, *parts: str) -> subprocess.Popen[str]:
    source = "\n".join(dedent(part) for part in (START, mode.opens.program, *parts))
    return subprocess.Popen(
        [sys.executable, "-c", source, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "default"},
    )


def said(mode: Mode, url: str, *parts: str) -> list[str]:
    """Run a program; give its lines, once it has ended well and without complaint."""
    with program(mode, url, *parts) as running:
        try:
            out, complaints = running.communicate(timeout=20)
        finally:
            running.kill()
    assert not complaints, complaints
    assert running.returncode == 0
    return out.splitlines()
