"""Processes: where they run, how they begin and end, what CPU they took."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")

_PROC = Path("/proc")
_OF_USERS = ("CHATLOOM_", "CHATSERVER_", "OPENAI_", "ANTHROPIC_", "LITELLM_")
_ROOT = Path(__file__).parents[1]


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
    return {
        **kept,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        # Else it downloads its price list at every import.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }


@contextmanager
def started(command: Sequence[str], log: Path, core: int | None = None) -> Generator[Running]:
    """Run a program that serves, and stop it in the end; what it writes goes to *log*."""
    with log.open("wb") as written, on_core(core):
        process = subprocess.Popen(
            command, stdout=written, stderr=subprocess.STDOUT, env=environment(), cwd=_ROOT
        )
    try:
        yield Running(process, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Running:
    """A program that serves."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._log = log

    def wait_until(self, is_ready: Callable[[], bool], seconds: float = 120) -> float:
        """Ask again and again; the seconds it took. Raises `Failed` when it ends, or never is."""
        begun = time.perf_counter()
        while not is_ready():
            spent = time.perf_counter() - begun
            if self._process.poll() is not None or spent > seconds:
                said = self._log.read_text("utf-8", "replace")[-800:]
                raise Failed(f"{self._process.args!r} does not serve: {said}")
            time.sleep(0.005)
        return time.perf_counter() - begun


def python(module: str, *arguments: str, by: Path | None = None) -> list[str]:
    """Spell out how a module is run, by this Python or by another."""
    return [str(by or sys.executable), "-m", module, *arguments]


def output(command: Sequence[str], core: int | None = None) -> bytes:
    """Run a program to its end and give what it printed. Raises `Failed`."""
    with on_core(core):
        done = subprocess.run(
            command, capture_output=True, env=environment(), timeout=180, check=False, cwd=_ROOT
        )
    if done.returncode:
        said = done.stderr.decode(errors="replace")[-800:]
        raise Failed(f"{' '.join(command)} failed: {said}")
    return done.stdout


def free_port() -> int:
    """A port that nobody listens at, just now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def announce(facts: Mapping[str, object]) -> None:
    """Tell whoever started this process what it found out."""
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
    ticks = sum(int(fields[at]) for fields in _tree(pid).values() for at in range(11, 15))
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """The memory of a process and all its descendants; what several share, they divide."""
    found = 0
    for number in _tree(pid):
        rollup = (_PROC / str(number) / "smaps_rollup").read_text("utf-8")
        shares = re.search(r"^Pss: *(\d+) kB$", rollup, re.MULTILINE)
        found += int(shares[1]) if shares else 0
    return found * 1024 / 1e6


def _tree(pid: int) -> dict[int, list[str]]:
    """A process and all its descendants, each with its `_stat`."""
    tree: dict[int, list[str]] = {}
    found = {int(one.name): _stat(one) for one in _PROC.iterdir() if one.name.isdigit()}
    for number in sorted(found):  # a child most often has the higher number
        fields = found[number]
        if fields and (number == pid or int(fields[1]) in tree):
            tree[number] = fields
    return tree


def _stat(process: Path) -> list[str]:
    """The fields of ``stat`` behind the name, which may hold anything; see proc(5)."""
    try:
        return (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []
