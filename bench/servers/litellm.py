"""The proxy of ``litellm[proxy]``: one worker, a master key, no database."""

from __future__ import annotations

import secrets

from bench.servers.entry import Place, Prepared, Server
from bench.servers.questions import provided

_CONFIG = """
model_list:
  - model_name: canned
    litellm_params:
      model: openai/canned-model
      api_base: {provider}
      api_key: bench
general_settings:
  master_key: {key}
"""


def _prepare(place: Place) -> Prepared:
    config, key = place.folder / "litellm.yaml", f"sk-{secrets.token_hex(24)}"
    config.write_text(_CONFIG.format(provider=place.provider, key=key), "utf-8")
    listening = ["--host", "127.0.0.1", "--port", str(place.port), "--num_workers", "1"]
    return Prepared(
        [
            str(place.python.parent / "litellm"),
            *("--config", str(config), *listening, "--telemetry", "False"),
        ],
        provided(place.port, "canned", key),
    )


SERVER = Server(name="litellm proxy", needs="litellm-proxy-extras", prepare=_prepare)
