"""People: who has an account of their own, and whether it is they who ask for it."""

from __future__ import annotations

import asyncio
import logging
import unicodedata

import msgspec

from chatloom.core.secret import Secret
from chatloom.server.identity.attempts import Attempts
from chatloom.server.identity.keys import Identity
from chatloom.server.identity.passwords import Passwords
from chatloom.server.identity.sessions import Held, Sessions
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.refusal import Refusal, invalid
from chatloom.server.store.administration import Deed
from chatloom.server.store.contract import Store
from chatloom.server.store.keys import Key
from chatloom.server.store.people import LoginTaken, Person

_log = logging.getLogger("chatloom.audit")


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who wants an account; the name they log in by may be their e-mail address."""

    login: str
    password: Secret
    email: str | None = None
    name: str | None = None


class People:
    """Registers people, and lets them in.

    Registering *is_open* or not. In *dev* it is, and whoever logs in by a name that
    nobody has is registered with it.
    """

    def __init__(self, store: Store, identity: Identity, *, dev: bool, is_open: bool) -> None:
        self._store = store
        self._dev = dev
        self._is_open = is_open or dev
        self._passwords = Passwords()
        self._attempts = Attempts()
        self._telling: set[asyncio.Task[None]] = set()
        self.sessions = Sessions(store, identity, dev=dev)

    async def close(self) -> None:
        """Let nobody in any more."""
        self._passwords.close()
        await asyncio.gather(*self._telling)

    def require_open(self) -> None:
        """Refuse where nobody can register."""
        if not self._is_open:
            raise Refusal(
                "forbidden",
                "nobody can register here; who runs this server allows it by"
                ' registration = "open" in chatloom.toml',
                code="registration_closed",
            )

    async def register(self, wanted: NewPerson, address: str | None) -> tuple[Person, Held]:
        """Make somebody an account, and let them in. Raises `Refusal`."""
        self.require_open()
        _check(wanted)
        attempt = self._attempts.count(address=address)
        if await self._find(wanted.login) is not None:
            raise _taken(wanted)
        try:
            person = await self._add(wanted)
        except LoginTaken:  # this very moment
            raise _taken(wanted) from None
        if self._dev:  # elsewhere nobody may register a whole town
            attempt.succeeded()
        return person, await self.sessions.begin(person)

    async def log_in(
        self, login: str, password: Secret, address: str | None
    ) -> tuple[Person, Held]:
        """Let somebody in who knows their password. Raises `Refusal`."""
        attempt = self._attempts.count(name=comparable(login), address=address)
        person = await self._find(login)
        if person is None and self._dev:
            person = await self._welcome(login, password)
        else:
            person = await self._proven(person, password)
        attempt.succeeded()
        return person, await self.sessions.begin(person)

    async def of(self, key: Key) -> Person | None:
        """Whose account *key* is for; `None` where it is nobody's, or the key another's there."""
        return None if key.owner is not None else await self._store.person_of(key.account_id)

    async def _find(self, login: str) -> Person | None:
        return await self._store.find_person(comparable(login), dev=self._dev)

    async def _proven(self, person: Person | None, password: Secret) -> Person:
        """That it is *person* who knows the password; for nobody it takes as long to refuse."""
        kept = None if person is None else person.password
        if not await self._passwords.match(kept, password) or person is None:
            if person is not None:
                self._tell_of_refusal(person)
            raise Refusal(
                "unauthenticated", "the name or the password is wrong", code="invalid_credentials"
            )
        if self._passwords.is_outdated(person.password):
            await self._store.set_password(person.id, await self._passwords.hash(password))
        return person

    def _tell_of_refusal(self, person: Person) -> None:
        """Put it into the audit log; nobody waits for that, who could tell by it who is known."""
        telling = asyncio.create_task(self._tell(_deed(person, "refused")))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell(self, deed: Deed) -> None:
        try:
            await self._store.record(deed)
        except Exception as error:
            _log.warning("a refusal could not be put into the audit log: %s", error)

    async def _welcome(self, login: str, password: Secret) -> Person:
        """Register whoever comes by a name that nobody has."""
        wanted = NewPerson(login=login, password=password, email=login if "@" in login else None)
        _check(wanted)
        try:
            return await self._add(wanted)
        except LoginTaken:  # two first logins at once
            return await self._proven(await self._find(login), password)

    async def _add(self, wanted: NewPerson) -> Person:
        id = new_id()
        person = Person(
            id=id,
            account_id=id,  # so that every key of the account tells of the same user
            login=comparable(wanted.login),
            email=wanted.email,
            name=wanted.name,
            password=await self._passwords.hash(wanted.password),
            created_at=milliseconds(),
            dev=self._dev,
        )
        await self._store.add_person(person, _deed(person, "registered"))
        return person


def comparable(login: str) -> str:
    """A name as names are compared: in lower case, however its letters were typed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", login).lower())


def is_email(text: str) -> bool:
    """Whether *text* looks like an e-mail address; whether it is one, only a letter would tell."""
    local, _, domain = text.rpartition("@")
    return (
        bool(local)
        and "@" not in local
        and all(domain.split("."))
        and text.isprintable()
        and not any(character.isspace() for character in text)
    )


def _check(wanted: NewPerson) -> None:
    """Refuse names that could not be told from others, or shown."""
    login, name = wanted.login, wanted.name
    if not login or not login.isprintable() or login.strip() != login:
        raise invalid("nobody can log in by such a name: it is one line, without spaces around it")
    if name is not None and not name.isprintable():
        raise invalid("name: a name is one line of text", param="name")


def _taken(wanted: NewPerson) -> Refusal:
    what = "this name" if wanted.email is None else "this e-mail address"
    return Refusal(
        "conflict",
        f"somebody is registered with {what} already; log in instead",
        code="already_registered",
        repeatable=False,
    )


def _deed(person: Person, done: str) -> Deed:
    return Deed(
        actor=person.id,
        action=f"person.{done}",
        resource="person",
        resource_id=person.id,
        account_id=person.account_id,
    )
