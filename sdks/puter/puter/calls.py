"""What a client does, written once for both of its modes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

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
from puter.drivers import Driver
from puter.exceptions import (
    PuterAuthError,
    PuterSecondFactorError,
    PuterToolError,
    PuterToolLimitError,
)
from puter.questions import Question
from puter.session import AI_CHAT, Session
from puter.streaming import AsyncChatStream
from puter.types import ChatMessage

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
        self._check(question)
        history = self._session.history
        kept = history.messages
        messages = [*kept, question.message]
        answer = await self._answer(question, messages)
        for _ in range(question.rounds):
            if not self._calls_tools(question, answer):
                break
            messages += [answer.message, *await question.tools.answers(answer.tool_calls)]
            answer = await self._answer(question, messages)
        if self._calls_tools(question, answer):
            raise _too_many_rounds(question, answer)
        if answer.tool_calls and not answer.text:
            raise PuterToolError(f"the model calls {_names(answer)}, and was given no such tool")
        history.add(kept, question.message, answer.text)
        return answer.text

    def stream(self, question: Question) -> AsyncChatStream:
        """Ask likewise, and be told the answer as it is written."""
        self._check(question)
        history = self._session.history
        kept = history.messages
        messages = [*kept, question.message]
        rounds = iter(range(question.rounds))

        async def next_round(answer: Answer) -> Opening | None:
            if not self._calls_tools(question, answer):
                return None
            if next(rounds, None) is None:
                raise _too_many_rounds(question, answer)
            messages.extend([answer.message, *await question.tools.answers(answer.tool_calls)])
            return self._written(question, messages)

        def heard(text: str) -> None:
            history.add(kept, question.message, text)

        return AsyncChatStream(self._written(question, messages), follow=next_round, heard=heard)

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

    def _check(self, question: Question) -> None:
        if issubclass(self._engine.mode, Sync):
            question.tools.check_blocking()

    @staticmethod
    def _calls_tools(question: Question, answer: Answer) -> bool:
        return bool(answer.tool_calls and question.tools)

    async def _answer(self, question: Question, messages: Sequence[ChatMessage]) -> Answer:
        """Ask once for a plain answer."""
        response = await self._drive(question, {**question.args, "messages": messages})
        driver = self._session.driver(question.driver)

        def read(body: bytes) -> Answer:
            try:
                return driver.answer(self._decode(body))
            except ValueError as error:
                raise msgspec.ValidationError(str(error)) from error

        return self._read(Request("POST", _CALL), response, read)

    def _written(self, question: Question, messages: Sequence[ChatMessage]) -> Opening:
        """Prepare to be told an answer as it is written."""
        args = {**question.args, "messages": [*messages], "stream": True}
        turns = Turns(self._engine, _TURNS)
        return Opening(
            f"POST {_CALL}",
            lambda: self._drive(question, args, turns),
            self._engine.named,
            turns,
        )

    async def _drive(
        self, question: Question, args: Mapping[str, object], turns: Turns[Mode] | None = None
    ) -> Response:
        """Call the driver of a question: by its name, else as a provider of the newer services'."""
        await self._identify()
        engine, absent = self._engine, self._session.absent
        if question.driver not in absent:
            request = self._request(self._session.driver(question.driver), args, turns)
            try:
                return await engine.unnamed().send(request)
            except SettingsError:
                raise
            except ChatloomError as error:
                if not _lacks_driver(error) or question.driver == AI_CHAT:
                    raise engine.named(error) from error
        provided = {"provider": question.driver, **args}
        response = await engine.send(self._request(Driver(AI_CHAT), provided, turns))
        absent.add(question.driver)
        return response

    def _request(
        self, driver: Driver, args: Mapping[str, object], turns: Turns[Mode] | None
    ) -> Request:
        body = self._encode(driver.payload(args))
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


def _lacks_driver(error: ChatloomError) -> bool:
    return error.status_code == 404 and bool(_NO_DRIVER.search(error.message))


def _credentials(who: Credentials) -> Mapping[str, str]:
    if who.username is None or who.password is None:
        raise PuterAuthError(
            "there is nothing to log in with: give PuterAI a username and a password, or"
            " a token, or set PUTER_USERNAME and PUTER_PASSWORD, or PUTER_TOKEN"
        )
    name = "email" if "@" in who.username else "username"
    return {name: who.username, "password": who.password.reveal()}


def _too_many_rounds(question: Question, answer: Answer) -> PuterToolLimitError:
    reason = f"after {question.rounds} rounds of tools the model still wants {_names(answer)}"
    return PuterToolLimitError(f"{reason}; max_tool_rounds allows for more")


def _names(answer: Answer) -> str:
    return ", ".join(call.name for call in answer.tool_calls)
