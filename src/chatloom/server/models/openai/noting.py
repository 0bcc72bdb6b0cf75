"""Each request to a provider, noted as an attempt."""

from __future__ import annotations

from chatloom.core.errors import ChatloomError
from chatloom.core.http import Request, Response
from chatloom.core.outside import Outside
from chatloom.server.models.attempts import current
from chatloom.server.models.openai.problems import Problems


class NoteAttempts:
    """Note each attempt, inside of `Retry`, in words that hold no address and no key.

    One that an answer's head came to goes on, until its turn has heard the answer's end.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        noted = current()
        noted.begin()
        try:
            response = await outside.send(request)
        except ChatloomError as error:
            noted.end(self._problems.of(error).message)
            raise
        if response.status >= 300:
            noted.end(self._problems.refused(response, outside.wall_time()))
        return response
