"""Measure every call, and tell exporters."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

from chatloom.core.http import Ending, Request, Response
from chatloom.core.outside import Outside
from chatloom.policies.in_turn import InTurn
from chatloom.policies.measured import (
    Answered,
    Call,
    Measured,
    Outcome,
    Tokens,
    answered,
    called,
    spoken,
    tokens,
)

__all__ = ["Call", "Exporter", "Measured", "Meter", "Tokens"]

End: TypeAlias = Callable[[Measured], object]

_telling = InTurn()
"""Exporters have locks of their own."""


class Exporter(Protocol):
    """Is told of calls; what it raises is logged once, and breaks no call."""

    def begin(self, call: Call, /) -> End:
        """Take note of *call*, where and when its caller made it.

        What is returned is told the end: once, maybe elsewhere (another thread or
        context), for a streamed answer when its reader is through with it.
        """
        ...


class Meter:
    """Tells *exporters* of each call: model, tokens, attempts, times, and how it ended.

    Retries and their waits belong to the call. What is said is told only with
    *content*.
    """

    def __init__(self, *exporters: Exporter, content: bool = False) -> None:
        self._exporters = exporters
        self._content = content
        self._provider = "chatloom"
        self._address: str | None = None
        self._port: int | None = None
        self._complained: set[int] = set()

    def at(self, base_url: str, provider: str = "chatloom") -> Meter:
        """Measure the calls to one address, of a *provider* by the name of its SDK."""
        other = copy(self)
        address = urlsplit(base_url)
        other._provider = provider
        other._address = address.hostname or address.scheme
        other._port = address.port or {"http": 80, "https": 443}.get(address.scheme)
        return other

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        if not self._exporters or request.resumes is not None:  # a call is measured once
            return await outside.send(request)
        call = called(request, self._provider, self._address, self._port, self._content)
        measuring = _Measuring(self._begin(call), outside, self._content)
        try:
            response = await outside.send(request)
        except BaseException as error:
            measuring.failed(error)
            raise
        measuring.answered(response)
        return response

    def _begin(self, call: Call) -> End:
        ends: list[tuple[Exporter, End]] = []
        with _telling:
            for exporter in self._exporters:
                try:
                    ends.append((exporter, exporter.begin(call)))
                except Exception as error:
                    self._complain(exporter, error)

        def end(measured: Measured) -> None:
            for exporter, tell in ends:
                try:
                    tell(measured)
                except Exception as error:
                    self._complain(exporter, error)

        return end

    def _complain(self, exporter: Exporter, error: Exception) -> None:
        if id(exporter) not in self._complained:
            self._complained.add(id(exporter))
            import logging

            logger = logging.getLogger("chatloom.meter")
            logger.warning("%r failed; later failures are not told", exporter, exc_info=error)


class _Measuring:
    """Measures one call, and follows its answer where that is streamed."""

    def __init__(self, end: End, outside: Outside, content: bool) -> None:
        self._end = end
        self._now = outside.now
        self._content = content
        self._began = outside.now()
        self._first_piece: float | None = None
        self._attempts = 1
        self._status: int | None = None
        self._texts: list[str] = []

    def failed(self, error: BaseException) -> None:
        """Take note that no answer came; a call that was cancelled has not failed."""
        self._attempts = getattr(error, "attempts", 0) or 1
        if isinstance(error, Exception):
            self._over("error", Answered(), error)
        else:
            self._over("left", Answered())

    def answered(self, response: Response) -> None:
        """Take note of the answer's head, or of all of it."""
        self._attempts = response.attempts
        self._status = response.status
        if response.status >= 300:
            self._over("error", Answered())
        elif response.arriving is not None:
            response.followers += (self,)
        else:
            self._over("complete", answered(response.body, self._content))

    def piece(self, piece: object) -> None:
        """Take note of the first piece's moment, and of texts where wanted."""
        if self._first_piece is None:
            self._first_piece = self._now() - self._began
        if self._content:
            text = piece if isinstance(piece, str) else getattr(piece, "text", None)
            if isinstance(text, str):
                self._texts.append(text)

    def over(self, ending: Ending) -> None:
        """Take note of the end."""
        outcome: Outcome = "complete" if ending.complete else "error" if ending.error else "left"
        reasons = () if ending.finish_reason is None else (ending.finish_reason,)
        messages = (spoken("".join(self._texts)),) if self._content else ()
        told = Answered(None, ending.model, tokens(ending.usage), reasons, messages)
        self._over(outcome, told, ending.error)

    def _over(self, outcome: Outcome, told: Answered, error: Exception | None = None) -> None:
        error_type = None
        if outcome == "error":
            error_type = str(self._status) if error is None else type(error).__name__
        measured = Measured(
            outcome=outcome,
            duration=self._now() - self._began,
            first_piece=self._first_piece,
            attempts=self._attempts,
            status=self._status,
            error=error,
            error_type=error_type,
            model=told.model,
            answer_id=told.id,
            tokens=told.tokens,
            finish_reasons=told.finish_reasons,
            answers=told.messages,
        )
        _telling.do(lambda: self._end(measured))
