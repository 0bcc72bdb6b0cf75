"""The fault proxy does to connections what its plan says, and nothing else."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults.plan import Fault, How, at_random, in_turn
from faults.proxy import Proxy, proxied
from transports.scripted import Peer, Server, Talk, serving

WORDS = b"0123456789" * 10
QUESTION = b"GET /question HTTP/1.1\r\n\r\n"


def tells(peer: Peer) -> None:
    """Say the words at once, then hold the line."""
    peer.say(WORDS)
    peer.hold()


def leaves(peer: Peer) -> None:
    """Say the words, and go."""
    peer.say(WORDS)


def crashes(peer: Peer) -> None:
    """Say the words, and crash."""
    peer.say(WORDS)
    peer.reset()


def answers(peer: Peer) -> None:
    """Answer one question with the words."""
    peer.asked()
    peer.say(WORDS)


@contextmanager
def through(talk: Talk, *faults: Fault) -> Generator[tuple[Proxy, socket.socket, Server]]:
    """Connect through a proxy that has these faults."""
    with (
        serving(talk) as server,
        proxied("127.0.0.1", server.port, in_turn(*faults)) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client,
    ):
        yield proxy, client, server


def heard(client: socket.socket) -> tuple[bytes, str]:
    """All that a client is told, and how that ended."""
    told = b""
    try:
        while piece := client.recv(1000):
            told += piece
    except ConnectionResetError:
        return told, "reset"
    except TimeoutError:
        return told, "silence"
    return told, "end"


ENDS: dict[How, str] = {"reset": "reset", "close": "end", "half": "end"}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("after", [1, 17, 99])
def test_an_answer_is_cut_at_the_very_byte(how: How, after: int) -> None:
    with through(tells, Fault(how, after)) as (proxy, client, _):
        assert heard(client) == (WORDS[:after], ENDS[how])
    assert (proxy.done[how], proxy.cuts) == (1, 1)
    assert proxy.done["answer bytes"] == after


def test_a_stalled_answer_neither_goes_on_nor_ends() -> None:
    with through(leaves, Fault("stall", 17)) as (proxy, client, _):
        told = b""
        while len(told) < 17:
            told += client.recv(1000)
        client.settimeout(0.2)
        assert heard(client) == (b"", "silence")
    assert (told, proxy.done["stall"]) == (WORDS[:17], 1)


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_request_is_cut_at_the_very_byte(how: How) -> None:
    with through(answers, Fault(how, len(QUESTION) - 1, "request")) as (proxy, client, server):
        client.sendall(QUESTION)
        assert heard(client) == (b"", ENDS[how])
    assert server.asked == []
    assert proxy.done["request bytes"] == len(QUESTION) - 1


def test_a_half_closed_request_may_still_be_answered() -> None:
    with through(answers, Fault("half", len(QUESTION), "request")) as (_, client, server):
        client.sendall(QUESTION + b"never to be heard")
        assert heard(client) == (WORDS, "end")
    assert len(server.asked) == 1


def test_a_refused_connection_never_reaches_the_server() -> None:
    with (
        serving(answers) as server,
        proxied("127.0.0.1", server.port, in_turn(Fault("refuse"))) as proxy,
    ):
        check_refused(proxy)
    assert (server.connections, proxy.done["refuse"]) == (0, 1)


def check_refused(proxy: Proxy) -> None:
    """Check that it resets at once, maybe before the client knows that it is connected."""
    with (
        pytest.raises(ConnectionResetError),
        socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client,
    ):
        client.recv(1)


def test_without_a_fault_all_passes_and_so_does_its_end() -> None:
    with through(leaves, Fault()) as (proxy, client, _):
        assert heard(client) == (WORDS, "end")
    assert proxy.cuts == 0


def test_a_servers_own_reset_is_passed_on() -> None:
    with through(crashes, Fault()) as (proxy, client, _):
        told, end = heard(client)
    assert (end, proxy.cuts) == ("reset", 0)
    assert WORDS.startswith(told)  # a reset may overtake what was said before it


def test_each_connection_has_its_own_fault() -> None:
    with through(leaves, Fault("reset", 5), Fault("close", 7), Fault()) as (proxy, first, _):
        told = [heard(first)]
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
                told.append(heard(client))
    assert told == [(WORDS[:5], "reset"), (WORDS[:7], "end"), (WORDS, "end"), (WORDS, "end")]
    assert proxy.done["connections"] == 4


def test_an_answer_may_trickle() -> None:
    with through(leaves, Fault(rate=100)) as (_, client, _):
        first = client.recv(1000)
        assert first == WORDS[: len(first)]
        assert len(first) < len(WORDS)
        assert (first + heard(client)[0]) == WORDS


def test_a_server_that_is_gone_is_told_as_a_reset() -> None:
    with proxied("127.0.0.1", 1, in_turn(Fault())) as proxy:
        check_refused(proxy)
        assert proxy.done["unreachable"] == 1


def test_chance_is_seeded_by_connection() -> None:
    plan = at_random(7, (1, 1000), ["reset", "close", "half"], ["request", "answer"], share=0.5)
    faults = [plan(number) for number in range(400)]
    again = at_random(7, (1, 1000), ["reset", "close", "half"], ["request", "answer"], share=0.5)
    assert [again(number) for number in reversed(range(400))] == faults[::-1]
    cut = [fault for fault in faults if fault.how != "none"]
    assert 150 < len(cut) < 250
    assert {(fault.how, fault.way) for fault in cut} == {
        (how, way) for how in ("reset", "close", "half") for way in ("request", "answer")
    }


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_as_a_command_it_stands_before_any_server() -> None:
    with serving(leaves) as server:
        command = [sys.executable, "-W", "error", "-m", "faults.proxy", "--seed", "7"]
        command += ["--to", f"127.0.0.1:{server.port}", "--cut-after", "10..20", "--how", "close"]
        tests = Path(__file__).parents[1]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tests) as running:
            assert running.stdout is not None
            port = int(running.stdout.readline().split(",")[0].rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                told, end = heard(client)
            running.send_signal(signal.SIGINT)
            said = running.stdout.read()
    assert (10 <= len(told) <= 20, end) == (True, "end")
    assert "close: 1" in said
    assert f"answer bytes: {len(told)}" in said
