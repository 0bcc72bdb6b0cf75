"""What the benchmark reads: canned answers, whole answers, processes, other Pythons."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec
import pytest
from bench.clients import CLIENTS
from bench.load import Question
from bench.peers import Homes, homes
from bench.processes import Failed, counts_cpu, cpu_seconds, memory_mb, started
from bench.raw import Reading

from bench import canned, canned_anthropic, cold

QUESTION = Question(port=1, path="/", body=b"", key="", contains=b"so", times=2)


def test_the_floor_reads_a_stream_however_it_is_split() -> None:
    whole = b"".join(canned.stream(20)) + b"0\r\n\r\n"
    for size in (1, 7, len(whole)):
        reading = Reading()
        for at in range(0, len(whole), size):
            reading.feed(whole[at : at + size])
        assert "".join(reading.take()) == "".join(canned.texts(20))


def test_both_wire_formats_say_the_same() -> None:
    events = [one.partition(b"data: ")[2] for one in canned_anthropic.stream(20)]
    told = [msgspec.json.decode(one) for one in events]
    texts = [one["delta"]["text"] for one in told if one["type"] == "content_block_delta"]
    assert texts == canned.texts(20)
    assert msgspec.json.decode(canned_anthropic.reply())["content"][0]["text"] == canned.answer()


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\n\r\nso", b"HTTP/1.1 500 No\r\n\r\nso so", b""]
)
def test_an_answer_that_is_not_whole_is_no_measurement(answer: bytes) -> None:
    QUESTION.check(b"HTTP/1.1 200 OK\r\n\r\nso so")
    with pytest.raises(Failed):
        QUESTION.check(answer)


@pytest.mark.skipif(not cold.is_possible(), reason="no wait4 here")
def test_a_fresh_interpreter_is_measured_by_itself() -> None:
    little = cold.measure(Path(sys.executable), "print('done')", None, "done")
    much = cold.measure(Path(sys.executable), "x = b'x' * 60_000_000; print('done')", None, "done")
    assert little["peak_mb"] < 40  # and not what this process takes
    assert 50 < much["peak_mb"] - little["peak_mb"] < 80
    assert little["cpu_ms"] > 0
    assert little["wall_ms"] > 0


@pytest.mark.skipif(not cold.is_possible(), reason="no wait4 here")
@pytest.mark.parametrize("program", ["print('else')", "print('done'); raise SystemExit(1)"])
def test_a_program_that_fails_is_no_measurement(program: str) -> None:
    with pytest.raises(Failed):
        cold.measure(Path(sys.executable), program, None, "done")


@pytest.mark.skipif(not counts_cpu(), reason="no /proc here")
def test_cpu_and_memory_are_those_of_all_descendants(tmp_path: Path) -> None:
    # As much as is waited for, however fast the machine is.
    work = "while time.process_time() < 0.5: pass"
    child = f"import time\nx = b'x' * 30_000_000\n{work}\ninput()"
    # The child ends when its parent does, and with it the pipe.
    parent = (
        "import subprocess as s, sys;"
        f"s.Popen([sys.executable, '-c', {child!r}], stdin=s.PIPE).wait()"
    )
    with started([sys.executable, "-c", parent], tmp_path / "log") as running:
        running.wait_until(lambda: cpu_seconds(running.pid) > 0.2, seconds=20)
        assert memory_mb(running.pid) > 30


def test_a_server_that_ends_at_once_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no configuration')"]
    begun = time.monotonic()
    with started(command, tmp_path / "log") as running, pytest.raises(Failed, match="no configur"):
        running.wait_until(lambda: False, seconds=20)
    assert time.monotonic() - begun < 15


def test_absent_and_unwanted_peers_are_named() -> None:
    here = Homes(left_out=frozenset({"litellm"}))
    assert here.absence("openai", "openai") is None
    assert here.absence("litellm proxy", None) == "left out"
    assert here.absence("nobody", "no-such-distribution") == "not installed"
    assert here.absence("nginx", None, is_found=False) == "not installed"


def test_a_peer_may_live_in_another_python() -> None:
    there = homes([f"msgspec={sys.executable}"], [])
    assert there.version("msgspec", "msgspec") == msgspec.__version__
    assert there.version("msgspec", "no-such-distribution") is None
    with pytest.raises(Failed):
        homes(["msgspec=/no/python"], [])


def test_every_client_has_programs_that_can_be_run() -> None:
    for client in CLIENTS.values():
        for program in client.first:
            compile(program, client.name, "exec")
