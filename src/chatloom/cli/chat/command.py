"""``chatloom chat``."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING, Annotated, cast

import typer

from chatloom.cli.shared import Database, fail
from chatloom.core.errors import ChatloomError

if TYPE_CHECKING:
    from rich.console import Console

_NO_LETTER = re.compile("[\ud800-\udfff]")


def chat(
    question: Annotated[
        list[str] | None,
        typer.Argument(help="Answer this and end; what is piped in is added to it."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Who answers; see `chatloom models`.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", "-s", help="A system prompt.")] = None,
    conversation: Annotated[
        str | None, typer.Option("--conversation", "-c", help="Go on with this conversation.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="A server elsewhere; else $CHATLOOM_BASE_URL, else the one that runs here."
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(help="Its key; else $CHATLOOM_API_KEY.")] = None,
    db: Database = None,
    plain: Annotated[bool, typer.Option("--plain", help="Show answers as they come.")] = False,
) -> None:
    """Talk to a model, at a prompt or once."""
    model, system, conversation = (
        given and _letters(given) for given in (model, system, conversation)
    )
    asked = _asked([_letters(word) for word in question or []])
    if asked is None and not sys.stdout.isatty():
        fail("the prompt needs a terminal; without one, ask: chatloom chat 'a question'")
    from chatloom.cli.chat.answering import words_of
    from chatloom.cli.chat.once import ask_once
    from chatloom.cli.chat.server import choose_model, find_server
    from chatloom.cli.chat.session import page_on, talk_at_prompt
    from chatloom.cli.chat.signals import ending
    from chatloom.cli.chat.talk import Talk

    console = _console()
    plain = plain or not console.is_terminal or console.is_dumb_terminal or console.legacy_windows
    try:
        with ending(), (server := find_server(url, key, db)).client as client:
            talk = Talk(client, model or choose_model(client), system)
            if conversation is not None:
                talk.resume(conversation)
            if asked is not None:
                raise typer.Exit(ask_once(talk, asked, page_on(console, plain=plain)))
            talk_at_prompt(talk, console, server, plain=plain)
    except ChatloomError as error:
        fail(words_of(error))


def _asked(words: list[str]) -> str | None:
    """The question, with what is piped in beneath it; `None` to be asked at a prompt."""
    piped = "" if sys.stdin.isatty() else _piped()
    if not words and sys.stdin.isatty():
        return None
    asked = "\n\n".join(part for part in (" ".join(words), piped) if part.strip())
    if not asked:
        fail("nothing was asked")
    return asked


def _letters(text: str) -> str:
    """Replace what came as bytes that are none, as is done with what is piped in."""
    return _NO_LETTER.sub("\ufffd", text)


def _piped() -> str:
    _replacing(sys.stdin)
    return sys.stdin.read().strip()


def _console() -> Console:
    from rich.console import Console

    from chatloom.cli.chat.display.rendering import THEME

    _replacing(sys.stdout)
    return Console(theme=THEME, highlight=False)


def _replacing(file: object) -> None:
    """Have letters replaced that *file* does not know, and bytes that are none."""
    if isinstance(file, io.TextIOWrapper):
        cast("io.TextIOWrapper[io.BufferedWriter]", file).reconfigure(errors="replace")
