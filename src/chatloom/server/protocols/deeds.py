"""Who does what, as the audit log tells it."""

from __future__ import annotations

from chatloom.core.http import JSON
from chatloom.server.call import Call
from chatloom.server.identity.keys import is_control
from chatloom.server.store.administration import Deed

CLI = "cli"
"""Whoever runs commands on the server's own machine."""


def deed(by: Call | str, action: str, resource_id: str | None = None, **detail: JSON) -> Deed:
    """Tell an *action*, named ``RESOURCE.DONE``, of a call's key, or of somebody without one."""
    actor = by
    account: str | None = None
    if isinstance(by, Call):
        actor = CLI if is_control(by.key) else by.key.id
        account = None if is_control(by.key) else by.key.account_id
    assert isinstance(actor, str)
    resource = action.partition(".")[0]
    return Deed(
        actor=actor,
        action=action,
        resource=resource,
        resource_id=resource_id,
        account_id=account,
        detail=detail,
    )
