"""The operations of CoreX, written once for both clients."""

from __future__ import annotations

from chatloom.core.engine import Mode
from zaguan._catalogue import Catalogue
from zaguan._chat import Chat
from zaguan._credits import Credits
from zaguan._messages import Messages


class Zaguan(Chat[Mode], Catalogue[Mode], Credits[Mode], Messages[Mode]):
    """Everything CoreX offers."""
