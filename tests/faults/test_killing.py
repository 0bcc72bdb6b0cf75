"""The kill harness kills, starts again, and tells what the clients of each life have heard."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from faults.killing import Mortal, lives, living
from transports.scripted import free_port

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")

DRIPS = """
import os, socket, sys, time, pathlib
with pathlib.Path("starts").open("a") as starts: starts.write(f"{os.getpid()}\\n")
helper = os.fork()
with socket.create_server(("127.0.0.1", int(sys.argv[1])), reuse_port=True) as listening:
    while True:
        client, _ = listening.accept()
        try:
            while True:
                client.send(b"%d " % os.getpid())
                time.sleep(0.001)
        except OSError:
            pass
"""
"""A server of two processes, which tells its clients who it is until they go."""


@pytest.fixture
def server(tmp_path: Path) -> Mortal:
    port = free_port()
    return Mortal([sys.executable, "-c", DRIPS, str(port)], port, folder=tmp_path)


def listen_to(server: Mortal) -> bytes:
    told = b""
    with (
        suppress(ConnectionError),
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as client,
    ):
        while piece := client.recv(1000):
            told += piece
    return told


def test_it_is_killed_with_all_it_started_and_starts_again(server: Mortal, tmp_path: Path) -> None:
    with living(server):
        told = list(
            lives(
                server,
                lambda _: [lambda: listen_to(server)] * 3,
                times=3,
                seed=1,
                moments=(0.05, 0.2),
            )
        )
    starts = (tmp_path / "starts").read_text().split()
    assert len(starts) == len(set(starts)) == 4
    assert [len(life.heard) for life in told] == [3, 3, 3]
    assert all(0.05 <= life.seconds <= 0.2 for life in told)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_moments_are_chosen_by_the_seed(server: Mortal) -> None:
    def moments(seed: int) -> list[float]:
        with living(server):
            return [
                life.seconds
                for life in lives(
                    server, lambda _: [lambda: None], times=2, seed=seed, moments=(0, 0.05)
                )
            ]

    assert moments(1) == moments(1) != moments(2)


def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such database')"]
    with (
        pytest.raises(RuntimeError, match="no such database"),
        living(Mortal(command, free_port(), folder=tmp_path)),
    ):
        pass


@pytest.mark.parametrize(("check", "code"), [("true", 0), ("false", 1)])
def test_as_a_command_it_kills_any_server(tmp_path: Path, check: str, code: int) -> None:
    port = str(free_port())
    command = [sys.executable, "-W", "error", "-m", "faults.killing", "--port", port]
    command += ["--times", "2", "--within", "0.1", "--clients", "2", "--check", check]
    command += ["--", sys.executable, "-m", "http.server", "--bind", "127.0.0.1", port]
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": tests},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.count("killed after")) == (code, 2), done.stderr
