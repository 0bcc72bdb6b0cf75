"""The one way out for every fetch that the server makes on somebody's word.

What is asked of it, in this order, for the address given and for each redirect:

    urls       one spelling, or none         asking     as few headers as may be
    slots      how many at a time            admission  may it be reached
    resolving  a name to addresses, once     networks   which of these are public
    dialling   to a checked address itself   exchange   one request, one answer, in time
    answers    as much body as there is room for
"""

from chatloom.server.egress.answers import Answer, Fetched
from chatloom.server.egress.failures import (
    EgressError,
    EgressFailed,
    EgressRefused,
    EgressTimedOut,
    EgressTooLarge,
)
from chatloom.server.egress.guard import Egress
from chatloom.server.egress.settings import EgressSettings, FetchLimits

__all__ = [
    "Answer",
    "Egress",
    "EgressError",
    "EgressFailed",
    "EgressRefused",
    "EgressSettings",
    "EgressTimedOut",
    "EgressTooLarge",
    "FetchLimits",
    "Fetched",
]
