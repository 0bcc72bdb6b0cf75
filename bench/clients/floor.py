"""The floor: what nothing can be much cheaper than."""

from __future__ import annotations

from bench.clients.entry import Awaiting, Blocking, Client

_FIRST = """
import http.client
import msgspec

class Said(msgspec.Struct):
    content: str

class Choice(msgspec.Struct):
    message: Said

class Answer(msgspec.Struct):
    choices: list[Choice]

address, _, prefix = URL.removeprefix("http://").partition("/")
connection = http.client.HTTPConnection(address)
connection.request(
    "POST",
    f"/{prefix}/v1/chat/completions",
    msgspec.json.encode({"model": MODEL, "messages": MESSAGES}),
    {"content-type": "application/json", "authorization": "Bearer bench"},
)
answer = msgspec.json.decode(connection.getresponse().read(), type=Answer)
print(answer.choices[0].message.content)
connection.close()
"""
_FIRST_ASYNC = """
import asyncio
import msgspec

class Said(msgspec.Struct):
    content: str

class Choice(msgspec.Struct):
    message: Said

class Answer(msgspec.Struct):
    choices: list[Choice]

async def main():
    address, _, prefix = URL.removeprefix("http://").partition("/")
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = msgspec.json.encode({"model": MODEL, "messages": MESSAGES})
    head = (
        f"POST /{prefix}/v1/chat/completions HTTP/1.1\\r\\nhost: {address}\\r\\n"
        f"content-type: application/json\\r\\ncontent-length: {len(body)}\\r\\n\\r\\n"
    )
    writer.write(head.encode() + body)
    head = (await reader.readuntil(b"\\r\\n\\r\\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\\r")[0])
    answer = msgspec.json.decode(await reader.readexactly(length), type=Answer)
    print(answer.choices[0].message.content)
    writer.close()

asyncio.run(main())
"""


def _blocking(url: str) -> Blocking:
    from bench.raw import Asking, RawSocket

    return RawSocket(Asking(url))


def _awaiting(url: str) -> Awaiting:
    from bench.raw import Asking, RawProtocols

    return RawProtocols(Asking(url))


CLIENT = Client(
    name="floor",
    needs=None,
    imports=None,
    first=(_FIRST, _FIRST_ASYNC),
    blocking=_blocking,
    awaiting=_awaiting,
)
