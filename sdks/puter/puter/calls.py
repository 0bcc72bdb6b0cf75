"""What a client does, written once for both of its modes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

import msgspec

from chatloom.core.engine import Engine, Mode, Sync
from chatloom.core.errors import ChatloomError, SettingsError
from chatloom.core.http import JSON, UNREADABLE, Request, Response
from chatloom.core.operations import Resource, typed
from chatloom.core.reading import Opening
from chatloom.core.secret import Secret
from chatloom.core.turns import Turns
from puter import answers
from puter.answers import Answer
from puter.credentials import Credentials
from puter.exceptions import PuterAuthError, PuterSecondFactorError
from puter.exchange import Exchange
from puter.questions import Question
from puter.session import AI_CHAT, Session
from puter.streaming import AsyncChatStream

__all__ = ["Calls"]

_CALL = "/drivers/call"
_MODELS = "/puterai/chat/models/details"
_TURNS = "/v1/turns"


class _Login(msgspec.Struct):
    """What a login is answered with."""

    token: str | None = None
    next_step: str | None = None
    otp_jwt_token: str | None = None

    def checked(self) -> str:
        """Give the token. Raises `PuterAuthError` where there is none."""
        if not self.token:
            reason = "the service gave no token: the code may be wrong"
            raise PuterAuthError(reason, status_code=200, code=self.next_step)
        return self.token


class Calls(Resource[Mode]):
    """The calls of one client, in one of its modes."""

    def __init__(
        self, engine: Engine[Mode], door: Engine[Mode], door_path: str, session: Session
    ) -> None:
        super().__init__(engine)
        self._door = door
        self._door_path = door_path
        self._session = session
        self._who = session.who
        self._one_at_a_time = engine.outside.lock()

    async def close(self) -> None:
        """Give back every connection."""
        await self._engine.outside.close()
        await self._door.outside.close()

    async def login(self, otp: str | None = None) -> bool:
        """Get a token, with a second factor where the account has one."""
        who = self._who
        who.refusal = None
        try:
            who.token.replace(await self._new_token(otp))
        except PuterAuthError as error:
            who.refusal = type(error).like(error)  # without what its traceback holds
            raise
        who.second_factor = None
        return True

    async def _identify(self) -> None:
        """Log in where that is still to be done; of several calls, the first one does it."""
        if not self._who.has_to_log_in:
            return
        async with self._one_at_a_time:
            if self._who.has_to_log_in:
                if (refusal := self._who.refusal) is not None:
                    raise type(refusal).like(refusal)
                await self.login()

    async def _new_token(self, otp: str | None) -> str:
        who = self._who
        if otp is None or who.second_factor is None:
            told = await self._ask_for_token(self._door_path, _credentials(who))
            if told.token or told.otp_jwt_token is None:
                return told.checked()
            who.second_factor = Secret(told.otp_jwt_token)
            if otp is None:
                reason = "this account wants a second factor: call login(otp=…) with its code"
                raise PuterSecondFactorError(reason, status_code=202, code="otp")
        asked = {"token": who.second_factor.reveal(), "code": otp}
        try:
            told = await self._ask_for_token(f"{self._door_path}/otp", asked)
        except PuterAuthError:
            who.second_factor = None  # it waits no more
            raise
        return told.checked()

    async def _ask_for_token(self, path: str, asked: Mapping[str, str]) -> _Login:
        request = self._door.request("POST", path, (), self._door.encode(asked))
        # Said twice, it does no more than once.
        request = msgspec.structs.replace(request, repeatable=True)
        return self._read(request, await self._door.send(request), typed(_Login))

    async def chat(self, question: Question) -> str:
        """Ask, call the tools that the model wants called, and remember the answer."""
        exchange = self._exchange(question)
        answer = await self._answer(exchange)
        while await exchange.goes_on(answer):
            answer = await self._answer(exchange)
        return exchange.end(answer)

    def stream(self, question: Question) -> AsyncChatStream:
        """Ask likewise, and be told the answer as it is written."""
        exchange = self._exchange(question)

        async def next_round(answer: Answer) -> Opening | None:
            return self._written(exchange) if await exchange.goes_on(answer) else None

        return AsyncChatStream(self._written(exchange), follow=next_round, heard=exchange.remember)

    async def models(self) -> list[str]:
        """Ask the service for its models, and learn their providers; else tell those known."""
        request = self._engine.request("GET", _MODELS)
        request = msgspec.structs.replace(request, max_retries=0)  # there is another answer
        known = self._session.models
        try:
            response = await self._engine.unnamed().send(request)
            found = answers.models(answers.decoded(response.body))
        except SettingsError:
            raise
        except (ChatloomError, *UNREADABLE):
            return list(known)
        for name, provider in found.items():
            if provider is not None:
                known.setdefault(name, provider)
        return list(found)

    def _exchange(self, question: Question) -> Exchange:
        if issubclass(self._engine.mode, Sync):
            question.tools.check_blocking()
        return Exchange(question, self._session)

    async def _answer(self, exchange: Exchange) -> Answer:
        """Ask once for a plain answer."""
        response = await self._drive(exchange.question.driver, exchange.args)
        driver = self._session.driver(exchange.question.driver)

        def read(body: bytes) -> Answer:
            try:
                return driver.answer(self._decode(body))
            except ValueError as error:
                raise msgspec.ValidationError(str(error)) from error

        return self._read(Request("POST", _CALL), response, read)

    def _written(self, exchange: Exchange) -> Opening:
        """Prepare to be told an answer as it is written."""
        driver, args = exchange.question.driver, {**exchange.args, "stream": True}
        turns = Turns(self._engine, _TURNS)
        return Opening(
            f"POST {_CALL}",
            lambda: self._drive(driver, args, turns),
            self._engine.named,
            turns,
        )

    async def _drive(
        self, name: str, args: Mapping[str, object], turns: Turns[Mode] | None = None
    ) -> Response:
        """Call a driver: by its name, else as a provider of the newer services'."""
        await self._identify()
        engine, absent = self._engine, self._session.absent
        payload = self._session.driver(name).payload(args)
        if name not in absent:
            request = self._request(payload, turns)
            try:
                return await engine.unnamed().send(request)
            except SettingsError:
                raise
            except ChatloomError as error:
                if not _lacks_driver(error) or name == AI_CHAT:
                    raise engine.named(error) from error.__cause__
        response = await engine.send(self._request(_of_provider(name, payload), turns))
        absent.add(name)
        return response

    def _request(self, payload: Mapping[str, object], turns: Turns[Mode] | None) -> Request:
        body = self._encode(payload)
        request = self._engine.request("POST", _CALL, (), body, streamed=turns is not None)
        if turns is not None:
            turns.deadline = request.deadline
        return request

    def _encode(self, payload: Mapping[str, object]) -> bytes:
        serializer = self._session.serializer
        return self._engine.encode(payload) if serializer is None else serializer.encode(payload)

    def _decode(self, body: bytes) -> JSON:
        serializer = self._session.serializer
        return answers.decoded(body) if serializer is None else serializer.decode(body)


_NO_DRIVER = re.compile(r"\bdriver\b[^.]*\bnot found|\b(no such|unknown)\b[^.]*\bdriver", re.I)


def _of_provider(name: str, payload: Mapping[str, object]) -> Mapping[str, object]:
    """The same request for a service where drivers are providers."""
    payload, args = {**payload, "driver": AI_CHAT}, payload.get("args")
    if isinstance(args, Mapping):
        payload["args"] = {"provider": name, **cast("Mapping[str, object]", args)}
    return payload


def _lacks_driver(error: ChatloomError) -> bool:
    return error.status_code == 404 and bool(_NO_DRIVER.search(error.message))


def _credentials(who: Credentials) -> Mapping[str, str]:
    if who.username is None or who.password is None:
        lack = f"no password for {who.username!r}" if who.username else "nothing to log in with"
        raise PuterAuthError(
            f"there is {lack}: give PuterAI a username and a password, or a token, or set"
            " PUTER_USERNAME and PUTER_PASSWORD, or PUTER_TOKEN"
        )
    name = "email" if "@" in who.username else "username"
    return {name: who.username, "password": who.password.reveal()}
