"""Kills a server again and again while clients use it.

    python -m faults.killing --port 3284 --ask /v1/chat/completions --body ask.json \\
        --check 'chatloom doctor --db x.db' -- chatloom serve --dev --db x.db --port 3284

It knows no protocol: the server is a command, clients and checks are whatever they are.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from typing import Generic, TypeVar

Heard = TypeVar("Heard")


class Mortal:
    """A server that may be killed: the same command, port and data each time it starts."""

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        *,
        folder: Path,
        environ: Mapping[str, str] | None = None,
        patience: float = 30.0,
    ) -> None:
        self.port = port
        self.log = folder / "mortal.log"
        self._command = command
        self._folder = folder
        self._environ = environ
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it accepts connections. Raises `RuntimeError`."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=self._environ,
                start_new_session=True,  # so that its own processes die with it
            )
        self._wait(accepting=True)

    def kill(self) -> None:
        """End it without a word, as a power cut would: it, and all it has started."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
            self._wait(accepting=False)  # for the others: nobody else is told of their end

    def _wait(self, *, accepting: bool) -> None:
        deadline = time.monotonic() + self._patience
        while self._accepts() is not accepting:
            has_ended = self._process is not None and self._process.poll() is not None
            if has_ended or time.monotonic() > deadline:
                state = "does not serve" if accepting else "serves still"
                raise RuntimeError(f"it {state}: {self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


@contextmanager
def living(mortal: Mortal) -> Generator[Mortal]:
    """Start a server, and see to it that it is gone in the end."""
    mortal.start()
    try:
        yield mortal
    finally:
        mortal.kill()


@dataclass(frozen=True)
class Life(Generic[Heard]):
    """What happened until a server was killed, and then until its clients had ended."""

    number: int
    seconds: float
    """After which it was killed."""
    heard: list[Heard]
    """What its clients brought home, in order."""


def lives(
    server: Mortal,
    clients: Callable[[int], Sequence[Callable[[], Heard]]],
    *,
    times: int,
    seed: int,
    moments: tuple[float, float],
) -> Iterator[Life[Heard]]:
    """Kill *server* so many times while clients use it, start it again each time, and tell.

    *clients* gives the clients of each life, which run in threads of their own.
    The moment is chosen by chance from *moments*, in seconds from their start. A life is
    told once its clients have ended, those that reach into the next one included.
    """
    chance = Random(seed)
    for number in range(times):
        seconds = chance.uniform(*moments)
        using = clients(number)
        with ThreadPoolExecutor(len(using)) as threads:
            running = [threads.submit(client) for client in using]
            time.sleep(seconds)
            server.kill()
            server.start()
        yield Life(number, seconds, [client.result() for client in running])


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill a server as told; the exit code says whether every check went well."""
    told = _parser().parse_args(arguments)
    body = told.body.read_bytes() if told.body else None
    headers = dict(line.split(": ", 1) for line in told.header)

    def ask() -> int:
        return _asked(told.port, told.ask, body, headers)

    failed = 0
    with living(Mortal(told.command, told.port, folder=Path.cwd())) as server:
        for life in lives(
            server,
            lambda _: [ask] * told.clients,
            times=told.times,
            seed=told.seed,
            moments=(0.0, told.within),
        ):
            check = subprocess.run(shlex.split(told.check), check=False) if told.check else None
            code = check.returncode if check else 0
            failed += code != 0
            _say(f"{life.number}: killed after {life.seconds:.3f} s, {sum(life.heard)} bytes")
            _say(f"    checked: {code}")
    return 1 if failed else 0


def _asked(port: int, path: str, body: bytes | None, headers: Mapping[str, str]) -> int:
    """Ask once, and count the bytes of the answer, whole or not."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    count = 0
    try:
        connection.request("POST" if body else "GET", path, body, dict(headers))
        response = connection.getresponse()
        while piece := response.read1():
            count += len(piece)
    except (OSError, HTTPException):
        pass
    finally:
        connection.close()
    return count


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="faults.killing", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--port", type=int, required=True, help="where the command serves")
    add("--times", type=int, default=20)
    add("--within", type=float, default=1.0, metavar="SECONDS", help="the latest moment")
    add("--seed", type=int, default=0)
    add("--clients", type=int, default=4, help="how many ask at once")
    add("--ask", default="/", metavar="PATH", help="what they ask for")
    add("--body", type=Path, metavar="FILE", help="what they send, with POST")
    add("--header", action="append", default=["content-type: application/json"])
    add("--check", metavar="COMMAND", help="to run after each restart; it must end with 0")
    add("command", nargs="+", help="the server, behind --")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
