"""`PuterAI`: chat with many models, remembering what was said."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Self, Unpack, cast, overload

import msgspec

from chatloom.core.engine import Async, Sync
from chatloom.core.errors import SettingsError
from chatloom.core.http import JSON
from chatloom.core.inline import run_inline
from chatloom.core.locks import Lock
from chatloom.core.outside import Policy
from chatloom.core.secret import Secret
from chatloom.core.settings import EMBEDDED, Settings
from chatloom.core.spelling import spelled_out
from chatloom.engines import ClientOptions
from chatloom.policies.hooks import Hooks
from puter.calls import Calls
from puter.config import ConfigOptions, PuterConfig, config
from puter.credentials import Credentials
from puter.drivers import Driver
from puter.engines import Engines
from puter.lists import listed
from puter.plugins import Plugin, plugins, together
from puter.questions import Asked, question
from puter.serializers import Serializer
from puter.session import Session
from puter.streaming import AsyncChatStream, ChatStream
from puter.tools import Tool, ToolFunction
from puter.types import ChatMessage
from puter.usage import Tally, Usage

if TYPE_CHECKING:
    from chatloom.policies.cache import Cache
    from chatloom.policies.meter import Meter
    from chatloom.policies.pace import Pace
    from chatloom.transports.httpx import HttpxClient
    from chatloom.transports.recorded import Cassette

__all__ = ["Options", "PuterAI"]


class Options(ConfigOptions, total=False):
    """What a client takes beside who it is: the configuration's attributes, and these."""

    config: PuterConfig | None
    """What holds where nothing else is given, in place of ``puter.config``."""
    tools: Sequence[Tool | ToolFunction] | None
    """Offered with every question."""
    plugins: Sequence[Plugin | str] | None
    """Extensions, or the names of installed ones."""
    drivers: Sequence[Driver] | None
    """How models are asked that want to be asked otherwise."""
    serializer: Serializer | None
    """Another data format than JSON."""
    total_timeout: float | None
    """Seconds for a whole call, retries and a streamed body included; `None` for no limit."""
    default_headers: Mapping[str, str] | None
    """The same as `headers`, and before them."""
    default_query: Mapping[str, str | int | float | bool] | None
    """Added to the query string of every request."""
    policies: Sequence[Policy] | None
    """Middleware around each attempt; the first one sees a request first."""
    hooks: Hooks | None
    """Functions to call as requests go out and answers come in."""
    pace: Pace | None
    """Sends no faster than this, beside the rate limit; clients may share one."""
    cache: Cache | None
    """Answers again what was answered before."""
    meter: Meter | None
    """Measures every call and tells exporters."""
    cassette: Cassette | None
    """Where what goes over the wire is recorded, or played from."""
    http_client: HttpxClient | None
    """An httpx or httpx2 client to send through; it stays its owner's to close."""


class PuterAI:
    """Chats with the models of a Puter service, and remembers what was said.

    Each call is there twice, over the same history, token and rate limit: `chat` blocks,
    `async_chat` is awaited. Log in with a username and a password, or give a token; what
    is not given comes from ``PUTER_USERNAME``, ``PUTER_PASSWORD`` and ``PUTER_TOKEN``. The
    first call logs in by itself. What else is not given is as `puter.config` has it now.

    Safe to share between threads and event loops. `close` it, or use it with ``with`` or
    ``async with``; that also forgets the token and the password.
    """

    @spelled_out(Options)
    def __init__(
        self,
        username: str | None = None,
        password: str | Secret | None = None,
        token: str | Secret | None = None,
        **config_overrides: Unpack[Options],
    ) -> None:
        """Set up the client; nothing is sent yet. Raises `chatloom.SettingsError`."""
        base = config_overrides.get("config") or config
        if not isinstance(cast("object", base), PuterConfig):
            raise SettingsError(f"config is a PuterConfig, not {type(base).__name__}")
        told = {name: value for name, value in config_overrides.items() if name in _CONFIG}
        own = base.copy(**cast("ConfigOptions", told)).settled()
        who = Credentials(username, password, token)
        service = own.service(who.given)
        extension = _extension(config_overrides)
        options = cast(
            "ClientOptions",
            {name: config_overrides.get(name) for name in _OPTIONS if name not in _CONFIG},
        )
        options["policies"] = extension.policies
        who.find(service.api_key, is_needed=not _signs_otherwise(own, options))
        serializer = config_overrides.get("serializer")
        service = msgspec.structs.replace(_at_home(service), api_key=None)  # who has it
        self._session = Session(own, service, who, extension, serializer)
        self._tally = Tally()
        self._engines = Engines(self._session, options, self._tally)
        self._making = Lock()
        self._blocking: Calls[Sync] | None = None
        self._awaited: Calls[Async] | None = None
        self._is_closed = False

    # What is known

    @property
    def chat_history(self) -> list[ChatMessage]:
        """What was said so far, in whole pairs of question and answer; yours to change."""
        return self._session.history.messages

    @chat_history.setter
    def chat_history(self, messages: Sequence[ChatMessage]) -> None:
        self._session.history.messages = list(messages)

    @property
    def current_model(self) -> str:
        """The model that answers where a call names none."""
        return self._session.model

    @current_model.setter
    def current_model(self, model: str) -> None:
        self._session.model = model

    @property
    def available_models(self) -> dict[str, str]:
        """The registry of models, each with its driver's name; yours to add to."""
        return self._session.models

    @property
    def username(self) -> str | None:
        """Who logs in; `None` where a token says who it is."""
        return self._session.who.username

    @property
    def token(self) -> Secret | None:
        """The token as it is now; it hides itself."""
        return self._session.who.token.now()

    @property
    def metadata(self) -> Mapping[str, JSON]:
        """Who gave the last answer that was remembered, where the service tells.

        A chatloom server also tells where it stands: with this as the *metadata* of a
        further call, through any of the SDKs, the talk goes on from there.
        """
        return self._session.metadata

    @property
    def usage(self) -> Usage:
        """What this client has sent and used so far, also by model."""
        return self._tally.told

    def set_model(self, model_name: str) -> bool:
        """Have this model answer from now on, and say whether it is a known one.

        One that is not in `available_models` changes nothing: `get_available_models` learns
        those of the service, and ``current_model = …`` takes any.
        """
        if model_name not in self.available_models:
            return False
        self.current_model = model_name
        return True

    def clear_chat_history(self) -> None:
        """Forget what was said; an answer that is still to come is not remembered either."""
        self.chat_history = []

    def _get_driver_for_model(self, model_name: str) -> str:
        return self.available_models.get(model_name, "openai-completion")

    # Blocking

    def login(self, *, otp: str | None = None) -> bool:
        """Log in, which `chat` else does by itself. It is true, or raises.

        An account with a second factor raises `PuterSecondFactorError`: call it again with
        the code, as *otp*. Raises `PuterAuthError` where nobody is let in.
        """
        return run_inline(self._calls().login(otp))

    @overload
    def chat(
        self,
        prompt: str | None = None,
        model: str | None = None,
        *,
        stream: Literal[False] = False,
        **asked: Unpack[Asked],
    ) -> str: ...
    @overload
    def chat(
        self,
        prompt: str | None = None,
        model: str | None = None,
        *,
        stream: Literal[True],
        **asked: Unpack[Asked],
    ) -> ChatStream: ...
    @overload
    def chat(
        self,
        prompt: str | None = None,
        model: str | None = None,
        *,
        stream: bool,
        **asked: Unpack[Asked],
    ) -> str | ChatStream: ...
    @spelled_out(Asked)
    def chat(
        self,
        prompt: str | None = None,
        model: str | None = None,
        *,
        stream: bool = False,
        **asked: Unpack[Asked],
    ) -> str | ChatStream:
        """Ask *model*, else the current one, and remember question and answer.

        With *stream* the answer comes piece by piece, and is remembered when it was read to
        its end. Functions in *tools* are called as the model wants, and what they return is
        told to it, until it answers; the history has just the question and that answer.
        Raises `PuterError`, and `chatloom.SettingsError` for what cannot be asked.
        """
        calls = self._calls()
        asking = question(self._session, self._get_driver_for_model, prompt, model, **asked)
        return calls.stream(asking).settled() if stream else run_inline(calls.chat(asking))

    def get_available_models(self) -> list[str]:
        """Ask the service for the names of its models; where it does not tell, those known.

        Those it tells are in `available_models` afterwards.
        """
        return run_inline(self._calls().models())

    def close(self) -> None:
        """Forget token and password, and give back every connection; there are no more calls.

        Those of async calls may have to be waited for: `aclose` does.
        """
        blocking = self._end()
        if blocking is not None:
            run_inline(blocking.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Awaited

    async def async_login(self, *, otp: str | None = None) -> bool:
        """Log in as `login` does."""
        return await self._async_calls().login(otp)

    @spelled_out(Asked)
    async def async_chat(
        self, prompt: str | None = None, model: str | None = None, **asked: Unpack[Asked]
    ) -> str:
        """Ask as `chat` does. Several may be under way: pairs are remembered as they end."""
        calls = self._async_calls()
        asking = question(self._session, self._get_driver_for_model, prompt, model, **asked)
        return await calls.chat(asking)

    @spelled_out(Asked)
    def astream(
        self, prompt: str | None = None, model: str | None = None, **asked: Unpack[Asked]
    ) -> AsyncChatStream:
        """Ask as ``chat(stream=True)`` does; it is sent when the stream is first read."""
        calls = self._async_calls()
        asking = question(self._session, self._get_driver_for_model, prompt, model, **asked)
        return calls.stream(asking)

    async def async_get_available_models(self) -> list[str]:
        """Ask as `get_available_models` does."""
        return await self._async_calls().models()

    async def aclose(self) -> None:
        """Forget token and password, and give back every connection, of both kinds of calls."""
        self.close()
        with self._making:
            awaited, self._awaited = self._awaited, None
        if awaited is not None:
            await awaited.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        who = f" as {self.username!r}" if self.username else ""
        return f"<PuterAI {self.current_model!r} at {self._session.config.api_base}{who}>"

    def _calls(self) -> Calls[Sync]:
        with self._making:
            self._check_open()
            if self._blocking is None:
                self._blocking = self._engines.calls(Sync)
            return self._blocking

    def _async_calls(self) -> Calls[Async]:
        with self._making:
            self._check_open()
            if self._awaited is None:
                self._awaited = self._engines.calls(Async)
            return self._awaited

    def _check_open(self) -> None:
        if self._is_closed:
            raise SettingsError("the client is closed")

    def _end(self) -> Calls[Sync] | None:
        self._session.who.forget()
        with self._making:
            self._is_closed = True
            blocking, self._blocking = self._blocking, None
        return blocking


_CONFIG = tuple(ConfigOptions.__annotations__)
_OPTIONS = tuple(ClientOptions.__annotations__)


def _extension(given: Options) -> Plugin:
    """All that a client was extended by, as one."""
    own = Plugin(
        tools=listed("tools", given.get("tools")),
        policies=listed("policies", given.get("policies")),
        drivers=listed("drivers", given.get("drivers")),
    )
    return together([*plugins(listed("plugins", given.get("plugins"))), own])


def _signs_otherwise(own: PuterConfig, options: ClientOptions) -> bool:
    """Whether somebody else says who it is, or nobody asks."""
    names = {name.lower() for name in [*own.headers, *(options.get("default_headers") or ())]}
    is_embedded = own.api_base.startswith(EMBEDDED)
    others = options.get("policies") or options.get("http_client")
    return bool(is_embedded or others or "authorization" in names)


def _at_home(service: Settings) -> Settings:
    """Give a server in memory that is nobody else's a name, as both modes need the same one."""
    if service.base_url != EMBEDDED:
        return service
    own = f"{EMBEDDED}puter-{os.urandom(16).hex()}"
    return msgspec.structs.replace(service, base_url=own)
