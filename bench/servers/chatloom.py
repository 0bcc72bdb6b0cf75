"""Our server, as its users run it: a database file, a configuration, a key."""

from __future__ import annotations

import msgspec

from bench.processes import output, python
from bench.servers.entry import Place, Prepared, Server
from bench.servers.questions import echoed, provided


class _Key(msgspec.Struct):
    secret: str


def _prepare(place: Place) -> Prepared:
    config, database = place.folder / "chatloom.toml", str(place.folder / "chatloom.db")
    config.write_text(f'[providers.canned]\nbase_url = "{place.provider}"\n', "utf-8")
    made = output(python("chatloom", "keys", "create", "bench", "--db", database, "--json"))
    key = msgspec.json.decode(made, type=_Key).secret
    serve = ["serve", "--json", "--port", str(place.port), "--db", database]
    return Prepared(
        python("chatloom", *serve, "--config", str(config)),
        {**provided(place.port, "canned/model", key), **echoed(place.port, key)},
    )


SERVER = Server(name="chatloom", needs="chatloom", prepare=_prepare, is_ours=True)
