"""Credits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from chatloom.core.engine import Mode
from chatloom.core.operations import operation, paginated
from chatloom.core.pages import AsyncPages
from zaguan._calls import Calls, model
from zaguan.models import CreditsBalance, CreditsHistory, CreditsHistoryEntry, CreditsStats

_HISTORY = "/v1/credits/history"


class Credits(Calls[Mode]):
    """What the key's account has left, and what took the rest."""

    @operation
    async def get_credits_balance(self, request_id: str | None = None) -> CreditsBalance:
        """Tell how many credits are left. Raises `ZaguanError`."""
        return await self._call(request_id)._get("/v1/credits/balance", model(CreditsBalance))

    @operation
    async def get_credits_history(
        self,
        limit: int | None = None,
        cursor: str | None = None,
        request_id: str | None = None,
        *,
        page: int | None = None,
        page_size: int | None = None,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        model: str | None = None,
        provider: str | None = None,
        band: str | None = None,
        status: str | None = None,
    ) -> CreditsHistory:
        """List what took credits, a page of it.

        *cursor* is the `next_cursor` of the page before; some servers count their
        pages instead, by *page* and *page_size*. Raises `ZaguanError`.
        """
        return await self._call(request_id)._get(
            _HISTORY,
            _page,
            limit=limit,
            cursor=cursor,
            page=page,
            page_size=page_size,
            start_date=_day(start_date),
            end_date=_day(end_date),
            model=model,
            provider=provider,
            band=band,
            status=status,
        )

    @paginated
    def iter_credits_history(
        self,
        limit: int | None = None,
        request_id: str | None = None,
        *,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        model: str | None = None,
        provider: str | None = None,
        band: str | None = None,
        status: str | None = None,
    ) -> AsyncPages[CreditsHistoryEntry]:
        """Go through all that took credits, *limit* a page. Raises `ZaguanError`."""
        call = self._call(request_id)

        async def fetch(following: str | int) -> _Page:
            by_number = isinstance(following, int)
            history = await call._get(
                _HISTORY,
                _page,
                limit=limit,
                cursor=None if by_number else following,
                page=following if by_number and following != _FIRST else None,
                start_date=_day(start_date),
                end_date=_day(end_date),
                model=model,
                provider=provider,
                band=band,
                status=status,
            )
            return _Page(history, following)

        return AsyncPages(fetch, _FIRST)

    @operation
    async def get_credits_stats(
        self,
        period: str | None = None,
        request_id: str | None = None,
        *,
        group_by: str | Sequence[str] | None = None,
        start_date: str | date | None = None,
        end_date: str | date | None = None,
        model: str | None = None,
        provider: str | None = None,
        band: str | None = None,
    ) -> CreditsStats:
        """Sum up what took credits: by *period* (``day``, ``week``, ``month``, ``all_time``).

        Raises `ZaguanError`.
        """
        grouped = group_by if group_by is None or isinstance(group_by, str) else ",".join(group_by)
        return await self._call(request_id)._get(
            "/v1/credits/stats",
            _stats,
            period=period,
            group_by=grouped,
            start_date=_day(start_date),
            end_date=_day(end_date),
            model=model,
            provider=provider,
            band=band,
        )


_page = model(CreditsHistory)
_stats = model(CreditsStats)
_FIRST = 1


class _Page:
    """A page of the history, as an iterator wants it."""

    def __init__(self, history: CreditsHistory, asked: str | int) -> None:
        self.items = history.entries
        self.following = _behind(history, asked)


def _behind(history: CreditsHistory, asked: str | int) -> str | int | None:
    """Where the next page is: by a cursor that is a new one, else by its number."""
    if history.has_more is False or not history.entries:
        return None
    if history.next_cursor:
        return history.next_cursor if history.next_cursor != asked else None
    if isinstance(asked, str):
        return None
    page, size = history.page or asked, history.page_size
    is_more = history.has_more if size is None else page * size < history.total
    return page + 1 if is_more and page == asked else None


def _day(told: str | date | None) -> str | None:
    return told.isoformat() if isinstance(told, date) else told
