"""People: they register, log in and out, and see what they used."""

from __future__ import annotations

from chatloom.core.secret import Secret
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.people import NewPerson, is_email
from chatloom.server.identity.sessions import Held
from chatloom.server.ids import milliseconds
from chatloom.server.moments import iso
from chatloom.server.refusal import invalid
from chatloom.server.routes import Route
from chatloom.server.store.people import Person
from chatloom.wire import chatroutes as wire
from chatloom.wire.chatloom import Money


async def register(call: Call) -> Reply:
    """Answer ``POST /api/v1/auth/register``; e-mail addresses are their names to log in by."""
    call.services.people.require_open()
    asked = await call.read(wire.Registration)
    if not is_email(asked.email):
        raise invalid("email: that is no e-mail address, as ann@example.org is one", param="email")
    wanted = NewPerson(
        login=asked.email,
        password=Secret(asked.password),
        email=asked.email,
        name=asked.name or None,
    )
    made, held = await call.services.people.register(wanted, call.address)
    return json_reply(wire.Answer(data=_session(call, made, held)), 201)


async def log_in(call: Call) -> Reply:
    """Answer ``POST /api/v1/auth/login``; in ``--dev``, the first login of a name registers it."""
    asked = await call.read(wire.Login)
    password = Secret(asked.password)
    person, held = await call.services.people.log_in(asked.email, password, call.address)
    return json_reply(wire.Answer(data=_session(call, person, held)))


async def renew_session(call: Call) -> Reply:
    """Answer ``POST /api/v1/auth/refresh``."""
    asked = await call.read(wire.Renewal)
    held = await call.services.people.sessions.renew(asked.refresh_token)
    return json_reply(wire.Answer(data=_tokens(held)))


async def log_out(call: Call) -> Reply:
    """Answer ``POST /api/v1/auth/logout``; a key that is no access token is refused."""
    await call.services.people.sessions.end(call.key)
    return json_reply(wire.Done())


async def get_me(call: Call) -> Reply:
    """Answer ``GET /api/v1/auth/me``: the person whose account the key is for.

    A key that belongs to an end user tells of them, and one of an account that is nobody's,
    of that account; neither was registered, so the address is empty where their name is none.
    """
    person = await call.services.people.of(call.key)
    user = await _nobody(call) if person is None else _user(call, person)
    return json_reply(wire.Answer(data=user))


async def get_usage(call: Call) -> Reply:
    """Answer ``GET /api/v1/users/me/usage``: what the account used, or the key's end user there.

    Nothing here counts by tokens what may be used; credits and budgets count money.
    """
    used = await call.services.store.use_of(call.key.account_id, call.key.owner)
    told = wire.TokenUsage(
        tokens_used=used.prompt_tokens + used.completion_tokens,
        token_quota=None,
        requests=used.requests,
        cost=Money.of(used.spent),
    )
    return json_reply(wire.Answer(data=told))


async def _nobody(call: Call) -> wire.User:
    key = call.key
    account = await call.services.store.find_account(key.account_id)
    return wire.User(
        id=key.owner or key.account_id,
        email=key.owner if key.owner is not None and is_email(key.owner) else "",
        name=None,
        plan=call.services.tiers.of(key.tier).name,
        created_at=iso(milliseconds() if account is None else account.created_at),
    )


def _user(call: Call, person: Person) -> wire.User:
    return wire.User(
        id=person.id,
        email=person.email or "",
        name=person.name,
        plan=call.services.tiers.of(person.tier).name,
        created_at=iso(person.created_at),
    )


def _session(call: Call, person: Person, held: Held) -> wire.Session:
    return wire.Session(user=_user(call, person), tokens=_tokens(held))


def _tokens(held: Held) -> wire.Tokens:
    return wire.Tokens(
        access_token=held.access.reveal(),
        refresh_token=held.refresh.reveal(),
        expires_in=held.expires_in,
    )


ROUTES = (
    Route(
        method="POST",
        path="/api/v1/auth/register",
        owner="chatroutes",
        summary="Register, and begin a session: with `--dev`, or where the configuration says so",
        endpoint=register,
        scope="public",
        request=wire.Registration,
        answer=wire.Answer[wire.Session],
        status=201,
        errors=("invalid", "forbidden", "conflict", "rate_limited", "unavailable"),
    ),
    Route(
        method="POST",
        path="/api/v1/auth/login",
        owner="chatroutes",
        summary="Begin a session",
        endpoint=log_in,
        scope="public",
        request=wire.Login,
        answer=wire.Answer[wire.Session],
        errors=("invalid", "unauthenticated", "rate_limited", "unavailable"),
    ),
    Route(
        method="POST",
        path="/api/v1/auth/refresh",
        owner="chatroutes",
        summary="Exchange a refresh token for new tokens; one that comes twice ends its session",
        endpoint=renew_session,
        scope="public",
        request=wire.Renewal,
        answer=wire.Answer[wire.Tokens],
        errors=("invalid", "unauthenticated", "conflict"),
    ),
    Route(
        method="POST",
        path="/api/v1/auth/logout",
        owner="chatroutes",
        summary="End the session of the access token that is shown",
        endpoint=log_out,
        scope="chat",
        answer=wire.Done,
        errors=("invalid",),
    ),
    Route(
        method="GET",
        path="/api/v1/auth/me",
        owner="chatroutes",
        summary="Say who asks",
        endpoint=get_me,
        scope="chat",
        answer=wire.Answer[wire.User],
    ),
    Route(
        method="GET",
        path="/api/v1/users/me/usage",
        owner="chatroutes",
        summary="Say what the account used, or the end user that the key belongs to",
        endpoint=get_usage,
        scope="chat",
        answer=wire.Answer[wire.TokenUsage],
    ),
)
