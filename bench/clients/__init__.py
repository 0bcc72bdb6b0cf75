"""The clients that are measured, one file each.

To add one: a file with its classes, its two programs and its `CLIENT`, and a name here.
"""

from __future__ import annotations

from bench.clients import anthropic, chatserver, floor, litellm, openai

CLIENTS = {
    one.name: one
    for one in (
        openai.CLIENT,
        anthropic.CLIENT,
        litellm.CLIENT,
        chatserver.CLIENT,
        floor.CLIENT,
    )
}
OURS = tuple(one.name for one in CLIENTS.values() if one.is_ours)
