"""The two clients: `ZaguanClient` blocks, `AsyncZaguanClient` is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from chatloom.core.clients import AwaitingClient, BlockingClient
from chatloom.core.engine import Async, Mode, RawAsync, RawSync, Sync
from chatloom.core.errors import SettingsError
from chatloom.core.secret import Secret
from chatloom.core.settings import Habits
from chatloom.core.spelling import spelled_out
from chatloom.engines import ClientOptions, CommonOptions, engine, settings
from chatloom.policies.authorize import Authorize
from zaguan.errors import documented
from zaguan.models import Config
from zaguan.operations import Zaguan

if TYPE_CHECKING:
    from chatloom.transports.httpx import HttpxClient

_HABITS = Habits(
    name="zaguan",
    base_url="https://api.zaguanai.com",
    key_variable="ZAGUAN_API_KEY",
    url_variable="ZAGUAN_BASE_URL",
    path="/v1",
    timeout=30.0,
)


class _Configured(Zaguan[Mode]):
    """How either client is set up."""

    @spelled_out(CommonOptions)
    def __init__(
        self,
        base_url: str | Config | None = None,
        api_key: str | Secret | None = None,
        timeout: float | None = None,
        http_client: HttpxClient | None = None,
        **options: Unpack[CommonOptions],
    ) -> None:
        """Set up the client; nothing is sent yet. Raises `chatloom.SettingsError`."""
        if isinstance(base_url, Config):
            config, base_url = base_url, base_url.base_url
            api_key = config.api_key if api_key is None else api_key
            timeout = config.timeout if timeout is None else timeout
        _check_not_empty(base_url, api_key)
        told = settings(
            _HABITS,
            base_url=base_url,
            api_key=api_key,
            timeout=_HABITS.timeout if timeout is None else timeout,
            max_retries=options.get("max_retries"),
        )
        every: ClientOptions = {**options, "http_client": http_client}
        super().__init__(
            engine(self._fixed_mode(), told, Authorize, options=every, named=documented)
        )
        self.base_url = told.base_url
        self.api_key = told.api_key


def _check_not_empty(base_url: str | None, api_key: str | Secret | None) -> None:
    if isinstance(base_url, str) and not base_url.strip():
        raise SettingsError("base_url cannot be empty")
    key = api_key.reveal() if isinstance(api_key, Secret) else api_key
    if isinstance(key, str) and not key.strip():
        raise SettingsError("api_key cannot be empty")


class ZaguanClient(_Configured[Sync], BlockingClient):
    """The blocking client; safe to share between threads.

    A `Config` may stand in the place of *base_url*. *timeout* is in seconds, for
    connecting and for each read; `None` stands for 30. *http_client* is an `httpx` or
    `httpx2` client to send through, which stays its owner's to close. What is not
    given comes from ``ZAGUAN_API_KEY`` and ``ZAGUAN_BASE_URL``, then from
    ``CHATLOOM_API_KEY``, ``CHATLOOM_BASE_URL``, ``CHATLOOM_TIMEOUT`` and
    ``CHATLOOM_MAX_RETRIES``, then from the configuration file. The options are
    those of every client of this family, see `chatloom.engines.CommonOptions`.
    """

    @property
    def with_raw_response(self) -> Zaguan[RawSync]:
        """The same calls, each answering with a `Raw`: the HTTP response beside the answer."""
        return Zaguan(self._engine.in_mode(RawSync))


class AsyncZaguanClient(_Configured[Async], AwaitingClient):
    """The asyncio client: the same calls, awaited.

    Takes the same arguments as `ZaguanClient`, from the same places.
    """

    @property
    def with_raw_response(self) -> Zaguan[RawAsync]:
        """The same calls, each answering with a `Raw`: the HTTP response beside the answer."""
        return Zaguan(self._engine.in_mode(RawAsync))
