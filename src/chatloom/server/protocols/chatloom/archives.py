"""Archives imported: by the commands of the server's own machine, and nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import IO

from chatloom.server.archive.lines import Conversation, Record
from chatloom.server.archive.reading import lines_of, read_archive
from chatloom.server.archive.renaming import new_names, renamed
from chatloom.server.call import Call, Reply, json_reply
from chatloom.server.protocols.chatloom.accounts import account_meant
from chatloom.server.protocols.deeds import deed
from chatloom.server.refusal import Refusal
from chatloom.server.routes import Route
from chatloom.server.store.archive import AlreadyThere
from chatloom.server.store.contract import Store
from chatloom.wire import chatloom as wire


async def begin_upload(call: Call) -> Reply:
    """Answer ``POST /admin/archives``."""
    return json_reply(wire.Upload(call.services.uploads.begin(), 0), 201)


async def add_part(call: Call) -> Reply:
    """Answer ``PUT /admin/archives/{upload_id}``; the body is a part of the file."""
    id, offset = call.parts["upload_id"], call.read_query(wire.UploadPlace).offset
    size = call.services.uploads.add(id, offset, await call.body())
    return json_reply(wire.Upload(id, size))


async def finish_upload(call: Call) -> Reply:
    """Answer ``POST /admin/archives/{upload_id}``: import the file, or nothing of it."""
    wanted = await call.read(wire.NewImport)
    with call.services.uploads.take(call.parts["upload_id"]) as file:
        return json_reply(await import_archive(call.services.store, file, wanted, by=call))


async def give_up_upload(call: Call) -> Reply:
    """Answer ``DELETE /admin/archives/{upload_id}``."""
    id = call.parts["upload_id"]
    call.services.uploads.forget(id)
    return json_reply(wire.Upload(id, 0))


async def import_archive(
    store: Store, file: IO[bytes], wanted: wire.NewImport, *, by: Call | str
) -> wire.Imported:
    """Check a file, and store all of it or nothing. Raises `Refusal`."""
    account_id = await account_meant(store, wanted.account_id)
    rename = new_names() if wanted.as_new else None

    def read(*, again: bool = False) -> Iterator[Record]:
        records = read_archive(lines_of(file), again=again)
        return records if rename is None else renamed(records, rename)

    # Checked apart, so that turns which want to be stored wait for as little as possible.
    imported = await asyncio.to_thread(_counted, account_id, read())
    done = deed(
        by,
        "archive.imported",
        account_id,
        conversations=len(imported.conversations),
        messages=imported.messages,
    )
    try:
        await store.add_archive(account_id, lambda: read(again=True), done)
    except AlreadyThere as there:
        raise _already_there(there) from None
    return imported


def _counted(account_id: str, records: Iterable[Record]) -> wire.Imported:
    """Read everything; tell what it is."""
    counts, conversations = Counter[str](), list[str]()
    for record in records:
        counts[type(record.line).__name__] += 1
        if isinstance(record.line, Conversation):
            conversations.append(record.conversation_id)
    return wire.Imported(
        account_id=account_id,
        conversations=conversations,
        branches=counts["Branch"],
        messages=counts["Message"],
        checkpoints=counts["Checkpoint"],
    )


def _already_there(there: AlreadyThere) -> Refusal:
    was = "was deleted here, and its ids are kept" if there.deleted else "is here already"
    return Refusal(
        "conflict",
        f"{there.what} {was}; nothing was imported. Under new ids it can be: --as-new",
        code="already_there",
        repeatable=False,
    )


ROUTES = (
    Route(
        method="POST",
        path="/admin/archives",
        owner="chatloom",
        summary="Begin to send an archive; for commands of the server's machine alone",
        endpoint=begin_upload,
        scope="control",
        answer=wire.Upload,
        status=201,
        errors=("conflict",),
    ),
    Route(
        method="PUT",
        path="/admin/archives/{upload_id}",
        owner="chatloom",
        summary="Send a part of an archive; for commands of the server's machine alone",
        endpoint=add_part,
        scope="control",
        query=wire.UploadPlace,
        answer=wire.Upload,
        errors=("invalid", "not_found", "too_large"),
    ),
    Route(
        method="POST",
        path="/admin/archives/{upload_id}",
        owner="chatloom",
        summary="Import an archive that was sent; for commands of the server's machine alone",
        endpoint=finish_upload,
        scope="control",
        request=wire.NewImport,
        answer=wire.Imported,
        errors=("invalid", "not_found", "conflict", "too_large"),
    ),
    Route(
        method="DELETE",
        path="/admin/archives/{upload_id}",
        owner="chatloom",
        summary="Give an archive up; for commands of the server's machine alone",
        endpoint=give_up_upload,
        scope="control",
        answer=wire.Upload,
        errors=("not_found",),
    ),
)
