"""The groups of operations."""

from chatroutes.resources.autobranch import AutobranchResource
from chatroutes.resources.branches import BranchesResource
from chatroutes.resources.checkpoints import CheckpointsResource
from chatroutes.resources.conversations import ConversationsResource
from chatroutes.resources.messages import MessagesResource

__all__ = [
    "AutobranchResource",
    "BranchesResource",
    "CheckpointsResource",
    "ConversationsResource",
    "MessagesResource",
]
