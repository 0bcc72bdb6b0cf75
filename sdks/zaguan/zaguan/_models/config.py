"""What a client is told."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from zaguan._models.base import Model


class Config(Model):
    """Where CoreX is, and who asks; takes the place of a client's ``base_url``.

    `timeout` is in seconds; `None` stands for 30.
    """

    model_config = ConfigDict(extra="forbid")

    base_url: str
    api_key: str = Field(repr=False)
    timeout: float | None = None
