"""What is run, what figures it gives, and the targets they are to reach.

The targets are those of the project's first measurements with bare building blocks,
as ratios to the packages that people use today. To measure one thing more, add a
scenario and its figures; clients and servers have a file each in their folders.
"""

from __future__ import annotations

import msgspec

from bench.clients import CLIENTS, OURS
from bench.figures import Figure, Target
from bench.trees import PAGE, SMALL

BARE = "bare python"
BARE_IMPORTS = {
    BARE: "pass",
    "http.client, ssl, json": "import json, http.client, ssl",
    "msgspec": "import msgspec",
    "aiohttp": "import aiohttp",
}
"""The floors of an import."""

DIRECT = "direct"
"""The provider, asked without a server between."""

FLOOR_THEN = 36
"""CPU microseconds of the blocking floor's request when the targets were set."""


class ClientScenario(msgspec.Struct, frozen=True):
    """One thing that clients do."""

    work: str
    """``import``, ``first answer``, or one of `bench.warm`."""
    awaited: bool = False
    tasks: int = 1

    @property
    def name(self) -> str:
        """What figures call it."""
        return f"{self.work} {'async' if self.awaited else 'blocking'} {self.tasks}"


class ServerScenario(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that servers do, all of them that can answer the question."""

    name: str
    question: str
    connections: int
    seconds: float = 2.0


CLIENT_SCENARIOS = [
    ClientScenario("import"),
    *(ClientScenario("first answer", awaited) for awaited in (False, True)),
    ClientScenario("request"),
    ClientScenario("request", True, 64),
    *(
        ClientScenario(work, awaited)
        for work in ("burst", "paced", "first")
        for awaited in (False, True)
    ),
    ClientScenario("short", True, 64),
]

SERVER_SCENARIOS = [
    ServerScenario(name="64 requests", question="request", connections=64),
    ServerScenario(name="16 streams", question="stream", connections=16),
    ServerScenario(name="1 request", question="request", connections=1, seconds=1.0),
    ServerScenario(name="64 turns", question="local request", connections=64),
    ServerScenario(name="16 local streams", question="local stream", connections=16),
]


STORED = "64 stored"
"""A turn opened and settled, in a process that does nothing else."""

TREES = "trees in one file"
"""Requests to a conversation of 100,000 messages in 1,000 branches, and to ones of 100."""


def _than(peer: str, least: float) -> Target:
    return Target(against=peer, least=least)


def _client(title: str, scenario: str, quantity: str, unit: str, *targets: Target) -> Figure:
    return Figure(
        title=title,
        side="client",
        scenario=scenario,
        quantity=quantity,
        unit=unit,
        over=BARE if quantity == "cpu_ms" and scenario.startswith("import") else None,
        targets=targets,
    )


def _server(
    title: str, scenario: str, quantity: str, unit: str, *targets: Target, more: bool = False
) -> Figure:
    return Figure(
        title=title,
        side="server",
        scenario=scenario,
        quantity=quantity,
        unit=unit,
        over=DIRECT if quantity == "median_ms" else None,
        more_is_better=more,
        targets=targets,
    )


def _tree(title: str, quantity: str, unit: str, *targets: Target) -> Figure:
    return Figure(
        title=title, side="tree", scenario=TREES, quantity=quantity, unit=unit, targets=targets
    )


_IMPORTS = [Target(most=CLIENTS[name].most_import_ms, of=name) for name in OURS]
_FIRSTS = [Target(against="openai", least=CLIENTS[name].least_first_gain, of=name) for name in OURS]
_AS_SMALL = [Target(against=SMALL, most=1.5)]

FIGURES = [
    _client("import, beyond bare Python, CPU", "import blocking 1", "cpu_ms", "ms", *_IMPORTS),
    _client(
        "first answer, blocking, CPU",
        "first answer blocking 1",
        "cpu_ms",
        "ms",
        *_FIRSTS,
        _than("litellm", 40),
    ),
    _client("first answer, blocking, wall time", "first answer blocking 1", "wall_ms", "ms"),
    _client(
        "first answer, blocking, peak memory",
        "first answer blocking 1",
        "peak_mb",
        "MB",
        Target(most=35),
    ),
    _client("first answer, async, CPU", "first answer async 1", "cpu_ms", "ms"),
    _client("first answer, async, wall time", "first answer async 1", "wall_ms", "ms"),
    _client("first answer, async, peak memory", "first answer async 1", "peak_mb", "MB"),
    _client(
        "request, blocking, CPU",
        "request blocking 1",
        "cpu_us",
        "µs",
        _than("openai", 10),
        _than("litellm", 20),
        Target(against="floor", most=4),
    ),
    _client(
        "request, async, 64 in flight, CPU",
        "request async 64",
        "cpu_us",
        "µs",
        _than("openai", 12),
        _than("litellm", 25),
    ),
    *(
        _client(
            f"chunk in a burst, {mode}, CPU",
            f"burst {mode} 1",
            "cpu_us",
            "µs",
            _than("openai", 15),
            _than("litellm", 50),
        )
        for mode in ("blocking", "async")
    ),
    _client(
        "chunk in a burst, 64 async streams, CPU",
        "short async 64",
        "cpu_us",
        "µs",
        _than("litellm", 50),
    ),
    *(
        _client(
            f"chunk every 0.5 ms, {mode}, CPU",
            f"paced {mode} 1",
            "cpu_us",
            "µs",
            _than("openai", 3),
        )
        for mode in ("blocking", "async")
    ),
    *(
        _client(
            f"time to the first chunk, {mode}",
            f"first {mode} 1",
            "wall_us",
            "µs",
            _than("openai", 5),
        )
        for mode in ("blocking", "async")
    ),
    _server("start to first answer", "start", "seconds", "s", Target(most=1.2)),
    _server("idle memory", "start", "idle_mb", "MB", Target(most=80)),
    _server(
        "provider request, 64 at once, CPU",
        "64 requests",
        "cpu_us",
        "µs",
        Target(against="nginx", most=10),
        # Ten times nginx's 17 µs, where the bare gateway took 107.
        Target(against="bare gateway", most=1.6, instead_of="nginx"),
    ),
    _server(
        "provider request, 64 at once, rate",
        "64 requests",
        "per_second",
        "/s",
        _than("litellm proxy", 50),
        more=True,
    ),
    _server(
        "provider stream, 16 at once, CPU",
        "16 streams",
        "cpu_us",
        "µs",
        Target(most=1200),
    ),
    _server(
        "provider stream, 16 at once, rate",
        "16 streams",
        "per_second",
        "/s",
        _than("litellm proxy", 100),
        more=True,
    ),
    _server(
        "provider request, one by one, added p50",
        "1 request",
        "median_ms",
        "ms",
        Target(most=0.5),
        _than("litellm proxy", 20),
    ),
    Figure(
        title="a turn stored durably, 64 in flight, CPU",
        side="store",
        scenario=STORED,
        quantity="cpu_us",
        unit="µs",
        # The plain one took 18 µs where the limit was set.
        targets=(Target(most=40), Target(against="plain sqlite3", most=2.2)),
    ),
    _server("loom/echo turn, its request included, 64 at once, CPU", "64 turns", "cpu_us", "µs"),
    _server(
        "loom/echo stream, 16 at once, CPU",
        "16 local streams",
        "cpu_us",
        "µs",
        Target(most=1200),
    ),
    _tree("a message appended, with its answer, CPU", "append_us", "µs", *_AS_SMALL),
    _tree("a branch's last 50 messages read, CPU", "read_us", "µs", *_AS_SMALL),
    _tree("a branch forked, CPU", "fork_us", "µs", *_AS_SMALL),
    _tree(
        "the whole tree read, page by page, peak memory",
        "peak_mb",
        "MB",
        Target(against=PAGE, most=1.5),
    ),
    _tree("a page of 1,000 messages of the tree, CPU", "page_ms", "ms"),
    _tree("100 conversations listed, CPU", "list_ms", "ms"),
    _tree("a search in all messages, CPU", "search_ms", "ms"),
]
