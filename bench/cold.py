"""One fresh interpreter from its start to its end: CPU, wall time, and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.processes import Failed, environment, on_core

# The kernel counts the memory of whoever starts a program into the program's peak, so it is
# started by something smaller than any Python program: wait4(2), setmax_mm_hiwater_rss().
_LAUNCHER = """
import os, sys, time
begun = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(pid, 0)
wall = time.perf_counter() - begun
unit = 1 if sys.platform == "darwin" else 1024
print()
print('{"cpu_ms":%r,"wall_ms":%r,"peak_mb":%r}' % (
    1000 * (used.ru_utime + used.ru_stime), 1000 * wall, used.ru_maxrss * unit / 1e6))
sys.exit(os.waitstatus_to_exitcode(status) and 1)
"""


def is_possible() -> bool:
    """Whether this system tells what another process took."""
    return hasattr(os, "posix_spawn") and hasattr(os, "wait4")


def measure(python: Path, program: str, core: int | None, said: str = "") -> dict[str, float]:
    """Run *program*, which has to say *said*. Raises `Failed`."""
    # -P: what lies in the current folder is not to be imported.
    measured = [str(python), "-P", "-c", program]
    done = _run([sys.executable, "-I", "-S", "-c", _LAUNCHER, *measured], core)
    *lines, found = done.stdout.decode().rstrip().split("\n")
    if done.returncode or "\n".join(lines).strip() != said:
        errors = done.stderr.decode(errors="replace")[-800:]
        raise Failed(f"{program.strip()[-300:]!r} said {lines!r}: {errors}")
    return msgspec.json.decode(found, type=dict[str, float])


def _run(command: Sequence[str], core: int | None) -> subprocess.CompletedProcess[bytes]:
    with on_core(core):
        return subprocess.run(
            command, capture_output=True, env=environment(), timeout=120, check=False
        )
