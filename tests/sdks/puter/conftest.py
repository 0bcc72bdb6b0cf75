"""A user of Puter who has set up nothing, and either mode of a client."""

from __future__ import annotations

from support.puter import unset as unset
from support.puter import using as using
