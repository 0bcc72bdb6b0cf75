"""People: who has an account of their own, and whether it is they who ask for it."""

from __future__ import annotations

import asyncio
import logging
import unicodedata
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from chatloom.core.secret import Secret
from chatloom.server.identity.attempts import Attempts
from chatloom.server.identity.keys import Identity
from chatloom.server.identity.passwords import Passwords
from chatloom.server.identity.sessions import ACCESS_FOR, Held, Sessions
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.refusal import Refusal, invalid, not_found
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
        self._identity = identity
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
        person = await self._new(wanted)
        if self._dev:  # elsewhere nobody may register a whole town
            attempt.succeeded()
        return person, await self.sessions.begin(person)

    async def add(self, wanted: NewPerson, deed: Deed) -> Person:
        """Make somebody an account who did not do so themselves. Raises `Refusal`."""
        _check(wanted)
        return await self._new(wanted, deed)

    async def change(
        self, id: str, deed: Deed, *, password: Secret | None = None, disabled: bool | None = None
    ) -> Person:
        """Give somebody another password, disable them or not; all their sessions end.

        Raises `Refusal` for nobody.
        """
        kept = None if password is None else await self._passwords.hash(password)
        person = await self._store.person(id)
        if person is None:
            raise not_found("person")
        deed = _about(person, deed)
        now = milliseconds()
        await self._store.change_person(id, now, deed, password=kept, disabled=disabled)
        self._identity.forget_account(person.account_id)
        return await self._store.person(id) or person

    async def log_in(
        self, login: str, password: Secret, address: str | None, lasting: int = ACCESS_FOR
    ) -> tuple[Person, Held]:
        """Let somebody in who knows their password. Raises `Refusal`.

        *lasting* is for how many seconds what they hold works without being renewed.
        """
        attempt = self._attempts.count(name=comparable(login), address=address)
        person = await self._find(login)
        if person is None and self._dev:
            person = await self._welcome(login, password)
        else:
            person = await self._proven(person, password)
        attempt.succeeded()
        held = await self.sessions.begin(person, lasting)
        await self._check_still(person, password, held)
        return person, held

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
        if person.disabled_at is not None:
            raise Refusal(
                "unauthenticated", "this person may not log in any more", code="account_suspended"
            )
        if self._passwords.is_outdated(person.password):
            await self._store.keep_anew(person, await self._passwords.hash(password))
        return person

    async def _check_still(self, person: Person, password: Secret, held: Held) -> None:
        """End what was begun this very moment where *person* is no longer let in by *password*."""
        now = await self._store.person(person.id)
        try:
            if now != person:
                await self._proven(now, password)
        except Refusal:
            with suppress(Refusal):  # it may have ended with the others
                await self.sessions.end(await self._identity.of(held.access.reveal()))
            raise

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

    async def _new(self, wanted: NewPerson, deed: Deed | None = None) -> Person:
        if await self._find(wanted.login) is not None:
            raise _taken(wanted)
        try:
            return await self._add(wanted, deed)
        except LoginTaken:  # this very moment
            raise _taken(wanted) from None

    async def _add(self, wanted: NewPerson, deed: Deed | None = None) -> Person:
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
        told = _deed(person, "registered") if deed is None else _about(person, deed)
        await self._store.add_person(person, told)
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


def _about(person: Person, deed: Deed) -> Deed:
    return replace(deed, resource_id=person.id, account_id=person.account_id)


def _deed(person: Person, done: str) -> Deed:
    return Deed(
        actor=person.id,
        action=f"person.{done}",
        resource="person",
        resource_id=person.id,
        account_id=person.account_id,
    )
