"""Processes: where they run, how they begin and end, what CPU they took."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Coroutine, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")

_PROC = Path("/proc")
_OF_USERS = ("CHATLOOM_", "CHATSERVER_", "OPENAI_")


class Failed(Exception):
    """A measurement that gave no number."""


def cores() -> tuple[int, int] | None:
    """The core for the measured process, and the one for all others; `None` without two."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else None


@contextmanager
def on_core(core: int | None) -> Generator[None]:
    """Stay on *core*, and start there what is started meanwhile."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment() -> dict[str, str]:
    """The environment without the settings of its user, and without proxies."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OF_USERS)}
    return {**kept, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


@contextmanager
def started(
    module: str, arguments: Sequence[str], log: Path, core: int | None = None
) -> Generator[tuple[int, bytes]]:
    """Run a module that serves: its process number, and the JSON it announced itself with.

    Raises `Failed`, with what it wrote to *log*, when it never does.
    """
    with log.open("wb") as errors, on_core(core):
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(),
        )
    try:
        yield process.pid, _announced(process, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _announced(process: subprocess.Popen[bytes], log: Path) -> bytes:
    assert process.stdout is not None
    told = b""
    while line := process.stdout.readline():
        told += line
        if line.rstrip().endswith(b"}") and told.count(b"{") == told.count(b"}"):
            return told
    raise Failed(f"{process.args!r} did not start: {log.read_text('utf-8')[-800:]}")


def output(module: str, arguments: Sequence[str], core: int | None = None) -> bytes:
    """Run a module to its end and give what it printed. Raises `Failed`."""
    with on_core(core):
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            capture_output=True,
            env=environment(),
            timeout=120,
            check=False,
        )
    if done.returncode:
        said = done.stderr.decode(errors="replace")[-800:]
        raise Failed(f"{module} {' '.join(arguments)} failed: {said}")
    return done.stdout


def announce(facts: dict[str, object]) -> None:
    """Tell whoever started this process that it is ready."""
    sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
    sys.stdout.flush()


def run(work: Coroutine[object, object, T]) -> T:
    """Run *work* on uvloop where it is installed; for those who are not measured."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def counts_cpu() -> bool:
    """Whether this system tells the CPU time of other processes."""
    return (_PROC / "self" / "stat").exists()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all its descendants, the ended ones included."""
    tree, ticks = {pid}, 0
    found = {int(one.name): _stat(one) for one in _PROC.iterdir() if one.name.isdigit()}
    for number in sorted(found):  # a child most often has the higher number
        fields = found[number]
        if fields and (number == pid or int(fields[1]) in tree):
            tree.add(number)
            ticks += sum(int(fields[at]) for at in range(11, 15))
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(process: Path) -> list[str]:
    """The fields of ``stat`` behind the name, which may hold anything; see proc(5)."""
    try:
        return (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []
