"""People, who log in by their name and hold one token until they log out."""

from __future__ import annotations

from chatloom.core.secret import Secret
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.identity.sessions import REFRESH_FOR
from chatloom.server.protocols.puter import tokens
from chatloom.server.refusal import invalid
from chatloom.server.routes import Route
from chatloom.wire import puter as wire


async def log_in_to_puter(call: Call) -> Reply:
    """Answer ``POST /login``; in ``--dev``, the first login of a name registers it.

    Nothing renews a session here, so its token works for as long as others can be renewed.
    """
    asked = await call.read(wire.PuterLogin)
    name = asked.username or asked.email
    if name is None:
        raise invalid("username: is required", param="username")
    person, held = await call.services.people.log_in(
        name, Secret(asked.password), call.address, lasting=REFRESH_FOR
    )
    user = wire.LoggedInUser(username=person.login, uuid=person.id, email=person.email)
    reply = json_reply(wire.LoggedIn(token=held.access.reveal(), user=user))
    reply.headers += tokens.cookie(call, held.access, held.expires_in)
    return reply


async def log_out_of_puter(call: Call) -> Reply:
    """Answer ``POST /logout``; a key that no login gave is refused."""
    await call.services.people.sessions.end(call.key)
    reply = json_reply(wire.LoggedOut())
    reply.headers += tokens.cookie(call, Secret(""), 0)
    return reply


async def whoami(call: Call) -> Reply:
    """Answer ``GET /whoami``: the person whose account the token is for.

    A key that belongs to an end user tells of them, and one of an account that is nobody's,
    of that account.
    """
    person = await call.services.people.of(call.key)
    if person is None:
        name = call.key.owner or call.key.account_id
        return json_reply(wire.PuterUser(username=name, uuid=name, email=None))
    told = wire.PuterUser(username=person.login, uuid=person.id, email=person.email)
    return json_reply(told)


ROUTES = (
    Route(
        method="POST",
        path="/login",
        owner="puter",
        summary="Begin a session; its token works for thirty days",
        endpoint=log_in_to_puter,
        scope="public",
        request=wire.PuterLogin,
        answer=wire.LoggedIn,
        errors=("invalid", "unauthenticated", "rate_limited", "unavailable"),
    ),
    Route(
        method="POST",
        path="/logout",
        owner="puter",
        summary="End the session of the token that is shown",
        endpoint=log_out_of_puter,
        scope="chat",
        takes_token=True,
        answer=wire.LoggedOut,
        errors=("invalid",),
    ),
    Route(
        method="GET",
        path="/whoami",
        owner="puter",
        summary="Say who asks",
        endpoint=whoami,
        scope="chat",
        takes_token=True,
        answer=wire.PuterUser,
    ),
)
