"""The line a user types on."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from chatloom.cli.chat.commands import COMMANDS
from chatloom.cli.chat.prompt import Completing, Prompt, fitting

ENTER, ALT_ENTER, CTRL_C, CTRL_D, CTRL_R, UP = "\r", "\x1b\r", "\x03", "\x04", "\x12", "\x1b[A"
PASTED = "\x1b[200~one\rtwo\r\x1b[201~"
MODELS = ["loom/echo", "loom/scribe", "other/Echoes"]
BRANCHES = ["main", "the other one"]


class Known:
    """What commands may name here."""

    def models(self) -> list[str]:
        return MODELS

    def branches(self) -> list[str]:
        return BRANCHES


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    with create_pipe_input() as pipe:
        yield pipe


def prompt(keys: PipeInput, history: Path | None = None) -> Prompt:
    return Prompt(history, Known(), lambda: ["model"], input=keys, output=DummyOutput())


TYPED = {
    "a line": (f"Hello{ENTER}", "Hello"),
    "several lines": (f"one{ALT_ENTER}two{ENTER}", "one\ntwo"),
    "pasted lines": (f"{PASTED}{ENTER}", "one\ntwo\n"),
    "nothing is not sent": (f"{ENTER} {ENTER}Hello{ENTER}", " Hello"),
    "Ctrl-C clears": (f"wrong{CTRL_C}right{ENTER}", "right"),
    "Ctrl-C twice, but not at once": (f"{CTRL_C}a{CTRL_C}b{ENTER}", "b"),
}


@pytest.mark.parametrize(("typed", "read"), TYPED.values(), ids=TYPED)
def test_what_is_typed_is_read(keys: PipeInput, typed: str, read: str) -> None:
    keys.send_text(typed)
    assert prompt(keys).read() == read


@pytest.mark.parametrize("typed", [CTRL_D, CTRL_C + CTRL_C, "half a line" + CTRL_C + CTRL_C])
def test_there_is_a_way_out(keys: PipeInput, typed: str) -> None:
    keys.send_text(typed)
    with pytest.raises(EOFError):
        prompt(keys).read()


def test_what_was_typed_before_is_found_again(keys: PipeInput, tmp_path: Path) -> None:
    file = tmp_path / "folder" / "history"
    keys.send_text(f"about rivers{ENTER}")
    prompt(keys, file).read()
    keys.send_text(f"a sea,{ALT_ENTER}deep{ENTER}")
    prompt(keys, file).read()
    keys.send_text(f"{CTRL_R}RIVER{ENTER}{ENTER}")
    assert prompt(keys, file).read() == "about rivers"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such modes")
def test_nobody_else_may_read_the_history(keys: PipeInput, tmp_path: Path) -> None:
    file = tmp_path / "history"
    file.touch(0o644)
    keys.send_text(f"a secret{ENTER}")
    prompt(keys, file).read()
    assert "a secret" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_is_no_reason_not_to_talk(
    keys: PipeInput, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    keys.send_text(f"Hello{ENTER}")
    assert prompt(keys, tmp_path / "file" / "history").read() == "Hello"


COMPLETED: dict[str, tuple[str, list[str]]] = {
    "commands": ("/", [f"/{name}" for name in COMMANDS]),
    "a command": ("/mo", ["/model"]),
    "models": ("/model ", MODELS),
    "models with these letters": ("/model echo", ["loom/echo", "other/Echoes"]),
    "branches": ("/switch ", BRANCHES),
    "branches with these letters": ("/merge OTHER", ["the other one"]),
    "branches to compare": ("/diff m", ["main"]),
    "files": ("/save no", ["tes.md"]),
    "no question": ("Hello /", []),
    "what is sent as it is": ("//m", []),
    "no second line": ("/system a\nb", []),
}


@pytest.mark.parametrize(("text", "expected"), COMPLETED.values(), ids=COMPLETED)
def test_commands_are_completed(
    text: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.md").touch()
    monkeypatch.chdir(tmp_path)
    completions = Completing(Known()).get_completions(Document(text), CompleteEvent())
    assert [completion.text for completion in completions] == expected


@pytest.mark.parametrize(
    ("width", "line"),
    [(80, "a-model · 12 tokens · $1"), (20, "a-model · 12 tokens"), (10, "a-model"), (3, "")],
)
def test_the_status_is_cut_from_its_end(width: int, line: str) -> None:
    assert fitting(["a-model", "", "12 tokens", "$1"], width) == line
