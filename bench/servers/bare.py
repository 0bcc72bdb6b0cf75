"""The bare gateway, which also answers from memory."""

from __future__ import annotations

from bench.processes import python
from bench.servers.entry import Place, Prepared, Server
from bench.servers.questions import provided


def _prepare(place: Place) -> Prepared:
    local = provided(place.port, "canned", "", "/local")
    return Prepared(
        python("bench.bare_gateway", str(place.port), place.provider),
        {
            **provided(place.port, "canned", ""),
            **{f"local {kind}": question for kind, question in local.items()},
        },
    )


SERVER = Server(name="bare gateway", needs=None, prepare=_prepare)
