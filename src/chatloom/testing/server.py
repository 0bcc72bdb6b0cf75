"""A server inside a test."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar, cast

from chatloom.testing.script import Answer, Failure, Script, ToolCall

if TYPE_CHECKING:
    from chatloom.core.http import JSON
    from chatloom.server.chat.message import Message
    from chatloom.server.models.driver import FinishReason, Parameters, Prompt

P = ParamSpec("P")


class Closing(Protocol):
    """What any client can do."""

    def close(self) -> Coroutine[object, object, None] | None: ...


C = TypeVar("C", bound=Closing)


@dataclass(frozen=True)
class Asked:
    """What a request asked of the model."""

    model: str
    """As the client named it."""
    messages: list[Message]
    """All that the model is told, what was said before in the conversation included."""
    parameters: Parameters
    streamed: bool
    extra: Mapping[str, JSON]
    """Fields of the request that chatloom leaves to the provider."""

    @property
    def text(self) -> str:
        """The last message's text."""
        return self.messages[-1].text


class Server:
    """Answers every client of this process with what it is told to say.

    Answers are given in turn, one for each request, whatever model it names.
    Where nothing was scripted, the offline models answer as they always do.
    """

    def __init__(self) -> None:
        from chatloom.testing.stage import Stage

        self.requests: list[Asked] = []
        """What was asked, in order; a request that was repeated stands there again."""
        self._script = Script()
        self._stage = Stage(self._script, self._hear)
        self._open = ExitStack()
        self._open.callback(self._stage.close)

    @property
    def base_url(self) -> str:
        """For clients of our own, made elsewhere in this process."""
        return self._stage.base_url

    @property
    def url(self) -> str:
        """An address on loopback, for clients that are not ours; it is served from now on."""
        return self._stage.url

    @property
    def left(self) -> int:
        """How many scripted answers nobody has asked for."""
        return len(self._script)

    def client(self, kind: Callable[P, C], *args: P.args, **kwargs: P.kwargs) -> C:
        """Make a client of this server, closed with it; *args* and *kwargs* as it takes them."""
        kwargs["base_url"] = self.base_url
        made = kind(*args, **kwargs)
        self._open.callback(_close, made)
        return made

    def say(
        self, *parts: str | ToolCall, finish: FinishReason | None = None, pause: float = 0
    ) -> None:
        """Answer with text, calls of tools, or both; *pause* is in seconds, before each piece."""
        if not parts:
            raise ValueError("say what?")
        self._script.add(Answer(parts, finish, pause))

    def fail(
        self,
        status: int = 500,
        message: str = "refused, as the test wants it",
        *,
        code: str = "scripted",
        retry_after: float | None = None,
    ) -> None:
        """Refuse to answer; *retry_after* is in whole seconds."""
        from chatloom.testing.performing import KINDS

        if status not in KINDS:
            raise ValueError(f"the server says {', '.join(map(str, sorted(KINDS)))}, not {status}")
        self._script.add(Failure(status, message, code, retry_after))

    def cut(self, *parts: str | ToolCall, after: int) -> None:
        """Have the provider stop *after* so many pieces; the server tells the client."""
        self._script.add(Answer(parts, fault="cut", after=after))

    def hang_up(self, *parts: str | ToolCall, after: int) -> None:
        """Lose the connection *after* so many pieces, without a word."""
        self._script.add(Answer(parts, fault="hang_up", after=after))

    def stall(self, *parts: str | ToolCall, after: int, seconds: float = 60) -> None:
        """Fall silent *after* so many pieces, and give up after *seconds*."""
        self._script.add(Answer(parts, fault="stall", after=after, silence=seconds))

    def malformed(self, *parts: str | ToolCall, after: int) -> None:
        """Send a piece that nobody can read *after* so many others."""
        self._script.add(Answer(parts, fault="malformed", after=after))

    def close(self) -> None:
        """Close every client, then the server."""
        self._open.close()

    def _hear(self, model: str, prompt: Prompt) -> None:
        self.requests.append(
            Asked(model, prompt.messages, prompt.parameters, prompt.streamed, prompt.extra)
        )


def _close(client: Closing) -> None:
    from chatloom.core.inline import run_inline

    closing = client.close()
    if closing is not None:
        # The server outlives it, so there is nothing to wait for, in whatever event loop.
        run_inline(cast("Coroutine[object, None, None]", closing))


@contextmanager
def server() -> Generator[Server]:
    """Run a server until the block ends."""
    running = Server()
    try:
        yield running
    finally:
        running.close()
