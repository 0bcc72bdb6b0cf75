"""The platform's administration: statistics, administrators, the audit log."""

from __future__ import annotations

from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.moments import iso
from chatloom.server.protocols.deeds import deed
from chatloom.server.refusal import not_found
from chatloom.server.routes import Route
from chatloom.server.store.administration import Administrator, Entry
from chatloom.wire import chatserver as wire

_DAY = 86_400_000
_ACTIVE_DAYS = 30


async def get_stats(call: Call) -> Reply:
    """Answer ``GET /api/v1/platform/stats``."""
    now = milliseconds()
    figures = await call.services.store.figures(
        today=now - now % _DAY, active_since=now - _ACTIVE_DAYS * _DAY
    )
    return json_reply(
        wire.PlatformStats(
            total_users=figures.users,
            active_users=figures.active_users,
            total_organizations=figures.organizations,
            total_requests=figures.requests,
            requests_today=figures.requests_today,
            total_tokens=figures.tokens,
            tokens_today=figures.tokens_today,
            system_health=wire.SystemHealth(),
        )
    )


async def list_admins(call: Call) -> Reply:
    """Answer ``GET /api/v1/platform/admins``."""
    admins = [_admin(one) for one in await call.services.store.administrators()]
    return json_reply(wire.AdminList(admins, len(admins)))


def _admin(one: Administrator) -> wire.Admin:
    return wire.Admin(
        id=one.id,
        workos_id=one.workos_id,
        email=one.email,
        name=one.name,
        created_at=iso(one.created_at),
        created_by=one.added_by,
    )


async def add_admin(call: Call) -> Reply:
    """Answer ``POST /api/v1/platform/admins``; somebody who is one already is changed."""
    wanted = await call.read(wire.NewAdmin)
    done = deed(call, "admin.added", wanted.email, workos_id=wanted.workos_id)
    added = Administrator(
        id=new_id(),
        email=wanted.email,
        workos_id=wanted.workos_id,
        name=wanted.name or "",
        added_by=done.actor,
        created_at=milliseconds(),
    )
    await call.services.store.put_administrator(added, done)
    return json_reply(wire.AdminAnswer(email=wanted.email), 201)


async def remove_admin(call: Call) -> Reply:
    """Answer ``DELETE /api/v1/platform/admins/{email}``; their platform keys stop working."""
    email = call.parts["email"]
    done = deed(call, "admin.removed", email)
    if not await call.services.store.remove_administrator(email, done):
        raise not_found("platform administrator")
    return json_reply(wire.AdminAnswer(email=email))


async def get_audit_log(call: Call) -> Reply:
    """Answer ``GET /api/v1/platform/audit``."""
    asked = call.read_query(wire.AuditPage)
    found = await call.services.store.audit(limit=asked.limit, offset=asked.offset)
    entries = [_entry(one) for one in found]
    return json_reply(wire.AuditLog(entries, len(entries), asked.limit, asked.offset))


def _entry(entry: Entry) -> wire.AuditEntry:
    done = entry.deed
    return wire.AuditEntry(
        id=str(entry.id),
        timestamp=iso(entry.at),
        user_id=done.actor,
        org_id=done.account_id,
        action=done.action,
        resource=done.resource,
        resource_id=done.resource_id,
        metadata={**done.detail, "hash": entry.hash.hex()},
    )


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/platform/stats",
        owner="chatserver",
        summary="Say how much the server is used",
        endpoint=get_stats,
        scope="platform",
        answer=wire.PlatformStats,
    ),
    Route(
        method="GET",
        path="/api/v1/platform/admins",
        owner="chatserver",
        summary="List the platform's administrators",
        endpoint=list_admins,
        scope="platform",
        answer=wire.AdminList,
    ),
    Route(
        method="POST",
        path="/api/v1/platform/admins",
        owner="chatserver",
        summary="Add a platform administrator",
        endpoint=add_admin,
        scope="platform",
        request=wire.NewAdmin,
        answer=wire.AdminAnswer,
        status=201,
        errors=("invalid",),
    ),
    Route(
        method="DELETE",
        path="/api/v1/platform/admins/{email:path}",
        owner="chatserver",
        summary="Remove a platform administrator; their platform keys stop working",
        endpoint=remove_admin,
        scope="platform",
        answer=wire.AdminAnswer,
        errors=("not_found",),
    ),
    Route(
        method="GET",
        path="/api/v1/platform/audit",
        owner="chatserver",
        summary="Read the audit log, newest entries first",
        endpoint=get_audit_log,
        scope="platform",
        query=wire.AuditPage,
        answer=wire.AuditLog,
        errors=("invalid",),
    ),
)
