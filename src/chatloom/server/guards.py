"""What a browser might be talked into, refused before anything is read."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from chatloom.server.refusal import Refusal


def check_host(host: str | None, hosts: frozenset[str]) -> None:
    """Refuse a ``Host`` that is neither loopback, nor a plain address, nor one of *hosts*.

    A page that rebinds its own name to this machine shows that name here.
    """
    name = _host_name(host or "").lower()
    if not (name == "localhost" or name in hosts or _is_address(name)):
        raise Refusal(
            "misdirected",
            f"this server is not called {name!r}; `hosts` in chatloom.toml adds names",
            code="unknown_host",
        )


def check_origin(headers: Mapping[str, str], *, dev: bool, claimed: Collection[str] = ()) -> None:
    """Refuse foreign web pages in ``--dev``, where any key would do.

    Elsewhere they get no permission to read the answer, and need a key they cannot have. An
    origin that programs have *claimed* passes, unless a browser says that there is a page.
    """
    origin = headers.get("origin")
    if origin is None or not dev:
        return
    if origin in claimed and "sec-fetch-site" not in headers:
        return
    if _place(origin) != headers.get("host"):
        raise Refusal(
            "forbidden", "the dev server does not talk to other web pages", code="foreign_origin"
        )


def is_own_page(headers: Mapping[str, str], method: str) -> bool:
    """Whether a browser sends this for a page of this server, so that its cookies count.

    Reading needs no proof: a foreign page would not be shown what it is answered.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None:
        return _place(origin) == headers.get("host") and site in {None, "same-origin"}
    if method in {"GET", "HEAD"}:
        return site in {None, "same-origin", "none"}
    return site == "same-origin"


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


@lru_cache(maxsize=64)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
