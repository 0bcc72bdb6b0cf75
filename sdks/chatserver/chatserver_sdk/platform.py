"""The operations of platform administrators, written once for both clients."""

from __future__ import annotations

from types import NoneType

from chatloom.core.engine import Mode
from chatloom.core.http import path
from chatloom.core.operations import Resource, operation, paginated
from chatloom.core.pages import AsyncPages
from chatserver_sdk.answers import holding, whole
from chatserver_sdk.models.platform import (
    AdminResponse,
    AuditEntry,
    AuditLogResponse,
    PlatformAdmins,
    PlatformStats,
    admins_from_dict,
)
from chatserver_sdk.pages import Page, each_once

_PATH = "/api/v1/platform"


class Platform(Resource[Mode]):
    """What platform administrators may ask; for all others it is a `ForbiddenError`."""

    @operation
    async def get_platform_stats(self) -> PlatformStats:
        """Fetch the platform's figures. Raises `ChatServerError`."""
        return await self._get(f"{_PATH}/stats", _stats)

    @operation
    async def list_admins(self) -> PlatformAdmins:
        """List the platform's administrators: a dict with ``admins`` and their ``count``.

        Raises `ChatServerError`.
        """
        return await self._get(f"{_PATH}/admins", _admins)

    @operation
    async def add_admin(self, workos_id: str, email: str, name: str = "") -> AdminResponse:
        """Make somebody an administrator. Raises `ChatServerError`."""
        payload = {"workos_id": workos_id, "email": email}
        if name:
            payload["name"] = name
        return await self._post(f"{_PATH}/admins", payload, _admin)

    @operation
    async def remove_admin(self, email: str) -> AdminResponse:
        """Make somebody an administrator no more.

        Raises `ChatServerError`, and `ValueError` for an *email* that can be none.
        """
        place = path(f"{_PATH}/admins/{{email}}", email=email)
        return await self._send(self._engine.request("DELETE", place), _admin)

    @operation
    async def get_audit_log(self, limit: int = 50, offset: int = 0) -> AuditLogResponse:
        """Fetch entries of the audit log: *limit* of them, from 1 to 200, behind *offset*.

        Raises `ChatServerError`.
        """
        return await self._entries(limit, offset)

    @paginated
    def iter_audit_log(self, limit: int = 50) -> AsyncPages[AuditEntry]:
        """Go through the whole audit log, each entry once, fetching *limit* at a time.

        Raises `ChatServerError` while it is gone through.
        """

        async def fetch(offset: int) -> Page[AuditEntry]:
            answer = await self._entries(limit, offset)
            found = len(answer.entries)
            # A server that hands out fewer at a time than it was asked for says so.
            goes_on = found and found >= min(limit, answer.limit or limit)
            return Page(answer.entries, offset + found if goes_on else None)

        return each_once(fetch, start=0)

    async def _entries(self, limit: int, offset: int) -> AuditLogResponse:
        return await self._get(f"{_PATH}/audit", _audit_log, limit=limit, offset=offset)


def _stats(body: bytes) -> PlatformStats:
    return PlatformStats.from_dict(whole(body))


def _admins(body: bytes) -> PlatformAdmins:
    return admins_from_dict(holding(body, "admins", list | NoneType))


def _admin(body: bytes) -> AdminResponse:
    return AdminResponse.from_dict(whole(body))


def _audit_log(body: bytes) -> AuditLogResponse:
    return AuditLogResponse.from_dict(holding(body, "entries", list | NoneType))
