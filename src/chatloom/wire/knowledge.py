"""What an account knows, as its administrator asks for it; told in Infinity Assistant's words."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from chatloom.wire.infinity import Cursor, Domain, EntryType, Id, Tag


class AccountQuery(msgspec.Struct, kw_only=True):
    """Whose knowledge is meant; that of the only account where none is named."""

    account_id: str | None = None


class EntryOfAccount(AccountQuery):
    """Which entry is meant."""

    id: Id


class EntriesOfAccount(AccountQuery):
    """Which entries are meant, the newest first, a page at a time; by its *id*, one alone."""

    id: Id | None = None
    type: EntryType | None = None
    domain: Domain | None = None
    tag: Tag | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Cursor | None = None
