"""Who the client is, and that nobody else learns it."""

from __future__ import annotations

import asyncio
import gc
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType, ModuleType
from typing import Any

import pytest

from chatloom import SettingsError, StatusError
from puter import PuterAI, PuterAPIError, PuterAuthError, PuterRateLimitError
from puter import PuterSecondFactorError as SecondFactor
from support.puter import LOGGED_IN, PASSWORD, TOKEN, Reply, Using, echo, refused, said, service
from transports.scripted import Asked

OTP = {"proceed": True, "next_step": "otp", "otp_jwt_token": "half-a-login"}
WRONG = refused(b"401 Unauthorized", "password_mismatch", "Incorrect password.")


def waiting(_: Asked) -> Reply:
    return Reply(json.dumps(OTP).encode(), b"202 Accepted")


def test_logging_in_gives_the_token_that_calls_are_signed_with(using: Using) -> None:
    with service(said("hi")) as puter:
        client = puter.client()
        assert using(client).login() is True
        using(client).chat("hi")
        login, call = puter.asked
    assert json.loads(login.body) == {"username": "ann", "password": PASSWORD}
    assert (login.target, login.all("authorization")) == ("/login", [])
    assert call.all("authorization") == [f"Bearer {TOKEN}"]
    assert TOKEN not in call.body.decode()


def test_an_email_address_logs_in_too(using: Using) -> None:
    with service(said("hi")) as puter:
        using(puter.client(username="ann@x.test")).login()
        assert json.loads(puter.asked[0].body) == {"email": "ann@x.test", "password": PASSWORD}


def test_the_first_call_logs_in_by_itself(using: Using) -> None:
    with service(said("hi")) as puter:
        either = using(puter.client())
        either.chat("one")
        either.chat("two")
        assert puter.targets == ["POST /login", "POST /drivers/call", "POST /drivers/call"]


def test_a_token_needs_no_login(using: Using) -> None:
    with service(said("hi")) as puter:
        assert using(puter.client(token=TOKEN)).chat("hi") == "hi"
        assert puter.targets == ["POST /drivers/call"]


def test_a_stream_logs_in_too(using: Using) -> None:
    with service(echo) as puter:
        assert using(puter.client()).stream("hi") == ["hi"]
        assert puter.targets == ["POST /login", "POST /drivers/call"]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (WRONG, "password_mismatch"),
        (refused(b"400 Bad Request", "bad_request", "Password is too short."), "bad_request"),
        (refused(b"403 Forbidden", "forbidden", "Not from there."), "forbidden"),
        (refused(b"404 Not Found", "not_found", "No such user."), "not_found"),
        (Reply(b"Incorrect password.", b"400 Bad Request", ()), None),
    ],
)
def test_a_login_that_is_refused_is_sent_once(using: Using, reply: Reply, code: str) -> None:
    with service(said("hi"), logins=[reply]) as puter:
        client = puter.client()
        with pytest.raises(PuterAuthError) as caught:
            using(client).login()
        assert puter.targets == ["POST /login"]
    error = caught.value
    assert (error.status_code, error.code) == (int(reply.status[:3]), code)
    assert not isinstance(error, PuterAPIError)
    assert isinstance(error, StatusError)


def test_a_wrong_password_is_not_tried_again_until_it_is_asked_for(using: Using) -> None:
    with service(said("hi"), logins=[WRONG, LOGGED_IN]) as puter:
        either = using(puter.client())
        for _ in range(3):
            with pytest.raises(PuterAuthError, match="Incorrect password"):
                either.chat("hi")
        assert puter.targets == ["POST /login"]
        either.login()
        assert either.chat("hi") == "hi"


def test_a_passing_failure_of_the_login_is_repeated(using: Using) -> None:
    busy = refused(b"503 Service Unavailable", "busy", "Later.")
    with service(said("hi"), logins=[None, busy, LOGGED_IN]) as puter:
        assert using(puter.client()).login()
        assert puter.targets == ["POST /login"] * 3


def test_too_many_logins_are_no_wrong_password(using: Using) -> None:
    slowly = refused(b"429 Too Many Requests", "too_many_requests", "Slowly.")
    with service(said("hi"), logins=[slowly]) as puter, pytest.raises(PuterRateLimitError):
        using(puter.client(max_retries=0)).login()


def test_calls_at_once_log_in_once() -> None:
    async def main(client: PuterAI) -> None:
        async with client:
            await asyncio.gather(*(client.async_chat(f"{n}") for n in range(20)))

    with service(echo) as puter:
        asyncio.run(main(puter.client()))
        assert puter.targets.count("POST /login") == 1
    with service(echo) as puter, puter.client() as client, ThreadPoolExecutor(8) as threads:
        list(threads.map(client.chat, "abcdefgh"))
        assert puter.targets.count("POST /login") == 1


def test_calls_at_once_send_a_wrong_password_once() -> None:
    async def main(client: PuterAI) -> list[object]:
        async with client:
            calls = (client.async_chat(f"{n}") for n in range(20))
            return list(await asyncio.gather(*calls, return_exceptions=True))

    with service(echo, logins=[WRONG]) as puter:
        failures = asyncio.run(main(puter.client()))
        assert {type(one) for one in failures} == {PuterAuthError}
        assert puter.targets == ["POST /login"]


# The second factor


def test_a_second_factor_is_asked_for_and_told(using: Using) -> None:
    with service(said("hi"), logins=[waiting, LOGGED_IN]) as puter:
        either = using(puter.client())
        with pytest.raises(SecondFactor, match=r"login\(otp=…\)") as caught:
            either.chat("hi")
        assert (caught.value.status_code, caught.value.code) == (202, "otp")
        assert either.login(otp="123456")
        assert either.chat("hi") == "hi"
        assert puter.targets == ["POST /login", "POST /login/otp", "POST /drivers/call"]
        told = json.loads(puter.asked[1].body)
    assert told == {"token": "half-a-login", "code": "123456"}


def test_a_code_may_come_at_once(using: Using) -> None:
    with service(said("hi"), logins=[waiting, LOGGED_IN]) as puter:
        assert using(puter.client()).login(otp="123456")
        assert puter.targets == ["POST /login", "POST /login/otp"]


def test_a_wrong_code_may_be_told_again(using: Using) -> None:
    with service(said("hi"), logins=[waiting, {"proceed": False}, LOGGED_IN]) as puter:
        either = using(puter.client())
        with pytest.raises(PuterAuthError, match="the code may be wrong"):
            either.login(otp="1")
        assert either.login(otp="2")
        assert puter.targets == ["POST /login", "POST /login/otp", "POST /login/otp"]


def test_a_login_that_waits_no_more_begins_anew(using: Using) -> None:
    late = refused(b"401 Unauthorized", "token_auth_failed", "Too late.")
    with service(said("hi"), logins=[waiting, late, waiting, LOGGED_IN]) as puter:
        either = using(puter.client())
        with pytest.raises(PuterAuthError, match="Too late"):
            either.login(otp="1")
        assert either.login(otp="2")
        assert puter.targets == ["POST /login", "POST /login/otp"] * 2


# Where credentials come from


def test_credentials_come_from_the_environment(
    using: Using, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service(said("hi")) as puter:
        monkeypatch.setenv("PUTER_API_BASE", puter.url)
        monkeypatch.setenv("PUTER_USERNAME", "bob")
        monkeypatch.setenv("PUTER_PASSWORD", "hidden")
        using(PuterAI()).chat("hi")
        assert json.loads(puter.asked[0].body) == {"username": "bob", "password": "hidden"}
        monkeypatch.setenv("PUTER_TOKEN", "before-names")
        using(PuterAI()).chat("hi")
        assert puter.asked[-1].all("authorization") == ["Bearer before-names"]
        using(PuterAI("ann", "own")).chat("hi")
        assert json.loads(puter.asked[-2].body) == {"username": "ann", "password": "own"}


@pytest.mark.parametrize("known", ["", "ann"])
def test_a_name_has_its_password_from_the_environment(
    using: Using, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    monkeypatch.setenv("PUTER_PASSWORD", "hidden")
    monkeypatch.setenv("PUTER_USERNAME", known)
    with service(said("hi")) as puter:
        using(PuterAI("ann", api_base=puter.url)).chat("hi")
        assert json.loads(puter.asked[0].body) == {"username": "ann", "password": "hidden"}
        monkeypatch.setenv("PUTER_USERNAME", "somebody else")
        with pytest.raises(PuterAuthError, match="no password for 'ann'"):
            using(PuterAI("ann", api_base=puter.url)).chat("hi")


def test_somebody_without_credentials_is_told_what_to_give(using: Using) -> None:
    with service(said("hi")) as puter:
        for client, lack in (
            (PuterAI(api_base=puter.url), "there is nothing to log in with: .* PUTER_PASSWORD"),
            (
                PuterAI("ann", api_base=puter.url),
                "there is no password for 'ann': .* PUTER_PASSWORD",
            ),
        ):
            with pytest.raises(PuterAuthError, match=lack):
                using(client).chat("hi")
        assert puter.targets == []


@pytest.mark.parametrize("name", ["username", "password", "token"])
def test_credentials_are_text(name: str) -> None:
    credentials: dict[str, Any] = {"username": "ann", "password": "p", name: 5}
    with pytest.raises(SettingsError, match=f"{name} must be text, not int"):
        PuterAI(**credentials)


def test_an_expired_token_says_so(using: Using) -> None:
    body = {"error": "Expired.", "message": "Expired.", "code": "reauth_required"}
    reply = Reply(json.dumps(body).encode(), b"401 Unauthorized")
    with service(reply) as puter, pytest.raises(PuterAuthError, match="Expired") as caught:
        using(puter.client(token=TOKEN)).chat("hi")
    assert (caught.value.code, puter.targets) == ("reauth_required", ["POST /drivers/call"])


# Secrets


def test_nothing_shows_a_secret(using: Using, caplog: pytest.LogCaptureFixture) -> None:
    def repeating(asked: Asked) -> Reply:
        return Reply(asked.body + repr(asked.headers).encode(), b"500 Internal Server Error")

    with service(repeating, logins=[LOGGED_IN, repeating]) as puter:
        client = puter.client(max_retries=0)
        using(client).login()
        shown = [repr(client), str(client), repr(client.token)]
        for call in (lambda: using(client).chat("hi"), lambda: using(client).login()):
            with pytest.raises(PuterAPIError) as caught:
                call()
            shown += [str(caught.value), repr(vars(caught.value))]
    with pytest.raises(TypeError, match="a secret is not pickled"):
        pickle.dumps(client)
    everything = "\n".join([*shown, caplog.text])
    assert "[password]" in everything
    assert "Bearer [key]" in everything
    assert not [secret for secret in (PASSWORD, TOKEN) if secret in everything]


@pytest.mark.parametrize("password", ["password", "wrong", "the"])
def test_an_error_does_not_tell_a_password_by_its_gaps(using: Using, password: str) -> None:
    reply = refused(b"401 Unauthorized", "password_mismatch", "the name or the password is wrong")
    with service(logins=[reply]) as puter, pytest.raises(PuterAuthError) as caught:
        using(puter.client(password=password)).login()
    assert (caught.value.code, "[password]" in str(caught.value)) == ("password_mismatch", False)
    assert "the name or the password is wrong" in str(caught.value)


def test_a_closed_client_has_no_token(using: Using) -> None:
    with service(said("hi")) as puter:
        client = puter.client()
        using(client).login()
        assert client.token is not None
        asyncio.run(client.aclose())
        client.close()
        assert client.token is None
        with pytest.raises(SettingsError, match="the client is closed"):
            using(client).chat("hi")


def reachable(root: object) -> set[str]:
    """Every text that *root* leads to; not by way of modules, classes and what they hold."""
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, ModuleType | type):
            continue
        seen[id(one)] = one
        if isinstance(one, FunctionType):
            waiting += one.__closure__ or ()
        else:
            waiting += gc.get_referents(one)
    return {one for one in seen.values() if isinstance(one, str)}


@pytest.mark.parametrize("credentials", [{}, {"token": TOKEN}])
def test_a_closed_client_leads_to_no_secret(using: Using, credentials: dict[str, str]) -> None:
    with service(said("hi")) as puter:
        client = puter.client(**credentials)
        using(client).chat("hi")
        assert {TOKEN, PASSWORD} & reachable(client)
        client.close()
        assert not {TOKEN, PASSWORD} & reachable(client)


def test_a_client_that_is_dropped_takes_its_token_along(using: Using) -> None:
    with service(said("hi")) as puter:
        client = puter.client()
        using(client).login()
        token, password = client._session.who.token, client._session.who.password
        assert token.reveal() == TOKEN
        assert password is not None
        del client
        gc.collect()
        assert token.reveal() == ""
