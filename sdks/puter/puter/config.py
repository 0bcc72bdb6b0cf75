"""How clients are set up: `config` for all of them, overrides for each.

What is not set is looked up when it is asked for, so at the latest when a client is
made, and never at import: in the environment (``PUTER_API_BASE`` and so on), then in
the file that was loaded, then in ``CHATLOOM_BASE_URL``, ``CHATLOOM_TIMEOUT`` and
``CHATLOOM_MAX_RETRIES``, then in chatloom's own configuration file. A client keeps
what it was made with.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self, TypedDict, Unpack, cast
from urllib.parse import urlsplit

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.core.settings import EMBEDDED, Habits, Settings
from chatloom.core.spelling import spelled_out
from chatloom.engines import settings

if TYPE_CHECKING:
    from pathlib import Path

    from chatloom.core.secret import Secret

__all__ = ["ConfigOptions", "PuterConfig", "config"]

HABITS = Habits(
    name="puter",
    base_url="https://api.puter.com",
    key_variable="PUTER_TOKEN",
    url_variable="PUTER_API_BASE",
    timeout=30.0,
    max_retries=3,
)
_LOGIN_URL = "https://puter.com/login"


class ConfigOptions(TypedDict, total=False):
    """The attributes of a `PuterConfig`; a client takes them as keywords, for itself."""

    api_base: str
    """Where the API is; ``embedded:`` for a server inside this process."""
    login_url: str
    """Where to log in; a path alone is at the API's host."""
    timeout: float | None
    """Seconds to wait for a connection, and for each read; `None` waits for ever."""
    max_retries: int
    """How often a call that failed for a passing reason is sent again at most."""
    retry_delay: float
    """Seconds before the first repetition, less up to a quarter by chance."""
    backoff_factor: float
    """How many times longer each further wait is than the one before."""
    rate_limit_requests: int | None
    """How many requests a client sends in any `rate_limit_period`; `None` for no limit."""
    rate_limit_period: float
    """Seconds."""
    headers: Mapping[str, str]
    """Sent with every request, after those of the global configuration."""
    max_history_messages: int | None
    """How many messages a history keeps, oldest pairs dropped first; `None` for all."""
    max_history_tokens: int | None
    """The same in tokens, estimated at four characters each."""


_COUNT: Any = Annotated[int, msgspec.Meta(ge=0)]
_SECONDS: Any = Annotated[float, msgspec.Meta(gt=0, lt=1e9)]
_SOME: Any = Annotated[int, msgspec.Meta(ge=1)]

_KINDS: Mapping[str, Any] = {
    "api_base": str,
    "login_url": str,
    "timeout": _SECONDS | None,
    "max_retries": _COUNT,
    "retry_delay": Annotated[float, msgspec.Meta(ge=0, lt=1e9)],
    "backoff_factor": Annotated[float, msgspec.Meta(ge=1, le=1000)],
    "rate_limit_requests": _SOME | None,
    "rate_limit_period": _SECONDS,
    "headers": dict[str, str],
    "max_history_messages": _COUNT | None,
    "max_history_tokens": _COUNT | None,
}
_DEFAULTS: Mapping[str, object] = {
    "retry_delay": 1.0,
    "backoff_factor": 2.0,
    "rate_limit_requests": 10,
    "rate_limit_period": 60.0,
    "max_history_messages": None,
    "max_history_tokens": None,
}


class PuterConfig:
    """How clients are set up; each attribute is what was set, else what is to be found.

    A value that makes no sense raises `chatloom.SettingsError`, a `ValueError`, where it is
    set; one from the environment, where it is read.
    """

    api_base: str
    login_url: str
    timeout: float | None
    max_retries: int
    retry_delay: float
    backoff_factor: float
    rate_limit_requests: int | None
    rate_limit_period: float
    headers: dict[str, str]
    max_history_messages: int | None
    max_history_tokens: int | None

    @spelled_out(ConfigOptions)
    def __init__(self, **options: Unpack[ConfigOptions]) -> None:
        """Set what is given, and leave the rest to be found. Raises `chatloom.SettingsError`."""
        vars(self)["_loaded"] = dict[str, object]()
        self.headers = {}
        self.update(**options)

    @spelled_out(ConfigOptions)
    def update(self, **options: Unpack[ConfigOptions]) -> None:
        """Change it for the clients made from now on: all that is given, or nothing.

        Raises `chatloom.SettingsError`.
        """
        checked = {name: _checked(name, value) for name, value in options.items()}
        vars(self).update(checked)

    @spelled_out(ConfigOptions)
    def copy(self, **options: Unpack[ConfigOptions]) -> PuterConfig:
        """Make another one that differs in what is given; headers are added to those here."""
        other = PuterConfig()
        vars(other).update(vars(self))
        headers = {**self.headers, **(options.get("headers") or {})}
        other.update(**cast("ConfigOptions", {**options, "headers": headers}))
        return other

    def load(self, path: str | Path) -> Self:
        """Read a TOML file: its table ``[puter]``, or all of it where it has none.

        What is set here, or in the environment, goes before. Raises `chatloom.SettingsError`.
        """
        import tomllib
        from pathlib import Path

        try:
            whole = tomllib.loads(Path(path).read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path}: {error}") from error
        table = whole.get("puter", whole)
        if not isinstance(table, dict):
            raise SettingsError(f"{path}: puter is not a table")
        try:
            told = cast("dict[str, object]", table).items()
            loaded = {name: _checked(name, _unless_none(value)) for name, value in told}
        except (AttributeError, SettingsError) as error:
            raise SettingsError(f"{path}: {error}") from None
        headers = cast("dict[str, str]", loaded.pop("headers", {}))
        self.headers = {**headers, **self.headers}
        vars(self)["_loaded"] = loaded
        return self

    def settled(self) -> PuterConfig:
        """Make one that has looked up all that is still to be found, and does so no more."""
        other = PuterConfig()
        vars(other).update({name: _checked(name, getattr(self, name)) for name in _KINDS})
        return other

    def service(self, token: str | Secret | None = None) -> Settings:
        """How the service is reached. Raises `chatloom.SettingsError`."""
        base_url, timeout, most = map(self._told, ("api_base", "timeout", "max_retries"))
        return settings(
            HABITS,
            base_url=None if base_url is ... else base_url,
            api_key=token,
            timeout=timeout,
            max_retries=None if most is ... else most,
        )

    def _told(self, name: str) -> Any:
        """What was set here, or said in the environment or the file; `...` for nothing."""
        variable = f"PUTER_{name.upper()}"
        if name not in vars(self) and (text := os.environ.get(variable)):
            try:
                return _checked(name, _unless_none(text), strict=False)
            except SettingsError as error:
                raise SettingsError(f"{variable}: {error}") from None
        return vars(self).get(name, vars(self)["_loaded"].get(name, ...))

    def _login_url(self) -> str:
        found = self.service().base_url
        if found == HABITS.base_url:
            return _LOGIN_URL
        if found.startswith(EMBEDDED):
            return "/login"
        at = urlsplit(found)
        return f"{at.scheme}://{at.netloc}/login"

    if not TYPE_CHECKING:  # they would make every name an attribute

        def __getattr__(self, name: str) -> object:
            if name not in _KINDS:
                raise AttributeError(_unknown(name))
            if (told := self._told(name)) is not ...:
                return told
            if name == "login_url":
                return self._login_url()
            if name in _DEFAULTS:
                return _DEFAULTS[name]
            return getattr(self.service(), _FOUND[name])

        def __setattr__(self, name: str, value: object) -> None:
            vars(self)[name] = _checked(name, value)

    def __repr__(self) -> str:
        told = {name: getattr(self, name) for name in _KINDS}
        told["headers"] = sorted(self.headers)  # some of their values are secrets
        return f"PuterConfig({', '.join(f'{name}={value!r}' for name, value in told.items())})"


_FOUND = {"api_base": "base_url", "timeout": "timeout", "max_retries": "max_retries"}


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, _KINDS, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"a PuterConfig has no attribute {name!r}{hint}"


def _unless_none(value: object) -> object:
    """What a text means that has no other way to say `None`."""
    return None if isinstance(value, str) and value.lower() == "none" else value


def _checked(name: str, value: object, *, strict: bool = True) -> object:
    """Give the value of an attribute in its type. Raises `SettingsError`."""
    if name not in _KINDS:
        raise AttributeError(_unknown(name))
    try:
        checked = msgspec.convert(value, _KINDS[name], strict=strict)
    except msgspec.ValidationError as error:
        reason = str(error).partition(" - at ")[0]
        raise SettingsError(f"{name} cannot be {value!r:.80}: {reason.lower()}") from None
    if name in {"api_base", "login_url"}:
        _check_address(name, checked)
    if name == "headers":
        _check_headers(checked)
    return checked


def _check_address(name: str, address: str) -> None:
    """Refuse to send passwords and tokens where anybody may read them."""
    if address.startswith(EMBEDDED) or (name == "login_url" and address.startswith("/")):
        return
    try:
        at = urlsplit(address.strip())
        scheme, host = at.scheme, at.hostname or ""
    except ValueError:
        scheme = host = ""
    if scheme not in {"http", "https"} or not host:
        raise SettingsError(f"{name} must begin with https:// or {EMBEDDED}, not {address!r:.80}")
    if scheme == "http" and not _is_loopback(host):
        raise SettingsError(
            f"{name} must be https://, not {address!r:.80}:"
            " only to this machine do passwords and tokens go without encryption"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not (name.isascii() and name.isprintable() and name and set(name).isdisjoint(" :")):
            raise SettingsError(f"headers: {name!r:.80} is not the name of a header")
        if not (value.isascii() and value.isprintable()):
            raise SettingsError(
                f"headers: the value of {name!r:.80} holds a line break,"
                " or another character that cannot be sent"
            )


config = PuterConfig()
"""What holds for every client that is made after it was changed."""
