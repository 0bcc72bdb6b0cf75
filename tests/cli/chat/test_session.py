"""What happens at the prompt, line by line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chatloom.cli.chat.client import ChatClient
from chatloom.cli.chat.talk import Talk
from chatloom.core.errors import ConnectError
from cli.chat.desk import Desk
from support.scripted import Scripted


@pytest.fixture
def desk(talk_with: Callable[..., Talk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """In a folder of its own, where an echo answers."""
    monkeypatch.chdir(tmp_path)
    return Desk(talk_with("loom/echo"))


def test_a_question_is_answered(desk: Desk) -> None:
    assert desk.type("**Hello** there") == "Hello there"


ODD = {
    "unknown, with a near one": (["/modle"], "There is no /modle; did you mean /model?"),
    "unknown": (["/usr/bin/python"], "There is no /usr/bin/python; /help lists"),
    "sent as it is": (["//help"], "/help"),
    "several lines": (["/system Be\nbrief.", "/system"], "The system prompt is: Be brief."),
    "nothing to repeat": (["/retry"], "Nothing was asked yet."),
    "nothing to save": (["/save"], "Nothing was said yet."),
    "markup is text": (["/[bold]"], "There is no /[bold];"),
    "no letter at all": (["a\udc80b"], "a?b"),
    "nothing behind the end": (["/exit", "Hello!"], ""),
}


@pytest.mark.parametrize(("lines", "told"), ODD.values(), ids=ODD)
def test_what_is_typed_is_understood(desk: Desk, lines: list[str], told: str) -> None:
    assert told in desk.type(*lines)
    assert "Hello!" not in desk.terminal.text


def test_help_names_every_command(desk: Desk) -> None:
    told = desk.type("/help")
    for name in ("/model", "/system", "/new", "/retry", "/save", "/help", "/exit", "Alt-Enter"):
        assert name in told


MODELS = {
    "its name": ("loom/scribe", "loom/scribe"),
    "a part of it": ("SCRIBE", "loom/scribe"),
    "with options": ("scribe?cut=4", "loom/scribe?cut=4"),
    "one that is not listed": ("someone/else", "someone/else"),
}


@pytest.mark.parametrize(("wanted", "model"), MODELS.values(), ids=MODELS)
def test_another_model_answers(desk: Desk, wanted: str, model: str) -> None:
    assert f"{model} answers from here on." in desk.type(f"/model {wanted}")
    assert desk.talk.model == model


def test_a_model_that_is_not_listed_is_warned_of_at_once(desk: Desk) -> None:
    assert "But the server does not list zzz" in desk.type("/model zzz")
    assert "does not list" not in desk.type("/model echo", "/model scribe?cut=4")


def test_models_are_listed(desk: Desk) -> None:
    assert "> loom/echo loom/scribe" in desk.type("/model")
    assert "loom/ could be any of these: > loom/echo loom/scribe" in desk.type("/model loom/")
    assert desk.talk.model == "loom/echo"


def test_the_last_question_is_asked_again(desk: Desk) -> None:
    assert desk.type("One", "Two", "/retry") == "One Two Two"
    assert [saying.content for saying in desk.talk.said] == ["One", "One", "Two", "Two"]


def test_the_system_prompt_is_set_and_removed(desk: Desk) -> None:
    assert "There is no system prompt." in desk.type("/system")
    desk.type("/system Be brief.")
    assert desk.talk.system == "Be brief."
    assert "is removed" in desk.type("/system -")
    assert desk.talk.system is None


def test_a_new_conversation_begins(desk: Desk) -> None:
    desk.type("One", "/new")
    assert (desk.talk.said, desk.talk.conversation_id) == ([], None)


TROUBLE = {
    "no such model": ("nobody", "There is no model 'nobody' here."),
    "breaks off": ("loom/scribe?cut=4", "broke off: the provider stopped"),
    "refuses": ("loom/scribe?429=9", "attempt 3 of 9 refused"),
    "nonsense": ("loom/scribe?malformed=4", "broke off: "),
}


@pytest.mark.parametrize(("model", "told"), TROUBLE.values(), ids=TROUBLE)
def test_trouble_is_a_line_and_the_talk_goes_on(desk: Desk, model: str, told: str) -> None:
    desk.talk.model = model
    assert told in desk.type("Hello!")
    desk.talk.model = "loom/echo"
    assert desk.type("Still there?") == "Still there?"


def test_a_server_that_is_gone_is_a_line() -> None:
    gone = ConnectError("POST /v1/chat/completions could not connect to localhost:1: refused")
    talk = Talk(ChatClient.at(Scripted(*[gone] * 3), None), "any")
    assert Desk(talk).type("Hello!") == "could not connect to localhost:1: refused"


def test_what_breaks_off_is_shown_with_what_had_come(desk: Desk) -> None:
    desk.talk.model = "loom/scribe?cut=4"
    told = desk.type("Hello!")
    assert told.startswith(desk.talk.said[-1].content.strip())
    assert desk.talk.said[-1].ending is not None


def test_a_talk_is_saved_as_markdown(desk: Desk, tmp_path: Path) -> None:
    desk.type("/system Be brief.", "What is *it*?\nTell me.")
    assert desk.type("/save") == "Saved as what-is-it.md"
    assert (tmp_path / "what-is-it.md").read_text() == (
        f"# What is *it*?\n\n*Conversation {desk.talk.conversation_id}*\n\n"
        "## System\n\nBe brief.\n\n## You\n\nWhat is *it*?\nTell me.\n\n"
        "## loom/echo\n\nWhat is *it*?\nTell me.\n"
    )
    assert desk.type("/save") == "Saved as what-is-it-2.md"


def test_a_talk_is_saved_as_json(desk: Desk, tmp_path: Path) -> None:
    desk.type("One", "/save sub/talk.json", "/save talk.json")
    assert "sub/talk.json cannot be written: No such file" in desk.terminal.text
    assert json.loads((tmp_path / "talk.json").read_bytes()) == {
        "conversation_id": desk.talk.conversation_id,
        "model": "loom/echo",
        "system": None,
        "messages": [
            {"role": "user", "content": "One"},
            {"role": "assistant", "content": "One", "model": "loom/echo"},
        ],
    }


def test_a_file_is_replaced_only_when_told_to(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "talk.md"
    file.write_text("mine")
    assert "talk.md is there already; /save! talk.md replaces it." in desk.type(
        "One", "/save talk.md"
    )
    assert file.read_text() == "mine"
    assert desk.type("/save! talk.md") == "Saved as talk.md"
    assert file.read_text().startswith("# One")


def test_the_status_tells_model_tokens_cost_and_conversation(desk: Desk) -> None:
    assert [part for part in desk.session.status() if part] == ["loom/echo"]
    desk.talk.model = "loom/scribe"
    desk.type("Hello!")
    model, branch, tokens, cost, conversation = desk.session.status()
    assert (model, branch, tokens.endswith(" tokens")) == ("loom/scribe", "", True)
    assert cost[:3] == "$0."
    assert desk.talk.conversation_id is not None
    assert conversation[-8:] == desk.talk.conversation_id[-8:]


def test_a_resumed_talk_shows_where_it_was(desk: Desk) -> None:
    desk.type("Where **were** we?")
    later = Desk(desk.talk)
    later.session.show_last()
    assert later.terminal.text.split("\n\n") == ["> Where **were** we?", "Where were we?"]
