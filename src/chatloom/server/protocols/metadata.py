"""What ``metadata`` of a request says to the server, on whichever wire it comes."""

from __future__ import annotations

from msgspec.structs import replace

from chatloom.core.http import JSON
from chatloom.server.call import convert
from chatloom.server.chat.ask import Ask
from chatloom.server.workflows import Workflows
from chatloom.wire.chatserver import RequestMetadata


def with_metadata(
    ask: Ask,
    metadata: dict[str, JSON] | None,
    workflows: Workflows,
    *,
    user: str | None = None,
) -> Ask:
    """Add what *metadata* says: in whose name, where, led by which workflow. Raises `Refusal`.

    *user* is who is named elsewhere in the request; *metadata* wins.
    """
    if not metadata:
        return replace(ask, end_user=user or None)
    told = convert(metadata, RequestMetadata, within="metadata")
    return replace(
        ask,
        end_user=told.user_id or user or None,
        organization=told.organization_id or None,
        conversation_id=_id(told.session_id or told.conversation_id),
        branch_id=_id(told.branch_id),
        parent_id=_id(told.parent_message_id),
        system_prompt=_lead(ask.system_prompt, told, workflows),
        metadata=metadata,
    )


def _id(told: str | None) -> str | None:
    """An id as we spell it: clients that keep UUIDs as such may tell them in capitals."""
    return told.lower() if told else None


def _lead(own: str | None, told: RequestMetadata, workflows: Workflows) -> str | None:
    """What leads the context: the caller's own words, then the workflow that he names."""
    if not told.workflow:
        return own
    filled = workflows.fill(told.workflow, told.variables or {})
    return f"{own}\n\n{filled}" if own else filled
