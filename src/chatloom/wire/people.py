"""People, as an administrator makes them, changes them and has them listed."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from chatloom.wire.unshown import Unshown

Password: TypeAlias = Annotated[str, Meta(min_length=8, max_length=1024)]


class NewPerson(Unshown, kw_only=True, forbid_unknown_fields=True):
    """Somebody who is to have an account; `login` may be an e-mail address."""

    login: Annotated[str, Meta(min_length=1, max_length=254)]
    password: Password


class PersonChange(Unshown, kw_only=True, forbid_unknown_fields=True):
    """What is to be different about somebody; either ends all their sessions."""

    password: Password | None = None
    disabled: bool | None = None


class Person(msgspec.Struct, kw_only=True):
    """Somebody who can log in, unless they are disabled; never with their password."""

    id: str
    account_id: str
    login: str
    email: str | None
    name: str | None
    dev: bool
    created_at: str
    disabled_at: str | None


class PersonList(msgspec.Struct):
    """Every one, newest first."""

    people: list[Person]
