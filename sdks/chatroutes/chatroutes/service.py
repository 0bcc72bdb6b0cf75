"""Everything that the API offers, in one place."""

from __future__ import annotations

from chatloom.core.engine import Engine, Mode
from chatloom.core.operations import Resource
from chatroutes.http_client import HttpClient
from chatroutes.resources import (
    AutobranchResource,
    BranchesResource,
    CheckpointsResource,
    ConversationsResource,
    MessagesResource,
)


class Service(Resource[Mode]):
    """Everything that the API offers."""

    def __init__(self, engine: Engine[Mode]) -> None:
        super().__init__(engine)
        self._conversations = ConversationsResource(engine)
        self._messages = MessagesResource(engine)
        self._branches = BranchesResource(engine)
        self._checkpoints = CheckpointsResource(engine)
        self._autobranch = AutobranchResource(engine)
        self._http = HttpClient(engine)

    @property
    def conversations(self) -> ConversationsResource[Mode]:
        """Begin, find, change and end conversations."""
        return self._conversations

    @property
    def messages(self) -> MessagesResource[Mode]:
        """Say something, be answered, and look after what was said."""
        return self._messages

    @property
    def branches(self) -> BranchesResource[Mode]:
        """Begin branches, speak on them, compare and merge them."""
        return self._branches

    @property
    def checkpoints(self) -> CheckpointsResource[Mode]:
        """Make checkpoints, and look after them."""
        return self._checkpoints

    @property
    def autobranch(self) -> AutobranchResource[Mode]:
        """Find points where a talk could branch."""
        return self._autobranch

    @property
    def http(self) -> HttpClient[Mode]:
        """Send any request of the API."""
        return self._http
