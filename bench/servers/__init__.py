"""The servers that are measured, one file each."""

from __future__ import annotations

from bench.servers import bare, chatloom, litellm, nginx

SERVERS = {one.name: one for one in (litellm.SERVER, nginx.SERVER, bare.SERVER, chatloom.SERVER)}
