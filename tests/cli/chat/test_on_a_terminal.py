"""``chatloom chat``, as it is met."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.live import Live

if os.name == "nt":
    pytest.skip("Windows has no pseudo-terminals", allow_module_level=True)

from cli.chat.pseudo import Pseudo

CTRL_C = "\x03"
COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-9]|9[0-9])[0-9;]*m")
SLOW = "loom/scribe?delay=20&tokens=2000"

Begin = Callable[..., Pseudo]


@pytest.fixture
def begin(live: Live, tmp_path: Path) -> Iterator[Begin]:
    """Begin to chat with an echo, and wait for the prompt."""
    begun: list[Pseudo] = []

    def begin(*options: str, model: str = "loom/echo", **variables: str) -> Pseudo:
        chat = Pseudo(tmp_path, "--url", live.url, "-m", model, *options, **variables)
        begun.append(chat)
        return chat

    yield begin
    for chat in begun:
        chat.__exit__()


def test_a_talk_from_greeting_to_goodbye(begin: Begin, live: Live) -> None:
    chat = begin()
    chat.wait_for(f"loom/echo at {live.url}")
    chat.type("I say **this**\r")
    chat.wait_for("I say this")
    chat.wait_for("tokens")
    chat.type("/exit\r")
    assert chat.end() == 0
    assert "To go on: chatloom chat -c " in chat.text
    assert chat.is_as_found()


def test_a_talk_goes_on_another_day(begin: Begin) -> None:
    first = begin()
    first.wait_for("> ")
    first.type("Remember the **sea**\r")
    first.wait_for("tokens")
    assert first.leave() == 0
    (id,) = re.findall(r"chat -c (\S+)", first.text)
    second = begin("-c", id)
    second.wait_for("Remember the sea")


def test_ctrl_c_stops_the_answer_and_not_the_program(begin: Begin) -> None:
    chat = begin(model=SLOW)
    chat.wait_for("> ")
    chat.type("Tell me a long story\r")
    chat.wait_for_drawings()
    chat.type(CTRL_C)
    chat.wait_for("stopped")
    chat.wait_for(" tokens")
    chat.type("/model loom/echo\r")
    chat.wait_for("loom/echo answers from here on.")
    chat.type("Still **here**\r")
    chat.wait_for("Still here")
    assert chat.leave() == 0
    assert chat.is_as_found()


def test_ctrl_c_stops_an_answer_from_inside_the_process_too(tmp_path: Path) -> None:
    with Pseudo(tmp_path, "--db", "own.db", "-m", SLOW) as chat:
        chat.wait_for("own.db")
        chat.type("Tell me a long story\r")
        chat.wait_for_drawings()
        chat.type(CTRL_C)
        chat.wait_for("stopped")
        chat.type("/model loom/echo\r")
        chat.wait_for("loom/echo answers from here on.")
        chat.type("Still **here**\r")
        chat.wait_for("Still here")
        assert chat.leave() == 0
        assert chat.is_as_found()
        (again,) = re.findall(r"To go on: chatloom chat (-c .*own\.db)", chat.text)
    with Pseudo(tmp_path, *again.split(), "-m", "loom/echo") as chat:
        chat.wait_for("Still here")


def test_ctrl_c_stops_an_answer_that_has_not_begun(begin: Begin) -> None:
    chat = begin(model="loom/scribe?delay=60000")
    chat.wait_for("> ")
    chat.type("Hello!\r")
    chat.wait_for("waiting, 1 s (Ctrl-C stops it)")
    chat.type(CTRL_C)
    chat.wait_for("stopped")
    assert chat.leave() == 0


def test_ctrl_c_at_the_prompt_clears_and_then_leaves(begin: Begin) -> None:
    chat = begin()
    chat.wait_for("> ")
    chat.type("never sent" + CTRL_C)
    chat.wait_for("Ctrl-C again leaves")
    chat.type(CTRL_C)
    assert chat.end() == 0


def test_what_is_typed_during_an_answer_waits_for_the_prompt(begin: Begin) -> None:
    chat = begin(model="loom/scribe?delay=20&tokens=40")
    chat.wait_for("> ")
    chat.type("Tell me\r")
    chat.wait_for_drawings()
    chat.type("/model\r")
    chat.wait_for("> loom/scribe")  # of the list
    assert chat.leave() == 0


def test_one_question_is_answered_in_colours(begin: Begin) -> None:
    chat = begin("`code`")
    assert chat.end() == 0
    assert chat.text.strip() == "code"
    assert COLOUR.search(chat.raw)


@pytest.mark.parametrize(
    ("options", "variables"), [(["--plain"], {}), ([], {"TERM": "dumb"})], ids=["plain", "dumb"]
)
def test_plain_answers_come_as_they_are(
    begin: Begin, options: list[str], variables: dict[str, str]
) -> None:
    chat = begin(*options, "**bold**", **variables)
    assert (chat.end(), chat.raw) == (0, "**bold**\r\n")


def test_no_colour_means_none(begin: Begin) -> None:
    chat = begin(NO_COLOR="1")
    chat.wait_for("> ")
    chat.type("# Head and `code`\r")
    chat.wait_for("Head and code")
    chat.type("/nonsense\r")
    chat.wait_for("There is no /nonsense")
    assert chat.leave() == 0
    assert not COLOUR.search(chat.raw)


def test_one_question_is_stopped_too(begin: Begin) -> None:
    chat = begin("Tell me a long story", model=SLOW)
    chat.wait_for_drawings()
    chat.type(CTRL_C)
    assert chat.end() == 130
    assert "stopped" in chat.text
    assert chat.is_as_found()


def outcomes(database: Path) -> list[str]:
    """How turns ended; nothing but the file is left of who wrote them."""
    assert [entry.name for entry in database.parent.glob("own*")] == ["own.db"]
    with closing(sqlite3.connect(database)) as connection:
        return [outcome for (outcome,) in connection.execute("SELECT outcome FROM turn")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["drawn", "plain"])
def test_signals_end_one_answer_in_good_order(
    tmp_path: Path, number: signal.Signals, options: list[str]
) -> None:
    with Pseudo(tmp_path, "--db", "own.db", "-m", SLOW, "Tell me a story", *options) as chat:
        chat.wait_for("the")
        chat.tell(number)
        assert chat.end() == 128 + number
        assert chat.is_as_found()
    assert outcomes(tmp_path / "own.db") == ["cancelled"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_talk_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    with Pseudo(tmp_path, "--db", "own.db", "-m", SLOW) as chat:
        chat.wait_for("Ctrl-D leaves")
        chat.type("Tell me a story\r")
        chat.wait_for_drawings()
        chat.tell(number)
        assert chat.end() == 128 + number
        assert chat.is_as_found()
    assert outcomes(tmp_path / "own.db") == ["cancelled"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_at_the_prompt_end_it_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    with Pseudo(tmp_path, "--db", "own.db", "-m", "loom/echo") as chat:
        chat.wait_for("Ctrl-D leaves")
        chat.type("Hello **there**\r")
        chat.wait_for("tokens")
        chat.tell(number)
        assert chat.end() == 128 + number
        assert chat.is_as_found()
    assert outcomes(tmp_path / "own.db") == ["complete"]


def test_a_terminal_that_closes_leaves_no_turn_open(tmp_path: Path) -> None:
    with Pseudo(tmp_path, "--db", "own.db", "-m", SLOW, "Tell me a story") as chat:
        chat.wait_for_drawings()
        assert chat.hang_up() == 128 + signal.SIGHUP
    assert outcomes(tmp_path / "own.db") == ["cancelled"]


def test_half_a_line_typed_during_an_answer_waits_too(begin: Begin) -> None:
    chat = begin(model="loom/scribe?delay=20&tokens=60")
    chat.wait_for("> ")
    chat.type("Tell me\r")
    chat.wait_for_drawings()
    for keys in ("/mo", "del lo", "om/ec"):
        chat.type(keys)
    chat.wait_for("/model loom/ec")
    chat.type("ho\r")
    chat.wait_for("loom/echo answers from here on.")
    assert chat.leave() == 0
