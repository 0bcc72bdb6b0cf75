"""People, as administrators make them, change them and list them."""

from __future__ import annotations

from chatloom.core.secret import Secret
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.keys import is_control
from chatloom.server.identity.people import NewPerson, People, is_email
from chatloom.server.identity.powers import USER_SCOPES, require_scopes
from chatloom.server.moments import iso
from chatloom.server.protocols.deeds import deed
from chatloom.server.refusal import invalid
from chatloom.server.routes import Route
from chatloom.server.store import people as kept
from chatloom.server.store.contract import Store
from chatloom.wire import people as wire


async def list_people(call: Call) -> Reply:
    """Answer ``GET /admin/people``."""
    return json_reply(await tell_people(call.services.store))


async def create_person(call: Call) -> Reply:
    """Answer ``POST /admin/people``, also where nobody may register."""
    wanted = await call.read(wire.NewPerson)
    _require_as_much(call)
    return json_reply(await make_person(call.services.people, wanted, by=call), 201)


async def change_person(call: Call) -> Reply:
    """Answer ``PATCH /admin/people/{person_id}``."""
    wanted, id = await call.read(wire.PersonChange), call.parts["person_id"]
    if wanted.password is not None:
        _require_as_much(call)
    return json_reply(await alter_person(call.services.people, id, wanted, by=call))


def _require_as_much(call: Call) -> None:
    """Keep a key from logging in, by a password that it gave, to more than it has itself."""
    if not is_control(call.key):
        require_scopes(call.key, USER_SCOPES)


async def tell_people(store: Store) -> wire.PersonList:
    """Describe everybody who logs in."""
    return wire.PersonList([_told(person) for person in await store.people()])


async def make_person(people: People, wanted: wire.NewPerson, *, by: Call | str) -> wire.Person:
    """Make somebody an account, who logs in by a name. Raises `Refusal`."""
    login = wanted.login
    email = login if is_email(login) else None
    new = NewPerson(login=login, password=Secret(wanted.password), email=email)
    return _told(await people.add(new, deed(by, "person.created", login=login)))


async def alter_person(
    people: People, id: str, wanted: wire.PersonChange, *, by: Call | str
) -> wire.Person:
    """Give somebody another password, or disable them or not. Raises `Refusal`."""
    if wanted.password is None and wanted.disabled is None:
        raise invalid("there is nothing to change; a password or disabled is needed")
    password = None if wanted.password is None else Secret(wanted.password)
    told = deed(by, "person.changed", id, password=password is not None, disabled=wanted.disabled)
    return _told(await people.change(id, told, password=password, disabled=wanted.disabled))


def _told(person: kept.Person) -> wire.Person:
    return wire.Person(
        id=person.id,
        account_id=person.account_id,
        login=person.login,
        email=person.email,
        name=person.name,
        dev=person.dev,
        created_at=iso(person.created_at),
        disabled_at=iso(person.disabled_at),
    )


ROUTES = (
    Route(
        method="GET",
        path="/admin/people",
        owner="chatloom",
        summary="List everybody who logs in",
        endpoint=list_people,
        scope="admin",
        answer=wire.PersonList,
    ),
    Route(
        method="POST",
        path="/admin/people",
        owner="chatloom",
        summary="Make somebody an account, who logs in by a name and a password",
        endpoint=create_person,
        scope="admin",
        request=wire.NewPerson,
        answer=wire.Person,
        status=201,
        errors=("invalid", "conflict", "unavailable"),
    ),
    Route(
        method="PATCH",
        path="/admin/people/{person_id}",
        owner="chatloom",
        summary="Give somebody another password, or disable them; their sessions end at once",
        endpoint=change_person,
        scope="admin",
        request=wire.PersonChange,
        answer=wire.Person,
        errors=("invalid", "not_found", "unavailable"),
    ),
)
